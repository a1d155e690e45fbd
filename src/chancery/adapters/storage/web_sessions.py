"""Sessions of browsers, found by the hash of their cookie."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update

from chancery.adapters.storage import documents, schema_sign_in
from chancery.adapters.storage.link import Link, Record
from chancery.domain.errors import WrongState
from chancery.domain.web_session import Proof, SessionState, WebSession

_T: Final = schema_sign_in.web_session


class SqlWebSessions:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, session: WebSession) -> None:
        self._link.run(insert(_T), _values(session))

    def by_cookie(self, sha256: str) -> WebSession | None:
        row = self._link.first(select(_T).where(_T.c.sha256 == sha256))
        return _session(row) if row is not None else None

    def get(self, session_id: str) -> WebSession | None:
        row = self._link.first(select(_T).where(_T.c.id == session_id))
        return _session(row) if row is not None else None

    def of(self, user: str) -> list[WebSession]:
        concerned = or_(_T.c.user_name == user, _T.c.partner == user, _T.c.joining == user)
        rows = self._link.rows(select(_T).where(concerned).order_by(_T.c.id.desc()))
        return [_session(row) for row in rows]

    def recent(self, before: str | None, limit: int) -> list[WebSession]:
        statement = select(_T).order_by(_T.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(_T.c.id < before)
        return [_session(row) for row in self._link.rows(statement)]

    def replace(self, session: WebSession, expected_sha256: str) -> None:
        same = (_T.c.id == session.id, _T.c.sha256 == expected_sha256)
        if not self._link.run(update(_T).where(*same), _values(session)).rowcount:
            raise WrongState("the session went on meanwhile, or has ended", rule="session.current")

    def touch(self, session_id: str, now: int) -> None:
        newer = (_T.c.id == session_id, _T.c.seen_at < now)
        self._link.run(update(_T).where(*newer).values(seen_at=now))

    def end(self, session_ids: Sequence[str]) -> None:
        if session_ids:
            self._link.run(delete(_T).where(_T.c.id.in_(session_ids)))

    def expired(self, now: int, idle_since: int, limit: int) -> list[str]:
        over = or_(_T.c.ends_at <= now, _T.c.seen_at < idle_since)
        return [row.id for row in self._link.rows(select(_T.c.id).where(over).limit(limit))]


def _values(session: WebSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "sha256": session.sha256,
        "user_name": session.user,
        "state": session.state.value,
        "methods": documents.encode(session.methods),
        "csrf": session.csrf,
        "origin": session.origin,
        "agent": session.agent,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "ends_at": session.ends_at,
        "proven_at": session.proven_at,
        "partner": session.partner or None,
        "partner_methods": documents.encode(session.partner_methods),
        "partner_proven_at": session.partner_proven_at,
        "joining": session.joining or None,
        "challenge": session.challenge,
        "challenge_until": session.challenge_until,
    }


def _session(row: Record) -> WebSession:
    return WebSession(
        id=row.id,
        sha256=row.sha256,
        user=row.user_name,
        state=SessionState(row.state),
        methods=documents.decode(tuple[Proof, ...], row.methods),
        csrf=row.csrf,
        origin=row.origin,
        agent=row.agent,
        created_at=row.created_at,
        seen_at=row.seen_at,
        ends_at=row.ends_at,
        proven_at=row.proven_at,
        partner=row.partner or "",
        partner_methods=documents.decode(tuple[Proof, ...], row.partner_methods),
        partner_proven_at=row.partner_proven_at,
        joining=row.joining or "",
        challenge=row.challenge,
        challenge_until=row.challenge_until,
    )
