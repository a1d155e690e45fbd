"""Sessions as records: found by their cookie, begun, moved on to a new cookie, ended."""

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.errors import NotAuthenticated
from chancery.domain.identity import AuthMethod, Principal, User
from chancery.domain.ids import new_id
from chancery.domain.web_session import Proof, SessionState, WebSession
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.audit import event
from chancery.services.identity.policy import IdentityPolicy

_MAX_AGENT: Final = 200
_COOKIE_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """A session under a new cookie, which takes the place of any former one."""

    cookie: str
    session: WebSession


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """Reads and writes sessions inside units of work.  Held by each part of the service."""

    store: Store
    clock: Clock
    entropy: Entropy
    policy: IdentityPolicy

    def find(self, session: Session, cookie: str) -> WebSession | None:
        """Return the session of *cookie* while it lasts."""
        found = session.web_sessions.by_cookie(digest(cookie))
        return found if found is not None and self.alive(found) else None

    def of(self, session: Session, cookie: str) -> WebSession:
        """Return the session of *cookie*; NotAuthenticated if there is none any more."""
        found = self.find(session, cookie)
        if found is None:
            raise NotAuthenticated(
                "you are not signed in, or no longer",
                field="session",
                rule="session",
                remedy="sign in again",
            )
        return found

    def alive(self, web: WebSession) -> bool:
        now = self.clock.s()
        return now < web.ends_at and now - web.seen_at <= self.policy.session_idle_s

    def begin(
        self,
        session: Session,
        user: User,
        state: SessionState,
        methods: tuple[Proof, ...],
        origin: str,
        agent: str,
    ) -> Opened:
        """Put a new session on record; the account's oldest end where it has too many."""
        now = self.clock.s()
        mine = [web for web in session.web_sessions.of(user.name) if web.user == user.name]
        over = [web.id for web in mine if not self.alive(web)]
        over += [web.id for web in mine[self.policy.max_sessions - 1 :]]
        session.web_sessions.end(over)
        cookie = self._cookie()
        web = WebSession(
            id=new_id(self.clock.ms(), self.entropy(10)),
            sha256=digest(cookie),
            user=user.name,
            state=state,
            methods=methods,
            csrf=self.secret(),
            origin=origin,
            agent="".join(filter(str.isprintable, agent))[:_MAX_AGENT],
            created_at=now,
            seen_at=now,
            ends_at=self._end(state, now),
            proven_at=now,
        )
        session.web_sessions.add(web)
        return Opened(cookie, web)

    def move(self, session: Session, web: WebSession, **changes: Any) -> Opened:
        """Write *changes* under a new cookie: the former one is worth nothing from now on."""
        cookie = self._cookie()
        changed = replace(web, sha256=digest(cookie), seen_at=self.clock.s(), **changes)
        if changed.state is not web.state:
            changed = replace(
                changed,
                csrf=self.secret(),
                ends_at=self._end(changed.state, web.created_at),
            )
        session.web_sessions.replace(changed, web.sha256)
        return Opened(cookie, changed)

    def keep(self, session: Session, web: WebSession, **changes: Any) -> WebSession:
        """Write *changes* under the cookie it has."""
        changed = replace(web, **changes)
        session.web_sessions.replace(changed, web.sha256)
        return changed

    def end(self, session: Session, web: WebSession, origin: str) -> None:
        """Remove a session whose own people end it."""
        session.web_sessions.end([web.id])
        kind = AuthMethod.SESSION.value
        ended = AuditEvent(
            "session.ended", web.user, kind, origin, web.user, details=described(web)
        )
        session.audit.append([ended], self.clock.ms())

    def secret(self) -> str:
        """A new secret for a session's forms."""
        return self.entropy(_COOKIE_OCTETS).hex()

    def _end(self, state: SessionState, since: int) -> int:
        """An unfinished sign-in is given minutes, a finished one hours."""
        span = self.policy.session_absolute_s
        if state is not SessionState.OPEN:
            span = min(span, self.policy.half_open_s)
        return since + span

    def _cookie(self) -> str:
        return base64.urlsafe_b64encode(self.entropy(_COOKIE_OCTETS)).decode().rstrip("=")


def digest(cookie: str) -> str:
    """What is kept of a cookie: hex SHA-256."""
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def expel(
    session: Session, name: str, principal: Principal, now_ms: int, *, keep: str = ""
) -> None:
    """End every session that *name* is signed in to, but the one with id *keep*.

    One in which *name* only was about to join goes on without.
    """
    ended = []
    for web in session.web_sessions.of(name):
        if name in web.people and web.id != keep:
            ended.append(web)
        elif web.joining == name:
            session.web_sessions.replace(
                replace(web, joining="", challenge="", challenge_until=0), web.sha256
            )
    session.web_sessions.end([web.id for web in ended])
    events = [
        event(principal, "session.ended", web.user, Outcome.SUCCESS, **described(web))
        for web in ended
    ]
    session.audit.append(events, now_ms)


def described(web: WebSession) -> dict[str, Any]:
    """A session in the details of an audit event."""
    return {"session": web.id} | ({"partner": web.partner} if web.partner else {})
