"""What strangers leave with us: sentences to sign, wishes to revoke, keys they fetched."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.certificate import RevocationReason

HOLDER_REASONS: Final = (
    RevocationReason.keyCompromise,
    RevocationReason.superseded,
    RevocationReason.cessationOfOperation,
    RevocationReason.affiliationChanged,
    RevocationReason.unspecified,
)
"""What a holder may give (CA/Browser Forum Baseline Requirements §7.2.2); the rest is the CA's."""


@dataclass(frozen=True, slots=True)
class RevocationChallenge:
    """One line of ASCII to be signed with the key of one certificate.

    It says everything that the signature then means: certificate, reason,
    end, and a nonce.  It counts once.
    """

    text: str
    certificate_id: str
    reason: RevocationReason
    expires_at: int


class RevocationRequestState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RevocationRequest:
    """A wish to revoke by somebody who knows the request's code; an officer answers it.

    *note* is what the asker says, *answer* what the officer did.
    """

    id: str
    certificate_id: str
    request_id: str
    authority: str
    serial: str
    reason: RevocationReason
    note: str
    state: RevocationRequestState
    created_at: int
    decided_at: int | None = None
    decided_by: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class KeyPickup:
    """When a key that was made here first left with the holder of a code, and how often."""

    request_id: str
    first_at: int
    fetches: int
    destroyed: bool = False
