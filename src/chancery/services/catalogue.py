"""What issuance looks up for every request: RAs, profiles, authorities, compiled and kept."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from chancery.domain.authority import Authority, AuthorityState
from chancery.domain.dn_profile import DnProfile
from chancery.domain.door import Door
from chancery.domain.errors import BadRequest, NotFound, WrongState
from chancery.domain.profile import ProfileVersion
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import ToBeSigned
from chancery.ports import Changes, Clock, Store
from chancery.services.indirect import listed_by, listing
from chancery.services.issuers import issuer_context
from chancery.wire.lint import compile_lint
from chancery.wire.tbs import CompiledProfile, compile_profile

Lint = Callable[[bytes], tuple[str, ...]]

_FRESH_MS = 1000
"""How long another machine's change to a profile, RA or CA may go unseen here."""


@dataclass(frozen=True, slots=True)
class Template:
    """Everything fixed about certificates of one profile version from one CA certificate."""

    authority: Authority
    key_id: str
    key_identifier: bytes
    issuer: bytes
    compiled: CompiledProfile
    lint: Lint

    def fits(self, tbs: ToBeSigned) -> bool:
        """Whether *tbs* was made for this CA's present name and key."""
        return tbs.before.endswith(self.issuer) and self.key_identifier in tbs.after


@dataclass(slots=True)
class _Snapshot:
    taken_ms: int
    change: int
    ras: dict[str, RegistrationAuthority]
    profiles: dict[str, ProfileVersion]
    dn_profiles: dict[str, DnProfile]
    authorities: dict[str, Authority]
    doors: dict[str, Door]
    listing: dict[str, tuple[Authority, ...]]  # by whose certificates stand in their CRLs too


class Catalogue:
    """A snapshot of policy, at most a second old; what this machine changed shows at once."""

    def __init__(self, store: Store, clock: Clock, changes: Changes, *, http: str) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._http = http
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._pinned: dict[str, ProfileVersion] = {}
        self._templates: dict[tuple[object, ...], Template] = {}

    def changed(self) -> None:
        """Policy was just changed here: every process of this machine looks again."""
        self._changes.bump()

    def _current(self) -> _Snapshot:
        snapshot = self._snapshot
        now = self._clock.ms()
        change = self._changes.count()
        if (
            snapshot is not None
            and now - snapshot.taken_ms < _FRESH_MS
            and change == snapshot.change
        ):
            return snapshot
        with self._lock, self._store.read() as session:
            authorities = session.authorities.all()
            names = {name for one in authorities for name in one.crl_indirect}
            snapshot = _Snapshot(
                taken_ms=now,
                change=change,
                ras={ra.name: ra for ra in session.registrations.all()},
                profiles={v.profile.name: v for v in session.profiles.all()},
                dn_profiles={p.name: p for p in session.profiles.dn_all()},
                authorities={a.name: a for a in authorities},
                listing={name: listing(authorities, name) for name in names},
                doors={d.name: d for d in session.doors.all()},
            )
            self._snapshot = snapshot
        return snapshot

    def ra(self, name: str) -> RegistrationAuthority:
        found = self._current().ras.get(name)
        if found is None:
            raise NotFound(
                f"no registration authority {name!r}",
                field="ra",
                rule="ra.known",
                remedy="`chancery ra list` shows those there are",
            )
        return found

    def ras(self) -> list[RegistrationAuthority]:
        """Every registration authority, by name."""
        ras = self._current().ras
        return [ras[name] for name in sorted(ras)]

    def ras_for(self, profile: str) -> list[RegistrationAuthority]:
        """Registration authorities that offer *profile*, by name."""
        ras = self._current().ras
        return [ras[name] for name in sorted(ras) if profile in ras[name].profiles]

    def profile(self, name: str) -> ProfileVersion:
        found = self._current().profiles.get(name)
        if found is None:
            raise NotFound(
                f"no profile {name!r}",
                field="profile",
                rule="profile.known",
                remedy="`chancery profile list` shows those there are",
            )
        return found

    def pinned(self, sha256: str) -> ProfileVersion:
        """The profile version a request was made with, whatever the latest is now."""
        version = self._pinned.get(sha256)
        if version is None:
            with self._store.read() as session:
                version = session.profiles.version(sha256)
            if version is None:
                raise NotFound(f"no profile version {sha256}", field="profile")
            self._pinned[sha256] = version
        return version

    def dn_profile(self, name: str) -> DnProfile:
        found = self._current().dn_profiles.get(name)
        if found is None:
            raise BadRequest(f"no DN profile {name!r}", field="dn_profile", rule="dn-profile.known")
        return found

    def authority(self, name: str) -> Authority:
        found = self._current().authorities.get(name)
        if found is None:
            raise NotFound(f"no authority {name!r}", field="authority", rule="authority.known")
        return found

    def authority_certificates(self) -> list[bytes]:
        """DER of the current certificate of every CA that has one, by name."""
        found = self._current().authorities
        certificates = (found[name].certificate for name in sorted(found))
        return [one for one in certificates if one is not None]

    def door(self, name: str) -> Door:
        """A door that is open; NotFound else."""
        found = self._current().doors.get(name)
        if found is None or not found.enabled:
            raise NotFound(
                f"no door {name[:80]!r} is open here",
                field="door",
                rule="door.known",
                remedy="`chancery door list` shows those there are",
            )
        return found

    def template(self, authority: Authority, version: ProfileVersion) -> Template:
        """The compiled template; WrongState if the authority cannot sign through the server."""
        if authority.state is not AuthorityState.ACTIVE or authority.offline:
            state = "offline" if authority.offline else authority.state.value
            raise WrongState(
                f"{authority.name} does not issue: it is {state}",
                field="authority",
                rule="authority.active",
            )
        if authority.certificate is None or authority.key_id is None:
            raise WrongState(
                f"{authority.name} does not issue: its key is not held here",
                field="authority",
                rule="authority.key",
            )
        listing_ones = self._current().listing.get(authority.name, ())
        key = (
            authority.name,
            version.sha256,
            authority.certificate,
            authority.crl_shards,
            *((one.name, one.certificate, one.crl_urls) for one in listing_ones),
        )
        template = self._templates.get(key)
        if template is None:
            template = self._compile(authority, authority.key_id, version, listing_ones)
            self._templates[key] = template
        return template

    def _compile(
        self,
        authority: Authority,
        key_id: str,
        version: ProfileVersion,
        listing_ones: tuple[Authority, ...],
    ) -> Template:
        with self._store.read() as session:
            certificates = session.authorities.certificates(authority.name)
            listed = listed_by(session, listing_ones, self._http)
        context = issuer_context(authority, certificates, self._http, listed)
        return Template(
            authority,
            key_id,
            context.key_identifier,
            context.subject_der,
            compile_profile(version, context),
            compile_lint(version),
        )
