"""What lets a device or server enrol by itself: credentials, their bindings, transactions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chancery.domain.names import GeneralName


class CredentialKind(StrEnum):
    ONE_TIME = "one-time"  # a SCEP challenge password
    SECRET = "secret"  # noqa: S105 - a CMP reference and its shared secret
    USER = "user"  # an EST user name and its password
    ACCOUNT = "account"  # an ACME external account key


class CredentialState(StrEnum):
    """EXPIRED is a matter of time, and not kept."""

    OPEN = "open"
    SPENT = "spent"
    LOCKED = "locked"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Binding:
    """Whom a credential is for.  None and () leave to the profile what they would bound.

    *subject* is RFC 4514 text whose attributes must be those of the request,
    in any order; *subject_pattern* a regular expression for the request's
    whole subject text.  *names* is the exact set of subject alternative
    names.  *name_patterns* are host names, or suffixes that begin with a dot.
    """

    subject: str | None = None
    subject_pattern: str | None = None
    names: tuple[GeneralName, ...] | None = None
    name_patterns: tuple[str, ...] = ()
    profile: str | None = None
    key_algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential of one door.  Times are Unix seconds.

    *reference* is unique at its door: the keyed hash of a one-time password,
    else the name under which it is presented.  *verifier* is the Argon2 hash
    of a password ("" where there is none), *sealed* a secret that is needed
    again, to compute a MAC.  *uses_left* None: as often as one likes.
    """

    id: str
    door: str
    kind: CredentialKind
    reference: str
    binding: Binding
    created_by: str
    created_at: int
    verifier: str = ""
    sealed: bytes | None = None
    uses_left: int | None = 1
    failures: int = 0
    max_failures: int = 10
    state: CredentialState = CredentialState.OPEN
    expires_at: int | None = None
    spent_at: int | None = None
    note: str = ""
    data: Mapping[str, object] = field(default_factory=dict)

    def expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Transaction:
    """One attempt to enrol, as its client numbers it; *door* and *id* are its key.

    *key_sha256* is of the subject public key, *request_sha256* of the DER of
    the request: "" where the key is made here.  *request_id* was chosen before
    the request was made, so that a repetition finds it.
    """

    door: str
    id: str
    key_sha256: str
    request_sha256: str
    request_id: str
    credential_id: str | None
    created_at: int
    data: Mapping[str, object] = field(default_factory=dict)
