"""Certificate requests, approvals and notes."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, insert, select, update

from chancery.adapters.storage import names_text, schema
from chancery.adapters.storage.link import Grouped, Link, Record, insert_sql
from chancery.adapters.storage.search import count, matches, page_of_ids, records
from chancery.domain.errors import NotFound, WrongState
from chancery.domain.request import (
    Approval,
    CertificateRequest,
    Note,
    RequestKind,
    RequestState,
    ToBeSigned,
)
from chancery.domain.validity import LeafAfterIssuer, ValidityRule
from chancery.ports import Page, RequestFilter

_T: Final = schema.request
_X: Final = schema.request_content
_REQUEST: Final[Select[Any]] = select(
    *_T.columns, *(column for column in _X.columns if column.name != "request_id")
).join_from(_T, _X)
_ISSUED: Final = Grouped(
    "UPDATE request SET state = 'issued', certificate_id = made.column1 FROM (VALUES",
    "(?, ?)",
    ") AS made WHERE id = made.column2 AND state = 'approved'",
)
# CPython finds an enum member by value far slower than a dict does, and lists are long.
_STATES: Final = {state.value: state for state in RequestState}
_KINDS: Final = {kind.value: kind for kind in RequestKind}
_AFTER: Final = {rule.value: rule for rule in LeafAfterIssuer}


def _values(r: CertificateRequest) -> tuple[Any, ...]:
    """One row of ``request``, in the order of the schema.

    Enums go in as plain text: the drivers are slow with, or refuse, subclasses of str.
    """
    rule = r.tbs.validity
    return (
        r.id, r.state._value_, r.kind._value_, r.ra, r.authority, r.profile, r.profile_sha256,
        r.requester, r.subject, names_text.encode(r.names), r.key_sha256, r.key_algorithm,
        r.serial, rule.lasting_s, rule.backdate_s, rule.latest, rule.after_issuer._value_,
        r.content_sha256, r.server_key_id, r.approvals_needed, r.created_at, r.expires_at,
        r.code_sha256, r.decided_at, r.decision_reason, r.certificate_id, r.renews, r.failure,
    )  # fmt: skip


def _content(r: CertificateRequest) -> tuple[Any, ...]:
    """One row of ``request_content``, in the order of the schema."""
    return r.id, r.tbs.before, r.tbs.after, r.csr, r.submission


def _request(row: Record) -> CertificateRequest:
    (
        id_, state, kind, ra, authority, profile, profile_sha256, requester, subject, names,
        key_sha256, key_algorithm, serial, lasting_s, backdate_s, latest, after_issuer,
        content_sha256, server_key_id, approvals_needed, created_at, expires_at, code_sha256,
        decided_at, decision_reason, certificate_id, renews, failure,
        before, after, csr, submission,
    ) = row  # fmt: skip
    rule = ValidityRule(lasting_s, backdate_s, latest, _AFTER[after_issuer])
    return CertificateRequest(
        id_, _STATES[state], _KINDS[kind], ra, authority, profile, profile_sha256, requester,
        subject, names_text.decode(names), key_sha256, key_algorithm, serial,
        ToBeSigned(before, after, rule), content_sha256, csr, server_key_id, approvals_needed,
        submission, created_at, expires_at, code_sha256, decided_at, decision_reason,
        certificate_id, renews, failure,
    )  # fmt: skip


class SqlRequests:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, requests: Sequence[CertificateRequest]) -> None:
        self._link.many(insert_sql(_T), [_values(request) for request in requests])
        self._link.many(insert_sql(_X), [_content(request) for request in requests])

    def get(self, request_id: str) -> CertificateRequest | None:
        row = self._link.first(_REQUEST.where(_T.c.id == request_id))
        return _request(row) if row is not None else None

    def find(self, where: RequestFilter, page: Page) -> list[CertificateRequest]:
        ids = page_of_ids(_T, conditions(where), page)
        return [_request(row) for row in self._link.rows(records(_REQUEST, _T, ids))]

    def count(self, where: RequestFilter, most: int) -> int:
        return count(self._link, select(_T.c.id).where(*conditions(where)), most)

    def replace(self, request: CertificateRequest) -> None:
        for table, key, values in (
            (_T, _T.c.id, _values(request)),
            (_X, _X.c.request_id, _content(request)),
        ):
            named = dict(zip(table.columns.keys(), values, strict=True))
            if not self._link.run(update(table).where(key == request.id), named).rowcount:
                raise _missing(request.id)

    def set_state(
        self,
        request_id: str,
        expected: RequestState,
        state: RequestState,
        *,
        decided_at: int | None = None,
        reason: str | None = None,
        failure: str | None = None,
    ) -> None:
        given = {"decided_at": decided_at, "decision_reason": reason, "failure": failure}
        changes = {name: value for name, value in given.items() if value is not None}
        statement = (
            update(_T)
            .where(_T.c.id == request_id, _T.c.state == expected.value)
            .values(state=state.value, **changes)
        )
        if not self._link.run(statement).rowcount:
            raise self._not_in(request_id, expected)

    def issued(self, pairs: Sequence[tuple[str, str]]) -> None:
        rows = [(certificate_id, request_id) for request_id, certificate_id in pairs]
        if self._link.many(_ISSUED, rows) != len(rows):
            raise WrongState("a request was not approved when its certificate was recorded")

    def delete(self, request_id: str) -> None:
        if not self._link.run(delete(_T).where(_T.c.id == request_id)).rowcount:
            raise _missing(request_id)

    def approvals(self, request_id: str) -> list[Approval]:
        table = schema.approval
        statement = (
            select(table)
            .where(table.c.request_id == request_id)
            .order_by(table.c.approved_at, table.c.approver)
        )
        return [
            Approval(
                row.request_id,
                row.approver,
                row.content_sha256,
                row.approved_at,
                row.partner or "",
            )
            for row in self._link.rows(statement)
        ]

    def add_approval(self, approval: Approval) -> None:
        self._link.run(
            insert(schema.approval).values(
                request_id=approval.request_id,
                approver=approval.approver,
                content_sha256=approval.content_sha256,
                approved_at=approval.approved_at,
                partner=approval.partner or None,
            )
        )

    def void_approvals(self, request_id: str) -> None:
        table = schema.approval
        self._link.run(delete(table).where(table.c.request_id == request_id))

    def notes(self, request_id: str) -> list[Note]:
        table = schema.request_note
        statement = (
            select(table.c.author, table.c.written_at, table.c.text)
            .where(table.c.request_id == request_id)
            .order_by(table.c.id)
        )
        return [Note(*row) for row in self._link.rows(statement)]

    def add_note(self, request_id: str, note: Note) -> None:
        self._link.run(
            insert(schema.request_note).values(
                request_id=request_id,
                author=note.author,
                written_at=note.written_at,
                text=note.text,
            )
        )

    def pending_with_key(self, key_sha256: str, profile: str) -> str | None:
        row = self._link.driver(
            "SELECT id FROM request WHERE state = 'pending' AND key_sha256 = ? AND profile = ?"
            " ORDER BY id LIMIT 1",
            (key_sha256, profile),
        ).first()
        return str(row[0]) if row is not None else None

    def count_pending(self, ra: str) -> int:
        row = self._link.driver(
            "SELECT count(*) FROM request WHERE state = 'pending' AND ra = ?", (ra,)
        ).one()
        return int(row[0])

    def expired(self, now: int, limit: int) -> list[str]:
        cursor = self._link.driver(
            "SELECT id FROM request WHERE state = 'pending' AND expires_at <= ?"
            " ORDER BY expires_at LIMIT ?",
            (now, limit),
        )
        return [row[0] for row in cursor]

    def _not_in(self, request_id: str, expected: RequestState) -> Exception:
        row = self._link.first(select(_T.c.state).where(_T.c.id == request_id))
        if row is None:
            return _missing(request_id)
        return WrongState(
            f"the request is {row.state}, not {expected.value}",
            field="state",
            rule="request.state",
            remedy="look at the request again before deciding",
        )


def conditions(where: RequestFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if where.state is not None:
        found.append(_T.c.state == where.state.value)
    found.extend(
        matches(_T.c[name], wanted)
        for name in ("ra", "profile", "requester", "subject", "authority")
        if (wanted := getattr(where, name)) is not None
    )
    return found


def _missing(request_id: str) -> NotFound:
    return NotFound(f"there is no request {request_id}", field="id")
