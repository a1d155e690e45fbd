"""Search: every condition finds exactly what it should, through an index, in stable pages."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Select, text
from sqlalchemy.dialects import postgresql, sqlite

from chancery.adapters.storage import SqlStore, certificate_search, requests, revocations, schema
from chancery.adapters.storage.search import _successor, page_of_ids
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import CertificateFilter, Page, RequestFilter, Session, Sorting
from services import records

EVERY_CERTIFICATE_FIELD = {
    "authority": "issuing", "serial": "a*", "subject": "CN=host-1*", "name": "host-2*",
    "key_sha256": "ab*", "profile": "tls-server", "requester": "rita", "request_id": "01*",
    "status": CertificateStatus.REVOKED, "expires_after": records.NOW + 10**9,
    "expires_before": records.NOW - 10**9,
}  # fmt: skip
EVERY_REQUEST_FIELD = {
    "state": RequestState.PENDING, "ra": "staff", "profile": "tls-server", "requester": "rita",
    "subject": "CN=host-1*", "authority": "issuing",
}  # fmt: skip


def fill(store: SqlStore, count: int) -> tuple[list[CertificateRequest], list[CertificateRecord]]:
    """Issue *count* certificates that differ in everything there is to search."""
    dice = random.Random(1)
    made = []
    for number in range(count):
        host = f"h{number % 7}.{dice.choice(['example.org', 'example.net'])}"
        request = records.request(
            state=RequestState.APPROVED,
            authority=dice.choice(["issuing", "backup"]),
            profile=dice.choice(["tls-server", "user"]),
            requester=dice.choice(["rita", "ralf", "Ralf"]),
            ra=dice.choice(["staff", "public"]),
            subject=dice.choice([f"CN={host}", f"CN=Zoë {number % 5},O=Ex%mple_", "CN=zz"]),
            names=(
                GeneralName(NameKind.DNS, host),
                GeneralName(NameKind.EMAIL, f"A{number}@x.org"),
            ),
        )
        made.append(request)
    certs = [
        records.certificate(r, not_after=records.NOW + 1000 * (n % 10)) for n, r in enumerate(made)
    ]
    intents = [records.intent(r) for r in made]

    def work(session: Session) -> None:
        session.requests.add(made)
        session.certificates.intend(intents)
        session.certificates.issue(certs, [i.id for i in intents])
        session.requests.issued([(r.id, c.id) for r, c in zip(made, certs, strict=True)])
        for number in range(0, count, 5):
            hold = number % 10 == 0
            session.certificates.set_status(
                certs[number].id,
                [CertificateStatus.VALID],
                CertificateStatus.HELD if hold else CertificateStatus.REVOKED,
                revoked_at=records.NOW,
                reason=RevocationReason(6 if hold else 1),
            )

    store.write(work)
    with store.read() as session:
        stored = list(session.certificates.iterate())
        return session.requests.find(RequestFilter(), Page(limit=count)), stored


def _text(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _meets(c: CertificateRecord, where: CertificateFilter) -> bool:
    """The contract in plain Python: what the database is held against."""
    plain = (
        "authority", "serial", "subject", "sha256", "key_sha256", "profile", "requester",
        "request_id",
    )  # fmt: skip
    named = where.name is None or any(
        _text(t.lower(), where.name.lower()) for n in c.names for t in (n.text, n.value)
    )
    return (
        all(getattr(where, f) is None or _text(getattr(c, f), getattr(where, f)) for f in plain)
        and named
        and (where.status is None or c.status is where.status)
        and (where.expires_after is None or c.not_after > where.expires_after)
        and (where.expires_before is None or c.not_after < where.expires_before)
    )


def test_certificates_are_found_by_what_they_are(store: SqlStore) -> None:
    _, certs = fill(store, 120)
    one = certs[17]
    filters = [
        CertificateFilter(),
        *(CertificateFilter(status=status) for status in CertificateStatus),
        *(CertificateFilter(authority=a) for a in ("issuing", "backup", "none", "back*", "*")),
        CertificateFilter(serial=one.serial), CertificateFilter(serial=one.serial[:1] + "*"),
        CertificateFilter(subject=one.subject), CertificateFilter(subject="CN=Zoë*"),
        CertificateFilter(subject="CN=h%*"), CertificateFilter(subject="cn=h*"),
        CertificateFilter(name="H3.example.org"), CertificateFilter(name="dns:h3.*"),
        CertificateFilter(name="email:a7@x.org"), CertificateFilter(name="a1*"),
        CertificateFilter(name="h3.example.org", authority="issuing", status=CertificateStatus.VALID),
        CertificateFilter(sha256=one.sha256), CertificateFilter(sha256=one.sha256[:3] + "*"),
        CertificateFilter(key_sha256=one.key_sha256), CertificateFilter(request_id=one.request_id),
        CertificateFilter(profile="user", requester="ralf"), CertificateFilter(requester="R*"),
        CertificateFilter(expires_after=records.NOW + 3000, expires_before=records.NOW + 6000),
        CertificateFilter(expires_before=records.NOW + 1, status=CertificateStatus.HELD),
    ]  # fmt: skip
    with store.read() as session:
        for where in filters:
            expected = sorted(
                (c for c in certs if _meets(c, where)), key=lambda c: c.id, reverse=True
            )
            assert session.certificates.find(where, Page(limit=500)) == expected, where


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every condition is met by many, so that none is answered by sorting."""
    monkeypatch.setattr(certificate_search, "FEW", 3)


