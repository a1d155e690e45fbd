"""Signing in with a browser: a server-side session behind a cookie.

A session belongs to one person, or to two who signed in together (``partner``).
Only the SHA-256 of its cookie is on record.  Each step of signing in answers
with ``Opened``: set its cookie in place of the former one (``COOKIE``; Secure,
HttpOnly, SameSite=Lax, Path=/, no Domain, no Max-Age).

The way of a sign-in, by ``session.state``::

    begin ─▶ NEEDS_FACTOR ─▶ MUST_CHANGE_PASSWORD ─▶ MUST_ENROL_FACTOR ─▶ OPEN

where each stage but the last is skipped when it is not called for.
"""

from dataclasses import dataclass
from typing import Final

from chancery.domain.audit import AuditEvent
from chancery.domain.identity import AuthMethod, Principal, User, anonymous
from chancery.domain.web_session import Proof, SessionState, WebSession
from chancery.ports import Session
from chancery.services.identity.authentication import Authentication, forgive
from chancery.services.identity.principals import groups_of, principal_of, restricted
from chancery.services.identity.session_records import Opened, SessionDesk

COOKIE: Final = "__Host-chancery"
_TOUCH_S: Final = 60  # how old the time a session was last seen may be

__all__ = ["COOKIE", "Opened", "Resumed", "SessionService"]


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


class SessionService:
    """One per process.  Synchronous, safe for concurrent use."""

    def __init__(self, desk: SessionDesk, proof: Authentication) -> None:
        self._desk = desk
        self._proof = proof

    def begin(self, name: str, password: str, origin: str, agent: str = "") -> Opened:
        """Sign in by password; NotAuthenticated, LockedOut or Unavailable as the password is.

        What comes next stands in ``session.state``.
        """
        checked = self._proof.check(name, password, origin)

        def unit(session: Session) -> Opened:
            user = self._proof.confirm(session, checked)
            return self._admit(session, user, Proof.PASSWORD, origin, agent)

        return self._desk.store.write(unit)

    def resume(self, cookie: str, origin: str) -> Resumed | None:
        """Say who *cookie* stands for now; None if for nobody (any more).

        Reads the record each time: a role that was withdrawn, an account that
        was disabled, counts from the next request on.
        """
        now = self._desk.clock.s()
        with self._desk.store.read() as session:
            web = self._desk.find(session, cookie)
            user = session.identities.user(web.user) if web else None
            if web is None or user is None or user.disabled:
                return None
            partner = session.identities.user(web.partner) if web.partner else None
            if web.partner and (partner is None or partner.disabled):
                return None
            resumed = self._resumed(session, web, user, partner, origin)
        if now - web.seen_at >= min(_TOUCH_S, self._desk.policy.session_idle_s // 4):
            session_id = web.id
            # Not waited for: the request itself does not depend on it.
            self._desk.store.submit(lambda s: s.web_sessions.touch(session_id, now))
        return resumed

    def end(self, cookie: str, origin: str = "") -> None:
        """Sign out: nothing if the session is over already.  Either half ends a joint session."""

        def unit(session: Session) -> None:
            web = self._desk.find(session, cookie)
            if web is not None:
                self._desk.end(session, [web], web.user, origin)

        self._desk.store.write(unit)

    def step_up_password(self, cookie: str, password: str, origin: str, name: str = "") -> Opened:
        """Prove again who you are; *name*: which of the two in a joint session."""

        with self._desk.store.read() as session:
            who = name or self._desk.of(session, cookie).user
        checked = self._proof.check(who, password, origin)

        def unit(session: Session) -> Opened:
            web = self._desk.of(session, cookie)
            forgive(session, self._proof.confirm(session, checked))
            field = "partner_proven_at" if who == web.partner else "proven_at"
            return self._desk.move(session, web, **{field: self._desk.clock.s()})

        return self._desk.store.write(unit)

    def _admit(self, session: Session, user: User, proof: Proof, origin: str, agent: str) -> Opened:
        forgive(session, user)
        opened = self._desk.begin(session, user, SessionState.OPEN, (proof,), origin, agent)
        event = AuditEvent(
            "login.succeeded",
            user.name,
            AuthMethod.SESSION.value,
            origin,
            user.name,
            details={"session": opened.session.id, "shown": [proof.value]},
        )
        session.audit.append([event], self._desk.clock.ms())
        return opened

    def _resumed(
        self, session: Session, web: WebSession, user: User, partner: User | None, origin: str
    ) -> Resumed:
        if web.state is SessionState.NEEDS_FACTOR:
            return Resumed(anonymous(origin), web)
        if not web.open:
            return Resumed(restricted(user, AuthMethod.SESSION, origin), web)
        principal = principal_of(session, user, AuthMethod.SESSION, origin, partner=partner)
        waiting = sorted(g.name for g in groups_of(session, user) if g.name not in principal.groups)
        since = self._desk.clock.s() - self._desk.policy.step_up_s
        return Resumed(principal, web, tuple(waiting), fresh=not web.unproven(since))
