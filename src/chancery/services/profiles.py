"""Extension profiles and DN profiles: each change a new version, checked before it counts."""

from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import BadRequest, Conflict, LintFailed, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.policy import PolicyKind, PolicyVersion
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.domain.profile_rules import check_dn_profile, check_profile
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.policy_record import record_version, version_of
from chancery.services.risk import NOTHING, Accepts, new_in_dn_profile, new_in_profile, settle
from chancery.services.sample import ProfileLint
from chancery.wire import documents


class ProfileService:
    """See the module."""

    def __init__(self, store: Store, catalogue: Catalogue, lint: ProfileLint, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._lint = lint
        self._clock = clock

    def all(self, principal: Principal) -> list[ProfileVersion]:
        """The latest version of each, by name."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            return session.profiles.all()

    def show(self, principal: Principal, name: str, version: int | None = None) -> ProfileVersion:
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            if version is None:
                found = session.profiles.latest(name)
            else:
                versions = session.profiles.versions(name)
                found = next((v for v in versions if v.version == version), None)
        if found is None:
            which = "" if version is None else f" version {version}"
            raise _unknown(name, which)
        return found

    def versions(self, principal: Principal, name: str) -> list[ProfileVersion]:
        """Every version, oldest first."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            found = session.profiles.versions(name)
        if not found:
            raise _unknown(name)
        return found

    def put(
        self,
        principal: Principal,
        profile: ExtensionProfile,
        *,
        accept_risks: Accepts = NOTHING,
    ) -> ProfileVersion:
        """Make *profile* the latest version of its name, once rules, linters and risks agree.

        *accept_risks*: why findings stand that may be accepted (``services.risk``).

        Writing the latest version again changes nothing; writing an earlier one,
        or one that was retired, brings it back under its old number: the same
        content is the same version.
        """
        demand(principal, Permission.PROFILE_MANAGE)
        check_profile(profile)
        self._known_dn_profile(profile.dn_profile)
        if findings := self._lint(profile):
            raise LintFailed(
                "a sample certificate of this profile fails the linter: " + "; ".join(findings),
                field="profile",
                rule="lint",
            )
        sha256 = documents.sha256(profile)
        now = self._clock.ms()

        def unit(session: Session) -> ProfileVersion:
            latest = session.profiles.latest(profile.name)
            if latest is not None and latest.sha256 == sha256:
                return latest
            risks = new_in_profile(session, profile, latest.profile if latest else None)
            kind = PolicyKind.PROFILE
            settle(session, principal, kind, profile.name, risks, accept_risks, now)
            earlier = session.profiles.version(sha256)
            numbers = [v.version for v in session.profiles.versions(profile.name)]
            version = earlier or ProfileVersion(
                profile, max(numbers, default=0) + 1, sha256, now // 1000, principal.name
            )
            session.profiles.add(version)
            action = "profile.created" if earlier is None else "profile.restored"
            said = event(principal, action, profile.name, version=version.version, sha256=sha256)
            session.audit.append([said], now)
            return version

        version = self._store.write(unit)
        self._catalogue.changed()
        return version

    def retire(self, principal: Principal, name: str) -> None:
        """Take a profile out of use; its versions stay on record for what they issued."""
        demand(principal, Permission.PROFILE_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if session.profiles.latest(name) is None:
                raise _unknown(name)
            users = [ra.name for ra in session.registrations.all() if name in ra.profiles]
            if users:
                raise Conflict(
                    f"profile {name} is offered by {', '.join(users)}",
                    field="profile",
                    rule="profile.unused",
                    remedy="take it out of these registration authorities first",
                )
            session.profiles.retire(name)
            session.policy_history.accept([], PolicyKind.PROFILE, name)
            session.audit.append([event(principal, "profile.retired", name)], now)

        self._store.write(unit)
        self._catalogue.changed()

    # DN profiles

    def dn_all(self, principal: Principal) -> list[DnProfile]:
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            return session.profiles.dn_all()

    def dn_show(self, principal: Principal, name: str) -> DnProfile:
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            found = session.profiles.dn(name)
        if found is None:
            raise _unknown_dn(name)
        return found

    def dn_versions(self, principal: Principal, name: str) -> list[PolicyVersion]:
        """Every version, oldest first; those of a deleted one too."""
        demand(principal, Permission.PROFILE_READ)
        with self._store.read() as session:
            found = session.policy_history.versions(PolicyKind.DN_PROFILE, name)
        if not found:
            raise _unknown_dn(name)
        return found

    def dn_version(self, principal: Principal, name: str, number: int) -> DnProfile:
        """A DN profile as it was in that version."""
        version = version_of(self.dn_versions(principal, name), number, "dn_profile")
        return documents.recall(DnProfile, version.document)

    def dn_put(
        self, principal: Principal, profile: DnProfile, *, accept_risks: Accepts = NOTHING
    ) -> DnProfile:
        """Create or replace a DN profile, unless it brings risks to the profiles that use it."""
        demand(principal, Permission.PROFILE_MANAGE)
        check_dn_profile(profile)
        now = self._clock.ms()
        kind = PolicyKind.DN_PROFILE

        def unit(session: Session) -> None:
            current = session.profiles.dn(profile.name)
            if current == profile:
                return
            risks = new_in_dn_profile(session, profile, current)
            settle(session, principal, kind, profile.name, risks, accept_risks, now)
            session.profiles.put_dn(profile)
            version = record_version(session, principal, kind, profile, now)
            changed = event(
                principal,
                "dn-profile.changed",
                profile.name,
                version=version.version,
                sha256=version.sha256,
            )
            session.audit.append([changed], now)

        self._store.write(unit)
        self._catalogue.changed()
        return profile

    def dn_delete(self, principal: Principal, name: str) -> None:
        demand(principal, Permission.PROFILE_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            if session.profiles.dn(name) is None:
                raise _unknown_dn(name)
            users = [v.profile.name for v in session.profiles.all() if v.profile.dn_profile == name]
            if users:
                raise Conflict(
                    f"DN profile {name} is used by {', '.join(users)}",
                    field="dn_profile",
                    rule="dn-profile.unused",
                    remedy="give these profiles another DN profile first",
                )
            session.profiles.delete_dn(name)
            session.policy_history.accept([], PolicyKind.DN_PROFILE, name)
            session.audit.append([event(principal, "dn-profile.deleted", name)], now)

        self._store.write(unit)
        self._catalogue.changed()

    def _known_dn_profile(self, name: str) -> None:
        with self._store.read() as session:
            if session.profiles.dn(name) is None:
                raise BadRequest(
                    f"no DN profile {name!r}",
                    field="profile.dn_profile",
                    rule="dn-profile.known",
                    remedy="`chancery dn-profile list` shows those there are",
                )


def _unknown(name: str, which: str = "") -> NotFound:
    return NotFound(
        f"no profile {name!r}{which}",
        field="profile",
        rule="profile.known",
        remedy="`chancery profile list` shows those there are",
    )


def _unknown_dn(name: str) -> NotFound:
    return NotFound(
        f"no DN profile {name!r}",
        field="dn_profile",
        rule="dn-profile.known",
        remedy="`chancery dn-profile list` shows those there are",
    )