BY_EXPIRY = [
    CertificateFilter(),
    CertificateFilter(expires_after=records.NOW + 3000),
    CertificateFilter(expires_before=records.NOW + 6000),
    CertificateFilter(expires_after=records.NOW + 1000, expires_before=records.NOW + 6000),
    CertificateFilter(expires_after=records.NOW, authority="backup"),
    CertificateFilter(expires_after=records.NOW, profile="none"),
    CertificateFilter(expires_after=records.NOW, requester="R*", status=CertificateStatus.VALID),
    CertificateFilter(expires_after=records.NOW, name="email:a1*"),
    CertificateFilter(expires_before=records.NOW + 8000, name="h3.*", subject="CN=Zoë*"),
    CertificateFilter(expires_before=records.NOW + 8000, status=CertificateStatus.REVOKED),
]


@pytest.mark.parametrize("many", [True, False])
def test_by_expiry_page_after_page(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    if many:
        monkeypatch.setattr(certificate_search, "FEW", 3)
    _, certs = fill(store, 120)
    for where in BY_EXPIRY:
        backwards = where.expires_after is None and where.expires_before is not None
        expected = sorted(
            (c for c in certs if _meets(c, where)),
            key=lambda c: (c.not_after, c.id),
            reverse=backwards,
        )
        seen: list[CertificateRecord] = []
        cursor = None
        while True:
            with store.read() as session:
                asked = replace(where, order=Sorting.EXPIRY)
                found = session.certificates.find(asked, Page(cursor, 7))
            if not found:
                break
            seen += found
            cursor = found[-1].id
        assert seen == expected, where


def test_many_are_found_like_few(store: SqlStore, few: None) -> None:
    _, certs = fill(store, 120)
    filters = [
        CertificateFilter(serial="a*"), CertificateFilter(subject="CN=h*", authority="backup"),
        CertificateFilter(name="dns:h3.*"), CertificateFilter(name="H3.Ex*"),
        CertificateFilter(name="email:a1*", status=CertificateStatus.VALID),
        CertificateFilter(requester="R*"), CertificateFilter(expires_before=records.NOW + 5000),
        CertificateFilter(expires_after=records.NOW + 5000, profile="user"),
    ]  # fmt: skip
    with store.read() as session:
        for where in filters:
            expected = sorted(
                (c for c in certs if _meets(c, where)), key=lambda c: c.id, reverse=True
            )
            assert session.certificates.find(where, Page(limit=500)) == expected, where
            assert session.certificates.count(where, 500) == len(expected)


def test_requests_are_found_by_what_they_are(store: SqlStore) -> None:
    made, _ = fill(store, 60)
    waiting = [records.request(ra="public"), records.request(subject="CN=zz")]
    store.write(lambda s: s.requests.add(waiting))
    everything = sorted([*made, *waiting], key=lambda r: r.id, reverse=True)
    filters = [
        RequestFilter(), RequestFilter(state=RequestState.PENDING), RequestFilter(ra="public"),
        RequestFilter(profile="user"), RequestFilter(requester="ralf", authority="backup"),
        RequestFilter(subject="CN=z*"), RequestFilter(state=RequestState.ISSUED, subject="CN=zz"),
    ]  # fmt: skip
    with store.read() as session:
        for where in filters:
            given = {f: getattr(where, f) for f in EVERY_REQUEST_FIELD if getattr(where, f)}
            expected = [
                r for r in everything if all(_text(getattr(r, f), v) for f, v in given.items())
            ]
            assert session.requests.find(where, Page(limit=500)) == expected, where


def test_pages_neither_skip_nor_repeat_while_others_write(store: SqlStore) -> None:
    _, certs = fill(store, 50)
    seen: list[str] = []
    cursor = None
    while True:
        with store.read() as session:
            page = session.certificates.find(CertificateFilter(), Page(cursor, 7))
        if not page:
            break
        seen += [c.id for c in page]
        cursor = page[-1].id
        fill_one(store)
    assert seen == sorted((c.id for c in certs), reverse=True)


def fill_one(store: SqlStore) -> None:
    request = records.request()
    intent = records.intent(request)
    store.write(lambda s: s.certificates.intend([intent]))
    store.write(lambda s: s.certificates.issue([records.certificate(request)], [intent.id]))


def _plan(raw: Engine, statement: Select[Any]) -> str:
    postgres = raw.dialect.name == "postgresql"
    dialect = postgresql.dialect() if postgres else sqlite.dialect()
    literal = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    prefix = "EXPLAIN " if postgres else "EXPLAIN QUERY PLAN "
    with raw.connect() as connection:
        rows = connection.execute(text(prefix + literal.replace(":", "\\:"))).fetchall()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.fixture
def analysed(store: SqlStore, raw: Engine) -> Engine:
    """Enough rows, and statistics, for a planner to see that scans cost more."""
    for _ in range(8):
        fill(store, 500)
    with raw.begin() as connection:
        connection.execute(text("ANALYZE"))
    return raw


def test_no_condition_scans_a_table(analysed: Engine, store: SqlStore) -> None:
    for name, value in EVERY_CERTIFICATE_FIELD.items():
        order = Sorting.EXPIRY if name.startswith("expires") else None
        where = CertificateFilter(**{name: value}, order=order)  # type: ignore[arg-type]
        with store.read() as session:
            ids = certificate_search.page(session.certificates._link, where, Page())  # type: ignore[attr-defined]
        _assert_indexed(_plan(analysed, ids), "certificate", name)
    for name, value in EVERY_REQUEST_FIELD.items():
        where = requests.conditions(RequestFilter(**{name: value}))  # type: ignore[arg-type]
        plan = _plan(analysed, page_of_ids(schema.request, where, Page()))
        _assert_indexed(plan, "request", name)


WALKED = {"status", "request_id"}
"""Conditions that newest-first order meets early: walking the index of ids is the plan.

Every request's id begins like the one that is looked for.
"""


def _assert_indexed(plan: str, table: str, name: str) -> None:
    assert "Seq Scan" not in plan, f"{name}: {plan}"
    walks = [line for line in plan.splitlines() if f"SCAN {table}" in line]
    assert all(name in WALKED and "USING" in line for line in walks), f"{name}: {plan}"


def test_a_young_table_is_searched_by_serial_not_by_issuer(store: SqlStore, raw: Engine) -> None:
    """Without statistics PostgreSQL thinks both indexes alike, and one of them reads everything."""
    fill(store, 300)
    postgres = raw.dialect.name == "postgresql"
    statement = revocations._STATUS.replace("?", "'x'").strip()
    with raw.connect() as connection:
        prefix = "EXPLAIN " if postgres else "EXPLAIN QUERY PLAN "
        plan = [str(row[-1]) for row in connection.execute(text(prefix + statement))]
    assert any("serial=" in line or "uq_certificate_serial_authority" in line for line in plan)
    assert not any("ix_certificate_authority" in line for line in plan)


@given(st.text(), st.text(min_size=1))
def test_the_successor_of_a_prefix_bounds_exactly_its_extensions(prefix: str, suffix: str) -> None:
    after = _successor(prefix)
    if after:
        assert prefix < after
        assert prefix + suffix < after
    assert _successor("\ud7ff") == "\ue000"
    assert _successor("a\U0010ffff") == "b"
