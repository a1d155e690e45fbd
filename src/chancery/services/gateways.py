"""Which connections are those of a dedicated registration authority, and whether it is admitted.

The certificate is bound to an account, and the settings bind the account to
one registration authority.  A connection like this never is its account's own:
who shows such a certificate gets what a gateway gets, or nothing.
"""

from collections.abc import Iterable
from typing import Final

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import CAError, NotFound, NotPermitted
from chancery.domain.gateway import Gateway
from chancery.domain.identity import AuthMethod, ClientCertificate
from chancery.ports import Clock, Session, Store
from chancery.services.catalogue import Catalogue
from chancery.services.identity.failures import Coalescer

_KEPT_MS: Final = 1_000
"""Milliseconds for which an answer counts: a lock, a revocation works within that time."""
_MOST: Final = 1_000
"""Certificates whose answers are kept."""

Found = Gateway | CAError | None


class GatewayService:
    """One per process; safe for concurrent use."""

    def __init__(
        self, store: Store, catalogue: Catalogue, clock: Clock, gateways: Iterable[Gateway]
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._by_account = {gateway.account: gateway for gateway in gateways}
        self._kept: dict[str, tuple[int, Found]] = {}
        self._quiet = Coalescer()
        self._admitted: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether there is one at all."""
        return bool(self._by_account)

    def known(self, sha256: str) -> tuple[bool, Found]:
        """What ``recognise`` found a moment ago; (False, None) where it must be asked."""
        at, found = self._kept.get(sha256, (None, None))
        if at is None or not 0 <= self._clock.ms() - at < _KEPT_MS:
            return False, None
        return True, found

    def recognise(self, sha256: str, address: str) -> Found:
        """Say which gateway shows the certificate of that hash (hex SHA-256 of its DER).

        None: none does.  An error, returned and on record: one does, and is
        not admitted.
        """
        with self._store.read() as session:
            bound = session.identities.client_certificate(sha256)
            gateway = self._by_account.get(bound.user) if bound is not None else None
            found: Found = gateway
            if bound is not None and gateway is not None:
                found = self._refusal(session, gateway, bound) or gateway
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[sha256] = (self._clock.ms(), found)
        if gateway is not None:
            self._tell(gateway, sha256, address, found)
        return found

    def _refusal(
        self, session: Session, gateway: Gateway, bound: ClientCertificate
    ) -> NotPermitted | None:
        now = self._clock.s()
        user = session.identities.user(bound.user)
        ours = session.certificates.by_hash(bound.sha256)
        if ours is not None and ours.status is not CertificateStatus.VALID:
            return _not_admitted(gateway, f"its certificate is {ours.status.value}", "certificate")
        if now > bound.not_after:
            return _not_admitted(gateway, "its certificate has expired", "certificate")
        if user is None or user.disabled or now < (user.locked_until or 0):
            return _not_admitted(gateway, "its account is disabled or locked", "account")
        try:
            self._catalogue.ra(gateway.ra)
        except NotFound:
            return _not_admitted(gateway, f"there is no {gateway.ra} any more", "ra")
        return None

    def _tell(self, gateway: Gateway, sha256: str, address: str, found: Found) -> None:
        """Put on record that it came, once, and that it was refused, once a minute."""
        if isinstance(found, CAError):
            self._admitted.discard(sha256)
            count = self._quiet.count(f"{sha256}|{found.rule}", self._clock.s())
            details = {"rule": found.rule, "why": str(found), "attempts": count}
            action, outcome = "gateway.refused", Outcome.FAILURE
        else:
            count = int(sha256 not in self._admitted)
            self._admitted.add(sha256)
            details = {}
            action, outcome = "gateway.admitted", Outcome.SUCCESS
        if not count:
            return
        told = AuditEvent(
            action,
            gateway.account,
            AuthMethod.CERTIFICATE.value,
            address,
            gateway.name,
            outcome,
            {"ra": gateway.ra, "certificate": sha256, **details},
        )
        self._store.submit(lambda session: session.audit.append([told], self._clock.ms()))


def _not_admitted(gateway: Gateway, why: str, what: str) -> NotPermitted:
    return NotPermitted(
        f"the registration authority {gateway.name} is not admitted by its central instance: {why}",
        field=what,
        rule=f"gateway.{what}",
        remedy="its operators run `chancery ra enrol` again, or ask the centre's administrators",
    )
