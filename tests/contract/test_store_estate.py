"""Imports on record: staged, decided in steps by one at a time, forgotten whole."""

from dataclasses import replace

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import AlreadyExists, Conflict, NotFound
from chancery.domain.estate import (
    EstateImport,
    EstateRow,
    ImportChoices,
    ImportState,
    Issuer,
    Outcome,
)
from services import records

NOW = records.NOW
FIRST = EstateImport(
    id="01900000-0000-7000-8000-000000000001", state=ImportState.PREVIEW, created_by="olga",
    created_at=NOW, finished_at=None, files=("a.pem", "ü.csv"),
    choices=ImportChoices("issuing", {"serial": "Serial No."}, True), total=3, position=0,
)  # fmt: skip


def row(number: int, outcome: Outcome = Outcome.NEW) -> EstateRow:
    return EstateRow(
        number, "a.pem", number, outcome, Issuer.OWN, "issuing", "CN=Issuing", f"{number:x}",
        "CN=Zoë", ("dns:a.example.org",), NOW, NOW + 1, tells_status=True, status="revoked",
        revoked_at=NOW, reason=1,
    )  # fmt: skip


ROWS = [(row(1), b"\x30\x00"), (row(2, Outcome.PROBLEM), b""), (row(3), b"\x30\x01")]


@pytest.fixture
def staged(store: SqlStore) -> SqlStore:
    store.write(lambda s: s.estates.add(FIRST))
    store.write(lambda s: s.estates.add_rows(FIRST.id, ROWS))
    return store


def test_what_was_staged_is_found(staged: SqlStore) -> None:
    second = replace(FIRST, id="01900000-0000-7000-8000-000000000002", created_at=NOW + 10)
    staged.write(lambda s: s.estates.add(second))
    with staged.read() as session:
        counts = {Outcome.NEW: 2, Outcome.PROBLEM: 1}
        assert session.estates.get(FIRST.id) == replace(FIRST, counts=counts)
        assert session.estates.get("none") is None
        assert session.estates.find(None, 10) == [second, FIRST]
        assert session.estates.find(second.id, 10) == [FIRST]
        assert session.estates.rows(FIRST.id, None, 1, 10) == [row(2, Outcome.PROBLEM), row(3)]
        assert session.estates.rows(FIRST.id, Outcome.NEW, 0, 1) == [row(1)]
        assert session.estates.pending(FIRST.id, 0, 2) == ROWS[:2]
        assert session.estates.stale(NOW + 5) == [FIRST.id]


def test_a_decided_row_keeps_no_certificate(staged: SqlStore) -> None:
    staged.write(lambda s: s.estates.decide(FIRST.id, [row(1, Outcome.IMPORTED)]))
    with staged.read() as session:
        (first, *_) = session.estates.pending(FIRST.id, 0, 10)
        assert first == (row(1, Outcome.IMPORTED), b"")


def test_one_at_a_time_goes_on(staged: SqlStore) -> None:
    staged.write(lambda s: s.estates.advance(FIRST.id, 0, 2, ImportState.RUNNING, None))
    with pytest.raises(Conflict):
        staged.write(lambda s: s.estates.advance(FIRST.id, 0, 2, ImportState.RUNNING, None))
    staged.write(lambda s: s.estates.advance(FIRST.id, 2, 3, ImportState.DONE, NOW))
    with staged.read() as session:
        found = session.estates.get(FIRST.id)
        assert found is not None
        assert (found.state, found.position, found.finished_at) == (ImportState.DONE, 3, NOW)
        assert session.estates.stale(NOW + 5) == []


def test_an_import_is_forgotten_with_its_rows(staged: SqlStore) -> None:
    staged.write(lambda s: s.estates.delete(FIRST.id))
    with staged.read() as session:
        assert session.estates.rows(FIRST.id, None, 0, 10) == []
    with pytest.raises(NotFound):
        staged.write(lambda s: s.estates.delete(FIRST.id))


def test_adopted_certificates_need_no_intent(store: SqlStore) -> None:
    made: CertificateRecord = records.certificate(records.request())
    store.write(lambda s: s.certificates.adopt([made]))
    with store.read() as session:
        assert session.certificates.get(made.id) == made
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.certificates.adopt([replace(made, id=made.id[:-1] + "z")]))
