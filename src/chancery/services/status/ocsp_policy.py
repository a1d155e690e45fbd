"""What an authority's OCSP answers say beyond good and revoked: each authority's own choice."""

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission, Principal
from chancery.domain.status import OcspPolicy
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.issuers import find

_LONGEST_S = 100 * 366 * 86_400


class OcspPolicies:
    """Read and changed; every process answers by them within two seconds."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, principal: Principal, name: str) -> OcspPolicy:
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            find(session, name)
            return session.statuses.policies().get(name, OcspPolicy())

    def put(self, principal: Principal, name: str, policy: OcspPolicy) -> OcspPolicy:
        """Change it; NotFound for an authority that is not here."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        if policy.archive_s is not None and not 0 < policy.archive_s <= _LONGEST_S:
            raise BadRequest(
                "an archive cutoff lies between a second and a hundred years back",
                field="archive_s",
                rule="ocsp.archive",
            )
        changed = event(
            principal,
            "authority.ocsp-changed",
            name,
            unissued=policy.unissued.value,
            archive_s=policy.archive_s or 0,
            requests=policy.requests.value,
        )

        def unit(session: Session) -> None:
            find(session, name)
            session.statuses.put_policy(name, policy)
            session.audit.append([changed], self._clock.ms())

        self._store.write(unit)
        return policy
