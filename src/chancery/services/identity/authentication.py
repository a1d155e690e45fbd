"""How an account proves who it is: password, token, TLS client certificate.

Nothing here says whether a name exists: a wrong name and a wrong password
take the same time, get the same words, and are locked out alike.
"""

import hashlib
from dataclasses import dataclass, replace

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import LockedOut, NotAuthenticated
from chancery.domain.identity import AuthMethod, Principal, User
from chancery.ports import Clock, PasswordHasher, Session, Store
from chancery.services.identity.factor_checks import FactorCheck, factors_of
from chancery.services.identity.failures import Coalescer, Strangers, count_failure
from chancery.services.identity.policy import ACCOUNT_NAME, IdentityPolicy, is_unicode, normalised
from chancery.services.identity.principals import principal_of, restricted
from chancery.services.identity.token_cache import TokenCache

TOKEN_PREFIX = "chy_"  # noqa: S105 - lets secret scanners recognise a leaked token
_LAST_USE_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A password that was right a moment ago; *rehash* is its hash by today's parameters."""

    name: str
    phc: str
    rehash: str


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
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._decoy_password = decoy
        self._decoy: str | None = None
        self._policy = policy
        self._cache = cache
        self._factors = factors
        self._strangers = Strangers(policy)
        self._quiet = Coalescer()

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
        name = name[:64]
        decoy = self._decoy_hash()
        now = self._clock.s()
        with self._store.read() as session:
            # What no account can be called is looked up all the same, under a name that is free.
            user = session.identities.user(name if ACCOUNT_NAME.fullmatch(name) else "")
        if now < ((user.locked_until or 0) if user else self._strangers.locked_until(name)):
            raise self._locked(name, origin, now)
        if not 0 < len(password) <= self._policy.max_password or not is_unicode(password):
            password = ""  # hashed all the same, and never right: no stored hash is of ""
        phc = user.password_hash if user else None
        correct = self._hasher.verify(phc or decoy, normalised(password))
        if user is None or phc is None or not correct or user.disabled:
            raise self._failed(user, name, origin, now)
        rehash = self._hasher.hash(normalised(password)) if self._hasher.outdated(phc) else phc
        return CheckedPassword(user.name, phc, rehash)

    def token(self, token: str, origin: str) -> Principal:
        """Check a bearer token."""
        known = self.known_token(token, origin)
        return known or self._look_up(token, origin)

    def known_token(self, token: str, origin: str) -> Principal | None:
        """Return the principal of a token seen moments ago: a hash, a look-up, no I/O."""
        known = self._cache.get(_digest(token), self._clock.ms())
        if known is None or known.origin == origin:
            return known
        return Principal(
            known.name, known.roles, known.groups, known.permissions, known.method, origin
        )

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
            if bound and user and standing and now <= bound.not_after and not user.disabled:
                return principal_of(session, user, AuthMethod.CERTIFICATE, origin)
        self._tell("certificate", origin, bound.user if bound else "unknown", now)
        raise NotAuthenticated(
            "this client certificate opens no account",
            field="certificate",
            rule="certificate.bound",
            remedy="ask an administrator to bind it to your account",
        )

    def _look_up(self, token: str, origin: str) -> Principal:
        generation = self._cache.generation
        digest = _digest(token)
        now_ms = self._clock.ms()
        now = now_ms // 1000
        with self._store.read() as session:
            found = session.identities.token(digest.hex())
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
            self._tell("token", origin, found.user if found else "unknown", now)
            raise NotAuthenticated(
                "the token is unknown, expired or revoked",
                field="authorization",
                rule="token",
                remedy="make a new one: chancery token create",
            )
        assert found is not None
        self._cache.put(digest, principal, now_ms, found.expires_at * 1000, generation)
        if found.last_used_at is None or now - found.last_used_at >= _LAST_USE_EVERY_S:
            token_id = found.id
            # Not waited for: when it was last used is information, not a control.
            self._store.submit(lambda s: s.identities.touch_token(token_id, now))
        return principal

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
            raise _wrong()
        if self._clock.s() < (user.locked_until or 0):
            raise locked_out()
        if checked.rehash != checked.phc:
            user = replace(user, password_hash=checked.rehash)
            session.identities.update_user(user)
        return user

    def _succeeded(
        self, session: Session, checked: CheckedPassword, origin: str, code: str
    ) -> Principal | None:
        user = self.confirm(session, checked)
        second = factors_of(session, user.name).any
        if second and not code:
            raise _code_missing()
        if second and not self._factors.code(session, user.name, code):
            self.count(session, user.name, "password", origin, rule="totp.code")
            return None  # not raised: the failure stays on record
        user = forgive(session, user)
        if user.must_change_password or (self._policy.second_factor_required and not second):
            principal = restricted(user, AuthMethod.PASSWORD, origin, fresh=True)
        else:
            principal = principal_of(session, user, AuthMethod.PASSWORD, origin, fresh=True)
        event = AuditEvent("login.succeeded", user.name, "password", origin, user.name)
        session.audit.append([event], self._clock.ms())
        return principal

    def _failed(self, user: User | None, name: str, origin: str, now: int) -> NotAuthenticated:
        # Both ways end in one durable commit: a name must not show in the time either.
        if user is None:
            self._strangers.failed(name, now)
            self._store.write(lambda s: self._record(s, "unknown", "password", origin, 1, name))
        else:
            self._store.write(lambda s: self.count(s, user.name, "password", origin))
        return _wrong()

    def count(
        self, session: Session, name: str, method: str, origin: str, *, rule: str = ""
    ) -> None:
        """Put one more failure of an account on record; lock it if that was one too many."""
        user = session.identities.user(name)
        if user is None:
            return
        now = self._clock.s()
        counted = count_failure(self._policy, user, now)
        session.identities.update_user(counted)
        details: dict[str, object] = {"failures": counted.failed_logins}
        if rule:
            details["rule"] = rule
        events = [AuditEvent("login.failed", name, method, origin, name, Outcome.FAILURE, details)]
        if counted.locked_until is not None and counted.locked_until > now:
            until = {"until": counted.locked_until}
            events.append(AuditEvent("account.locked", name, method, origin, name, details=until))
        session.audit.append(events, self._clock.ms())

    def _locked(self, name: str, origin: str, now: int) -> LockedOut:
        self._tell("password", origin, "locked", now, name)
        return locked_out()

    def _tell(self, method: str, origin: str, who: str, now: int, name: str = "") -> None:
        """Audit a failure that costs the attacker nothing: once a minute, with a count."""
        if report := self._quiet.count(f"{method}|{origin}|{who}|{name}", now):
            self._store.write(lambda s: self._record(s, who, method, origin, report, name))

    def _record(
        self, session: Session, who: str, method: str, origin: str, attempts: int, name: str
    ) -> None:
        details: dict[str, object] = {"attempts": attempts}
        if name:  # as a hash: people type their password where the name belongs
            details["name_sha256"] = _digest(name).hex()
        event = AuditEvent("login.failed", who, method, origin, who, Outcome.FAILURE, details)
        session.audit.append([event], self._clock.ms())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _wrong() -> NotAuthenticated:
    return NotAuthenticated(
        "the name or the password is wrong", field="authorization", rule="password"
    )


def _code_missing() -> NotAuthenticated:
    return NotAuthenticated(
        "this account has a second factor: the password alone is not enough",
        field="code",
        rule="second-factor",
        remedy="send a code of your app along (--code-file), or use an API token",
    )


def forgive(session: Session, user: User) -> User:
    """Forget the failures of somebody who has signed in."""
    if user.failed_logins or user.locked_until:
        user = replace(user, failed_logins=0, locked_until=None)
        session.identities.update_user(user)
    return user


def locked_out() -> LockedOut:
    """The answer to whoever has failed too often."""
    return LockedOut(
        "too many failures: this name waits before it may try again",
        field="authorization",
        rule="FIA_AFL.1",
        remedy="wait, or ask an administrator to unlock the account",
    )
