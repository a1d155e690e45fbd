"""How an account proves who it is: password, token, TLS client certificate.

Nothing here says whether a name exists: a wrong name and a wrong password
take the same time, get the same words, and are locked out alike.
"""

from dataclasses import dataclass, replace

from chancery.domain.audit import AuditEvent
from chancery.domain.certificate import CertificateStatus
from chancery.domain.directory_names import folded
from chancery.domain.errors import NotAuthenticated
from chancery.domain.identity import AuthMethod, Permission, Principal, User
from chancery.ports import Clock, PasswordHasher, Session, Store
from chancery.services.identity.directories import Directories
from chancery.services.identity.factor_checks import FactorCheck, factors_of
from chancery.services.identity.failures import (
    Failures,
    code_missing,
    locked_out,
    sha256_of,
    wrong_password,
)
from chancery.services.identity.policy import ACCOUNT_NAME, IdentityPolicy, is_unicode, normalised
from chancery.services.identity.principals import principal_of, restricted
from chancery.services.identity.standing import StandingCheck
from chancery.services.identity.token_cache import TokenCache

TOKEN_PREFIX = "chy_"  # noqa: S105 - lets secret scanners recognise a leaked token
_LAST_USE_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A password that was right a moment ago; *rehash* is its hash by today's parameters."""

    name: str
    phc: str | None  # None: a directory has it
    rehash: str | None


