"""Signing in with a browser: a server-side session behind a cookie.

A session belongs to one person, or to two who signed in together (``partner``).
Only the SHA-256 of its cookie is on record.  Each step of signing in answers
with ``Opened``: set its cookie in place of the former one (``COOKIE``; Secure,
HttpOnly, SameSite=Lax, Path=/, no Domain, no Max-Age).

The way of a sign-in, by ``session.state``::

    begin ─▶ NEEDS_FACTOR ─▶ MUST_CHANGE_PASSWORD ─▶ MUST_ENROL_FACTOR ─▶ OPEN
             totp, passkey,   change_password         factors, then
             recovery                                 proceed

where each stage but the last is skipped when it is not called for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.errors import BadRequest, NotAuthenticated, NotFound, WrongState
from chancery.domain.identity import AuthMethod, Permission, Principal, User, anonymous
from chancery.domain.web_session import Proof, SessionState, WebSession
from chancery.ports import Page, Session
from chancery.services.access import demand
from chancery.services.identity.authentication import Authentication, forgive
from chancery.services.identity.changes import Ledger, refuse_vouched, user_of
from chancery.services.identity.factor_checks import FactorCheck
from chancery.services.identity.principals import groups_of, principal_of, restricted
from chancery.services.identity.session_base import next_state
from chancery.services.identity.session_records import Opened, SessionDesk, expel
from chancery.services.identity.step_up import StepUp, StepUpWays

COOKIE: Final = "__Host-chancery"
_TOUCH_S: Final = 60  # how old the time a session was last seen may be
_SWEEP: Final = 500

__all__ = ["COOKIE", "Opened", "Resumed", "SessionService", "StepUpWays"]


@dataclass(frozen=True, slots=True)
class Resumed:
    """Who a cookie stands for in this request.

    *principal* is anonymous while a second factor is owed, and may do nothing
    but set its own credentials right in the ``MUST_...`` states.  *waiting*
    names the groups that count only once a second member has signed in here.
    *fresh*: everybody in the session proved who they are within ``step_up_for``.
    """

    principal: Principal
    session: WebSession
    waiting: tuple[str, ...] = ()
    fresh: bool = False


class SessionService(StepUp):
    """One per process.  Synchronous, safe for concurrent use."""

    def __init__(
        self,
        desk: SessionDesk,
        proof: Authentication,
        check: FactorCheck,
        ledger: Ledger,
        new_hash: Callable[[str, str], str],
    ) -> None:
        """*new_hash* makes the hash of an account's new password, or says what is wrong with it."""
        super().__init__(desk, proof, check)
        self._ledger = ledger
        self._new_hash = new_hash

    def begin(self, name: str, password: str, origin: str, agent: str = "") -> Opened:
        """Sign in by password; NotAuthenticated, LockedOut or Unavailable as the password is.

        What comes next stands in ``session.state``.
        """
        checked = self._proof.check(name, password, origin)

        def unit(session: Session) -> Opened:
            user = self._proof.confirm(session, checked)
            return self._admit(session, user, Proof.PASSWORD, origin, agent)

        return self._desk.store.write(unit)

    def by_certificate(self, sha256: str, origin: str, agent: str = "") -> Opened:
        """Sign in by the TLS client certificate of this connection (hex SHA-256 of its DER)."""
        name = self._proof.certificate(sha256, origin).name
        return self._proven(name, Proof.CERTIFICATE, origin, agent)

    def by_provider(self, name: str, origin: str, agent: str = "") -> Opened:
        """Sign in who an OpenID provider vouches for: the door has checked its word."""
        return self._proven(name, Proof.PROVIDER, origin, agent)

    def resume(self, cookie: str, origin: str) -> Resumed | None:
        """Say who *cookie* stands for now; None if for nobody (any more).

        Reads the record each time: a role that was withdrawn, an account that
        was disabled, counts from the next request on.
        """
        now = self._desk.clock.s()
        try:
            away = self._away(cookie)
        except NotAuthenticated:  # nobody vouches for one of them any more
            return None
        with self._desk.store.read() as session:
            web = self._desk.find(session, cookie)
            user = session.identities.user(web.user) if web else None
            if web is None or user is None or user.disabled:
                return None
            partner = session.identities.user(web.partner) if web.partner else None
            if web.partner and (partner is None or partner.disabled):
                return None
            resumed = self._resumed(session, web, user, partner, origin, away)
        if now - web.seen_at >= min(_TOUCH_S, self._desk.policy.session_idle_s // 4):
            session_id = web.id
            # Not waited for: the request itself does not depend on it.
            self._desk.store.submit(lambda s: s.web_sessions.touch(session_id, now))
        return resumed

    def change_password(self, cookie: str, old: str, new: str, origin: str) -> Opened:
        """Set one's own password, by knowing the old one; one's other sessions end."""
        with self._desk.store.read() as session:
            web = self._desk.of(session, cookie)
        if web.state not in (SessionState.MUST_CHANGE_PASSWORD, SessionState.OPEN):
            raise WrongState("finish signing in first", field="session", rule="session.open")
        if old == new:
            raise BadRequest(
                "the new password is the old one", field="password", rule="password.same"
            )
        with self._desk.store.read() as session:
            refuse_vouched(user_of(session, web.user))
        try:
            checked = self._proof.check(web.user, old, origin)
        except NotAuthenticated as error:
            raise BadRequest(
                "the present password is wrong", field="current", rule="password.current"
            ) from error
        phc = self._new_hash(web.user, new)
        principal = Principal(
            web.user, frozenset(), frozenset(), frozenset(), AuthMethod.SESSION, origin
        )

        def work(session: Session) -> Opened:
            current = self._desk.of(session, cookie)
            user = replace(
                forgive(session, self._proof.confirm(session, checked)),
                password_hash=phc,
                must_change_password=False,
            )
            session.identities.update_user(user)
            expel(session, user.name, principal, self._desk.clock.ms(), keep=current.id)
            state = next_state(session, user, current.methods, self._desk.policy)
            return self._desk.move(session, current, state=state)

        return self._ledger.change(principal, "password.changed", web.user, work)

    def proceed(self, cookie: str) -> Opened:
        """Go on after enrolling the second factor that was required."""

        def unit(session: Session) -> Opened:
            web = self._desk.of(session, cookie)
            if web.state is not SessionState.MUST_ENROL_FACTOR:
                raise WrongState("nothing is to be enrolled", field="session", rule="session.state")
            user = user_of(session, web.user)
            state = next_state(session, user, web.methods, self._desk.policy)
            if state is SessionState.NEEDS_FACTOR:  # the new one was proven as it was enrolled
                state = SessionState.OPEN
            return self._desk.move(session, web, state=state)

        return self._desk.store.write(unit)

    def end(self, cookie: str, origin: str = "") -> None:
        """Sign out: nothing if the session is over already.  Either half ends a joint session."""

        def unit(session: Session) -> None:
            web = self._desk.find(session, cookie)
            if web is not None:
                self._desk.end(session, web, origin)

        self._desk.store.write(unit)

    def of(self, principal: Principal, name: str | None = None) -> list[WebSession]:
        """The live sessions of an account, newest first: one's own, or with IDENTITY_MANAGE."""
        name = self._whose(principal, name)
        with self._desk.store.read() as session:
            user_of(session, name)
            found = session.web_sessions.of(name)
        return [web for web in found if self._desk.alive(web)]

    def everybody(self, principal: Principal, page: Page) -> list[WebSession]:
        """Sessions of all accounts, newest first, those that are over among them for a while."""
        demand(principal, Permission.IDENTITY_MANAGE)
        with self._desk.store.read() as session:
            return session.web_sessions.recent(page.cursor, page.limit)

    def end_one(self, principal: Principal, session_id: str, name: str | None = None) -> None:
        """End a session of an account: one's own, or with IDENTITY_MANAGE."""
        name = self._whose(principal, name)

        def work(session: Session) -> None:
            web = session.web_sessions.get(session_id)
            if web is None or name not in web.people:
                raise NotFound("no such session", field="id", rule="session.known")
            session.web_sessions.end([session_id])

        self._ledger.change(principal, "session.ended", name, work, session=session_id)

    def end_all(self, principal: Principal, name: str | None = None, *, keep: str = "") -> None:
        """End every session of an account, but the one with id *keep*."""
        name = self._whose(principal, name)

        def work(session: Session) -> None:
            user_of(session, name)
            expel(session, name, principal, self._desk.clock.ms(), keep=keep)

        self._ledger.change(principal, "sessions.ended", name, work)

    def sweep(self) -> int:
        """Forget sessions that are over; return how many."""
        now = self._desk.clock.s()

        def unit(session: Session) -> int:
            idle_since = now - self._desk.policy.session_idle_s
            over = session.web_sessions.expired(now, idle_since, _SWEEP)
            session.web_sessions.end(over)
            return len(over)

        return self._desk.store.write(unit)

    def _whose(self, principal: Principal, name: str | None) -> str:
        demand(principal, Permission.AUTHENTICATED)
        if name is not None and name not in principal.people:
            demand(principal, Permission.IDENTITY_MANAGE)
        return name or principal.name

    def _proven(self, name: str, proof: Proof, origin: str, agent: str) -> Opened:
        def unit(session: Session) -> Opened:
            user = session.identities.user(name)
            if user is None or user.disabled:
                raise NotAuthenticated("this opens no account", field="name", rule=proof.value)
            return self._admit(session, user, proof, origin, agent)

        return self._desk.store.write(unit)

    def _admit(self, session: Session, user: User, proof: Proof, origin: str, agent: str) -> Opened:
        state = next_state(session, user, (proof,), self._desk.policy)
        opened = self._desk.begin(session, user, state, (proof,), origin, agent)
        if state is not SessionState.NEEDS_FACTOR:
            # Not before: a known password must not renew the guesses at the second factor.
            forgive(session, user)
            self._signed_in(session, opened.session, origin)
        return opened

    def _away(self, cookie: str) -> str:
        with self._desk.store.read() as session:
            web = self._desk.find(session, cookie)
        return self._proof.standing(*web.people) if web is not None else ""

    def _resumed(
        self,
        session: Session,
        web: WebSession,
        user: User,
        partner: User | None,
        origin: str,
        away: str,
    ) -> Resumed:
        if web.state is SessionState.NEEDS_FACTOR:
            return Resumed(anonymous(origin), web)
        fresh = not web.unproven(self._desk.clock.s() - self._desk.policy.step_up_s)
        if not web.open:
            return Resumed(
                restricted(user, AuthMethod.SESSION, origin, fresh=fresh), web, (), fresh
            )
        principal = principal_of(
            session, user, AuthMethod.SESSION, origin, partner=partner, fresh=fresh, away=away
        )
        waiting = sorted(g.name for g in groups_of(session, user) if g.name not in principal.groups)
        return Resumed(principal, web, tuple(waiting), fresh)
