"""The vaults of an instance: how they are, what is in them, and whether they work."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chancery.domain.audit import Outcome
from chancery.domain.authority import AuthorityState
from chancery.domain.errors import CAError, NotFound, Unavailable
from chancery.domain.identity import Permission, Principal
from chancery.domain.vaults import Probe, TokenKey, VaultStanding, VaultState
from chancery.ports import Clock, KeyVault, Store, VaultAdmin
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.gauges import Family


@dataclass(frozen=True, slots=True)
class VaultView:
    """A vault and the authorities whose keys it has.  *keys* None: it cannot be asked now."""

    standing: VaultStanding
    authorities: tuple[str, ...]
    keys: tuple[TokenKey, ...] | None = ()


class VaultService:
    """Needs no more than the signer to answer; what is tried goes on record."""

    def __init__(self, store: Store, vault: KeyVault, admin: VaultAdmin, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._admin = admin
        self._clock = clock

    def all(self, principal: Principal) -> Sequence[VaultView]:
        """Every vault, the software vault first."""
        demand(principal, Permission.AUTHORITY_READ)
        places = self._places()
        return [VaultView(one, tuple(places.get(one.name, ()))) for one in self._admin.standings()]

    def show(self, principal: Principal, name: str) -> VaultView:
        """One vault with the keys on its token."""
        demand(principal, Permission.AUTHORITY_READ)
        standing = self._standing(name)
        keys: tuple[TokenKey, ...] | None = None
        if standing.state is VaultState.UP:
            try:
                keys = tuple(self._admin.contents(name))
            except Unavailable:  # it went away in this moment
                standing = self._standing(name)
        return VaultView(standing, tuple(self._places().get(name, ())), keys)

    def test(self, principal: Principal, name: str) -> Sequence[Probe]:
        """Try all that signing needs, with keys made for it and destroyed again."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        self._standing(name)
        probes = self._admin.probe(name)
        self._record(principal, "vault.tested", name, probes)
        return probes

    def self_test(self, principal: Principal) -> Sequence[Probe]:
        """The signer's known-answer tests.  In approved mode one that fails ends all signing."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        probes = self._admin.self_test()
        self._record(principal, "signer.self-tested", "signer", probes)
        return probes

    def families(self) -> Sequence[Family]:
        """Metrics of each vault; none while the signer is away, which has a metric of its own."""
        try:
            standings = self._admin.standings()
        except CAError:
            return []

        def family(
            name: str, text: str, values: Mapping[str, int], *, counter: bool = False
        ) -> Family:
            return Family(
                f"chancery_vault_{name}",
                text,
                ("vault",),
                {(vault,): value for vault, value in values.items()},
                counter=counter,
            )

        up = {one.name: int(one.state is VaultState.UP) for one in standings}
        tokens = [one for one in standings if one.sessions]
        return [
            family("up", "Whether the vault can be used.", up),
            family("sessions", "Sessions on its token.", {o.name: o.sessions for o in tokens}),
            family("sessions_busy", "Of these, at work.", {o.name: o.busy for o in tokens}),
            family(
                "signatures",
                "Signatures its token made since the signer's start.",
                {o.name: o.signatures for o in tokens},
                counter=True,
            ),
            family(
                "failures",
                "Signatures that its token did not make.",
                {o.name: o.failures for o in tokens},
                counter=True,
            ),
            family(
                "lost",
                "How often the token went away.",
                {o.name: o.lost for o in tokens},
                counter=True,
            ),
        ]

    def wrong(self) -> str | None:
        """For readiness: what is away, if no active authority can sign because of it.

        One vault of several that is away does not take this machine out of
        service: it still answers for the others, and for what was issued.
        """
        down = {
            one.name: f"{one.name} is {one.state}: {one.reason}"
            for one in self._admin.standings()
            if one.state is not VaultState.UP
        }
        if not down:
            return None
        used = [name for name, active in self._places(active=True).items() if active]
        if not used or any(name not in down for name in used):
            return None
        return "; ".join(down[name] for name in used)

    def _standing(self, name: str) -> VaultStanding:
        standings = {one.name: one for one in self._admin.standings()}
        if name not in standings:
            raise NotFound(
                f"no vault named {name[:64]!r}",
                field="name",
                rule="vault.unknown",
                remedy=f"one of: {', '.join(standings)}",
            )
        return standings[name]

    def _places(self, *, active: bool = False) -> dict[str, list[str]]:
        """Names of authorities by the vault that has their key."""
        with self._store.read() as session:
            authorities = session.authorities.all()
        places: defaultdict[str, list[str]] = defaultdict(list)
        for authority in authorities:
            if authority.key_id is None or authority.offline:
                continue
            if active and authority.state is not AuthorityState.ACTIVE:
                continue
            try:
                places[self._vault.key(authority.key_id).vault].append(authority.name)
            except NotFound:
                continue
        return places

    def _record(
        self, principal: Principal, action: str, name: str, probes: Sequence[Probe]
    ) -> None:
        failed = [probe.name for probe in probes if not probe.passed]
        leaf = event(
            principal,
            action,
            name,
            Outcome.FAILURE if failed else Outcome.SUCCESS,
            tried=len(probes),
            failed=failed,
        )
        self._store.write(lambda session: session.audit.append([leaf], self._clock.ms()))
