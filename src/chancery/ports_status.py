"""What answers about status need of the record: read in bulk, and told what changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.status import CertificateKey, OcspPolicy, Standing


@dataclass(frozen=True, slots=True)
class Standings:
    """Where serials stood when the audit log had *as_of* leaves; unknown serials are missing."""

    as_of: int
    found: Mapping[CertificateKey, Standing]


@dataclass(frozen=True, slots=True)
class StatusChanges:
    """What was revoked, held or released since a moment, and the moment to ask from next time.

    *changed* None: too much for a list; everything may have changed.
    """

    as_of: int
    changed: Sequence[CertificateKey] | None


class StatusLine(Protocol):
    """Has OCSP answers signed for an event loop, to which it belongs."""

    @property
    def busy(self) -> int:
        """Requests under way."""
        ...

    def sign(
        self,
        key_id: str,
        algorithm: SignatureAlgorithm,
        tbss: Sequence[bytes],
        then: Callable[[Sequence[bytes] | None], None],
    ) -> None:
        """*then* gets a signature for each, or None if that is not possible now; now or later."""
        ...


class CertificateStatuses(Protocol):
    """The status of many certificates, for responders.

    A change carries the number of leaves before its own: one seen by nobody
    who read at *as_of* has a number of *as_of* or more.
    """

    def standings(self, keys: Sequence[CertificateKey]) -> Standings: ...

    def as_of(self) -> int:
        """The present moment."""
        ...

    def changes(self, authorities: Sequence[str], since: int) -> StatusChanges: ...

    def serials(self, authority: str, unexpired_at: int) -> Iterator[str]:
        """Serials of all certificates of an authority that had not ended then."""
        ...

    def policies(self) -> Mapping[str, OcspPolicy]:
        """By authority; those without have the defaults."""
        ...

    def put_policy(self, authority: str, policy: OcspPolicy) -> None: ...