class Authentication:
    """Turns credentials into principals."""

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        clock: Clock,
        decoy: str,
        policy: IdentityPolicy,
        cache: TokenCache,
        factors: FactorCheck,
        directories: Directories,
        standing: StandingCheck,
        failures: Failures,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._decoy_password = decoy
        self._decoy: str | None = None
        self._policy = policy
        self._cache = cache
        self._factors = factors
        self._directories = directories
        self._standing = standing
        self._failures = failures
        self.count = failures.count

    def password(self, name: str, password: str, origin: str, code: str = "") -> Principal:
        """Sign in for one request; raise what ``check`` raises.

        Who has a second factor sends a *code* along, of the app or a recovery
        code.  Who must change the password, or enrol a factor, may do only that.
        """
        checked = self.check(name, password, origin)
        principal = self._store.write(lambda s: self._succeeded(s, checked, origin, code))
        if principal is None:
            raise NotAuthenticated(
                "the code is wrong, or was used before", field="code", rule="totp.code"
            )
        return principal

    def check(self, name: str, password: str, origin: str) -> CheckedPassword:
        """Check a password; raise NotAuthenticated, LockedOut, or Unavailable (too many at once).

        While an account is locked its password is not even compared, so a lock
        cannot be used to test guesses.  A success counts once ``confirm`` has
        seen it in the unit that acts on it.
        """
        typed, name = name, name[:64]
        decoy = self._decoy_hash()
        now = self._clock.s()
        with self._store.read() as session:
            # What no account can be called is looked up all the same, under a name that is free.
            user = session.identities.user(name if ACCOUNT_NAME.fullmatch(name) else "")
        if user is None and not self._directories.any:
            locked_until = self._failures.strangers.locked_until(folded(name))
        else:  # whom a directory knows is found first
            locked_until = user.locked_until or 0 if user else 0
        if now < locked_until:
            raise self._failures.locked(name, origin, now)
        if not 0 < len(password) <= self._policy.max_password or not is_unicode(password):
            password = ""  # hashed all the same, and never right: no stored hash is of ""
        phc = user.password_hash if user else None
        correct = self._hasher.verify(phc or decoy, normalised(password))
        if user is None or user.directory is not None:
            return self._elsewhere(user, typed, password, origin, now)
        if phc is None or not correct or user.disabled:
            raise self._failures.failed(
                user, name, origin, now, away=self._directories.pretend(typed)
            )
        rehash = self._hasher.hash(normalised(password)) if self._hasher.outdated(phc) else phc
        return CheckedPassword(user.name, phc, rehash)

    def _elsewhere(
        self, user: User | None, typed: str, password: str, origin: str, now: int
    ) -> CheckedPassword:
        """Check a password that is not kept here; where no directory is set up, all are wrong."""
        who = self._directories.look(typed, user)
        account = who.account
        locked_until = (
            account.locked_until if account else self._failures.strangers.locked_until(who.login)
        )
        if now < (locked_until or 0):
            raise self._failures.locked(typed, origin, now)
        if not self._directories.proves(who, password) or (account and account.disabled):
            raise self._failures.failed(account, who.login, origin, now, away=who.away)
        return CheckedPassword(self._directories.admit(who, origin), None, None)

    def token(self, token: str, origin: str) -> Principal:
        """Check a bearer token."""
        known = self.known_token(token, origin)
        return known or self._look_up(token, origin)

    def known_token(self, token: str, origin: str) -> Principal | None:
        """Return the principal of a token seen moments ago: a hash, a look-up, no I/O."""
        return self.known_digest(sha256_of(token), origin)

    def known_digest(self, digest: bytes, origin: str) -> Principal | None:
        """The same by the SHA-256 of the token."""
        known = self._cache.get(digest, self._clock.ms())
        if known is None or known.origin == origin:
            return known
        return replace(known, origin=origin)

    def certificate(self, sha256: str, origin: str) -> Principal:
        """Accept a client certificate whose chain the TLS layer has verified.

        The account is bound to the hash of the very certificate (hex SHA-256
        of its DER); names in it count for nothing.  One of our own that was
        revoked or held is refused, whatever the TLS layer thought of it.
        """
        now = self._clock.s()
        with self._store.read() as session:
            bound = session.identities.client_certificate(sha256)
            user = session.identities.user(bound.user) if bound else None
            ours = session.certificates.by_hash(sha256)
            standing = ours is None or ours.status is CertificateStatus.VALID
            good = standing and user and not user.disabled
        if good and bound and user and now <= bound.not_after:
            return self._principal(user, AuthMethod.CERTIFICATE, origin)
        self._failures.tell("certificate", origin, bound.user if bound else "unknown", now)
        raise NotAuthenticated(
            "this client certificate opens no account",
            field="certificate",
            rule="certificate.bound",
            remedy="ask an administrator to bind it to your account",
        )

    def _look_up(self, token: str, origin: str) -> Principal:
        generation = self._cache.generation
        hashed = sha256_of(token)
        now_ms = self._clock.ms()
        now = now_ms // 1000
        with self._store.read() as session:
            found = session.identities.token(hashed.hex())
            user = session.identities.user(found.user) if found else None
            good = (
                found is not None
                and user is not None
                and token.startswith(TOKEN_PREFIX)
                and not (found.revoked or user.disabled or found.expires_at <= now)
            )
            if good:
                assert found is not None
                assert user is not None
                principal = principal_of(session, user, AuthMethod.TOKEN, origin, found.scopes)
        if not good:
            self._failures.tell("token", origin, found.user if found else "unknown", now)
            raise NotAuthenticated(
                "the token is unknown, expired or revoked",
                field="authorization",
                rule="token",
                remedy="make a new one: chancery token create",
            )
        assert found is not None
        assert user is not None
        principal = self._principal(user, AuthMethod.TOKEN, origin, found.scopes)
        self._cache.put(hashed, principal, now_ms, found.expires_at * 1000, generation)
        if found.last_used_at is None or now - found.last_used_at >= _LAST_USE_EVERY_S:
            token_id = found.id
            # Not waited for: when it was last used is information, not a control.
            self._store.submit(lambda s: s.identities.touch_token(token_id, now))
        return principal

    def _principal(
        self,
        user: User,
        method: AuthMethod,
        origin: str,
        scopes: frozenset[Permission] | None = None,
    ) -> Principal:
        """Build the principal of an account, as whoever vouches for it has it now."""
        try:
            away = self._standing.current(user)
        except NotAuthenticated:
            self._failures.tell(method.value, origin, user.name, self._clock.s())
            raise
        with self._store.read() as session:
            current = session.identities.user(user.name) or user
            return principal_of(session, current, method, origin, scopes, away=away)

    def standing(self, *names: str) -> str:
        """As ``StandingCheck.current``, for everybody in a session."""
        with self._store.read() as session:
            users = [user for name in names if (user := session.identities.user(name))]
        return next(filter(None, map(self._standing.current, users)), "")

    def _decoy_hash(self) -> str:
        # Made in the first login of any kind, so that no name ever waits for it alone.
        if self._decoy is None:
            self._decoy = self._hasher.hash(self._decoy_password)
        return self._decoy

    def confirm(self, session: Session, checked: CheckedPassword) -> User:
        """Return the account as it is now; raise if it may not sign in any more."""
        user = session.identities.user(checked.name)
        # Read again: a lock, a disabling or a new password may have come in meanwhile.
        if user is None or user.disabled or user.password_hash != checked.phc:
            raise wrong_password()
        if self._clock.s() < (user.locked_until or 0):
            raise locked_out()
        if user.directory is None and checked.rehash != checked.phc:
            user = replace(user, password_hash=checked.rehash)
            session.identities.update_user(user)
        return user

    def _succeeded(
        self, session: Session, checked: CheckedPassword, origin: str, code: str
    ) -> Principal | None:
        user = self.confirm(session, checked)
        second = factors_of(session, user.name).any
        if second and not code:
            raise code_missing()
        if second and not self._factors.code(session, user.name, code):
            self._failures.count(session, user.name, "password", origin, rule="totp.code")
            return None  # not raised: the failure stays on record
        user = forgive(session, user)
        if user.must_change_password or (self._policy.second_factor_required and not second):
            principal = restricted(user, AuthMethod.PASSWORD, origin, fresh=True)
        else:
            principal = principal_of(session, user, AuthMethod.PASSWORD, origin, fresh=True)
        event = AuditEvent("login.succeeded", user.name, "password", origin, user.name)
        session.audit.append([event], self._clock.ms())
        return principal


def forgive(session: Session, user: User) -> User:
    """Forget the failures of somebody who has signed in."""
    if user.failed_logins or user.locked_until:
        user = replace(user, failed_logins=0, locked_until=None)
        session.identities.update_user(user)
    return user
