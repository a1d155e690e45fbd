"""Before anything of a stranger's is looked at: how often, how much, and with what effort."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from chancery.domain.errors import BadRequest, NotFound, NotPermitted, TooLarge
from chancery.domain.identity import AuthMethod, Principal
from chancery.ports import Clock
from chancery.services.portal.buckets import Buckets
from chancery.services.portal.policy import PortalPolicy
from chancery.wire import pem, pkcs10

_STAMP_S: Final = 600
"""How far a stamp's time may be from ours, in seconds, either way."""
_STAMP_LENGTH: Final = 200


class Admission:
    """Asked by every service that strangers reach, whatever the door.

    Whoever is signed in passes: accounts have quotas and names.
    """

    def __init__(self, policy: PortalPolicy, clock: Clock) -> None:
        self.policy: Final = policy
        self._clock = clock
        self._submissions = Buckets(policy.submissions, clock, "requests")
        self._checks = Buckets(policy.checks, clock, "uploads")
        self._codes = Buckets(policy.codes, clock, "wrong codes")

    def submissions(
        self, principal: Principal, csrs: Sequence[bytes | None], stamp: str | None = None
    ) -> None:
        """Let in requests (None: one whose key is to be made here), or raise why not."""
        if principal.method is not AuthMethod.NONE:
            return
        self._portal_open()
        self._server_keys(csrs)
        self._count(len(csrs))
        self._submissions.take(principal.origin, len(csrs))
        if self.policy.proof_of_work:
            check_stamp(stamp, csrs, self.policy.proof_of_work, self._clock.s())

    def delivered(self, principal: Principal, csrs: Sequence[bytes | None]) -> None:
        """Let in what a gateway took in while we were away: it has counted, and bounded, by itself.

        A stamp would be too old by now.
        """
        if principal.method is AuthMethod.NONE:
            self._portal_open()
            self._server_keys(csrs)
            self._count(len(csrs))

    def looks(self, principal: Principal, count: int = 1) -> None:
        """Let in uploads that only want to be looked at."""
        if principal.method is AuthMethod.NONE:
            self._portal_open()
            self._count(count)
            self._checks.take(principal.origin, count)

    @contextmanager
    def guess(self, principal: Principal, code: str | None) -> Iterator[None]:
        """Around a look-up by *code*: what finds nothing counts as a wrong code."""
        if code is None or principal.method is not AuthMethod.NONE:
            yield
            return
        self._codes.take(principal.origin)
        try:
            yield
        except NotFound:
            raise
        except BaseException:
            self._codes.give_back(principal.origin)
            raise
        self._codes.give_back(principal.origin)

    def _portal_open(self) -> None:
        if not self.policy.open:
            raise NotPermitted(
                "this office takes nothing from people without an account",
                field="principal",
                rule="portal.closed",
                remedy="sign in, or ask the administrators of this office",
            )

    def _server_keys(self, csrs: Sequence[bytes | None]) -> None:
        if None in csrs and not self.policy.server_keys:
            raise NotPermitted(
                "keys are not made here for people without an account",
                field="server_key",
                rule="portal.server-keys",
                remedy="make the key yourself: the portal shows the command",
            )

    def _count(self, count: int) -> None:
        if count > self.policy.files:
            raise TooLarge(
                f"{count} requests at once; at most {self.policy.files}",
                field="csr",
                rule="portal.files",
                remedy="submit them in several turns",
            )


def stamped(csrs: Sequence[bytes | None]) -> str:
    """What a stamp is made for: SHA-256 (hex) over the DER of the requests, one after another.

    Text that is no certification request counts as it stands; it is refused elsewhere.
    """
    digest = hashlib.sha256()
    for csr in csrs:
        if csr is not None:
            digest.update(_der(csr))
    return digest.hexdigest()


def _der(csr: bytes) -> bytes:
    if pem.is_der(csr):
        return csr
    try:
        return pem.decode(csr, pkcs10.LABELS, pkcs10.MAX_OCTETS)[1]
    except BadRequest:
        return csr


def check_stamp(stamp: str | None, csrs: Sequence[bytes | None], bits: int, now: int) -> None:
    """Raise NotPermitted unless *stamp* shows the work that was asked.

    A stamp is ``1:SECONDS:CONTENT:COUNTER``: the time it was made at, the
    ``stamped`` digest, and whatever makes the SHA-256 of it all begin with
    *bits* zero bits.  It needs no answer of ours beforehand, and is worth
    nothing for other requests or later.
    """
    if stamp is None or len(stamp) > _STAMP_LENGTH or not stamp.isascii():
        raise _no_stamp(bits, "is missing")
    version, _, rest = stamp.partition(":")
    seconds, _, rest = rest.partition(":")
    content, _, _ = rest.partition(":")
    if version != "1" or not seconds.isdigit():
        raise _no_stamp(bits, "does not have the form 1:SECONDS:CONTENT:COUNTER")
    if abs(int(seconds) - now) > _STAMP_S:
        raise _no_stamp(bits, "was made at another time")
    if not hmac.compare_digest(content, stamped(csrs)):
        raise _no_stamp(bits, "was made for other requests")
    if int.from_bytes(hashlib.sha256(stamp.encode()).digest()) >> (256 - bits):
        raise _no_stamp(bits, "shows too little work")


def _no_stamp(bits: int, why: str) -> NotPermitted:
    return NotPermitted(
        f"the proof of work {why}",
        field="stamp",
        rule="portal.proof-of-work",
        remedy=f"let the page compute it (JavaScript), or find one whose SHA-256 begins with"
        f" {bits} zero bits: docs/guides/portal.md",
    )
