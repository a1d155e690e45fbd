"""What strangers leave with us, and the requests that a code opens."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, insert, select, update

from chancery.adapters.storage import schema, schema_portal
from chancery.adapters.storage.link import Link, Record
from chancery.adapters.storage.revocations import REASONS
from chancery.domain.errors import AlreadyExists, WrongState
from chancery.domain.portal import (
    KeyPickup,
    RevocationChallenge,
    RevocationRequest,
    RevocationRequestState,
)

_C: Final = schema_portal.revocation_challenge
_R: Final = schema_portal.revocation_request
_K: Final = schema_portal.key_pickup
_PICKED_UP: Final = (
    "INSERT INTO key_pickup (request_id, first_at, fetches, destroyed) VALUES (?, ?, 1, false)"
    " ON CONFLICT (request_id) DO UPDATE SET fetches = key_pickup.fetches + 1"
)


def _wish(row: Record) -> RevocationRequest:
    fields = row._asdict()
    return RevocationRequest(
        **fields | {"reason": REASONS[row.reason], "state": RevocationRequestState(row.state)}
    )


class SqlPortal:
    def __init__(self, link: Link) -> None:
        self._link = link

    def requests_with_code(self, code_sha256: str, limit: int) -> list[str]:
        cursor = self._link.driver(
            "SELECT id FROM request WHERE code_sha256 = ? ORDER BY id LIMIT ?",
            (code_sha256, limit),
        )
        return [row[0] for row in cursor]

    def add_challenge(self, challenge: RevocationChallenge) -> None:
        values = {
            "text": challenge.text,
            "certificate_id": challenge.certificate_id,
            "reason": challenge.reason.value,
            "expires_at": challenge.expires_at,
        }
        self._link.run(insert(_C), values)

    def take_challenge(self, text: str) -> RevocationChallenge | None:
        row = self._link.first(delete(_C).where(_C.c.text == text).returning(*_C.columns))
        if row is None:
            return None
        return RevocationChallenge(
            row.text, row.certificate_id, REASONS[row.reason], row.expires_at
        )

    def drop_challenges(self, expired_at: int) -> None:
        self._link.run(delete(_C).where(_C.c.expires_at <= expired_at))

    def ask_revocation(self, wish: RevocationRequest) -> None:
        values = {column.name: getattr(wish, column.name) for column in _R.columns}
        values |= {"reason": wish.reason.value, "state": wish.state.value}
        try:
            self._link.run(insert(_R), values)
        except AlreadyExists:
            raise AlreadyExists(
                "somebody has asked to revoke this certificate already",
                field="id",
                rule="revocation-request.once",
                remedy="wait for the answer, or prove that you hold the key: that needs no answer",
            ) from None

    def revocation_request(self, wish_id: str) -> RevocationRequest | None:
        row = self._link.first(select(_R).where(_R.c.id == wish_id))
        return _wish(row) if row is not None else None

    def revocation_requests(
        self,
        state: RevocationRequestState | None,
        cursor: str | None,
        limit: int,
        *,
        ra: str | None = None,
    ) -> list[RevocationRequest]:
        statement = select(_R).order_by(_R.c.id.desc()).limit(limit)
        if state is not None:
            statement = statement.where(_R.c.state == state.value)
        if ra is not None:
            mine = select(schema.request.c.id).where(schema.request.c.ra == ra)
            statement = statement.where(_R.c.request_id.in_(mine))
        if cursor is not None:
            statement = statement.where(_R.c.id < cursor)
        return [_wish(row) for row in self._link.rows(statement)]

    def revocation_requests_of(self, request_id: str) -> list[RevocationRequest]:
        statement = select(_R).where(_R.c.request_id == request_id).order_by(_R.c.id.desc())
        return [_wish(row) for row in self._link.rows(statement)]

    def answer_revocation(
        self, wish_id: str, state: RevocationRequestState, *, by: str, at: int, answer: str
    ) -> None:
        statement = (
            update(_R)
            .where(_R.c.id == wish_id, _R.c.state == RevocationRequestState.OPEN.value)
            .values(state=state.value, decided_by=by, decided_at=at, answer=answer)
        )
        if not self._link.run(statement).rowcount:
            raise WrongState(
                "this wish to revoke is answered already",
                field="id",
                rule="revocation-request.open",
            )

    def pickup(self, request_id: str) -> KeyPickup | None:
        row = self._link.first(select(_K).where(_K.c.request_id == request_id))
        return KeyPickup(*row) if row is not None else None

    def picked_up(self, request_id: str, now: int) -> None:
        self._link.driver(_PICKED_UP, (request_id, now))

    def keys_to_destroy(self, first_before: int, limit: int) -> Sequence[tuple[str, str]]:
        statement = (
            select(_K.c.request_id, schema.request.c.server_key_id)
            .join_from(_K, schema.request)
            .where(_K.c.first_at <= first_before, _K.c.destroyed.is_(False))
            .order_by(_K.c.first_at)
            .limit(limit)
        )
        return [(row.request_id, row.server_key_id) for row in self._link.rows(statement)]

    def key_destroyed(self, request_id: str) -> None:
        self._link.run(update(_K).where(_K.c.request_id == request_id).values(destroyed=True))
