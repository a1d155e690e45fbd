"""The auditor's own reader of the signer's journal agrees with the signer's."""

import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery import audit_reconciler
from chancery.signer.journal import Draft, Journal, JournalEntry, Operation, read
from chancery.signer.journal_format import encode

entries = st.builds(
    JournalEntry,
    seq=st.integers(0, 2**63),
    prev=st.binary(min_size=32, max_size=32),
    time_ms=st.integers(0, 2**63),
    operation=st.sampled_from(Operation),
    key_id=st.text(max_size=300),
    serial=st.text(max_size=40),
    tbs_sha256=st.binary(max_size=32),
    signature=st.binary(max_size=5000),
    intent_id=st.text(max_size=40),
    approvers=st.lists(st.text(max_size=10), max_size=20).map(tuple),
    detail=st.dictionaries(st.text(max_size=10), st.text(max_size=300), max_size=20),
)


@given(entries)
def test_reads_what_the_signer_writes(entry: JournalEntry) -> None:
    record, _ = encode(entry)
    payload = record[4:-32]

    fields, end = audit_reconciler.unpack(payload)

    assert end == len(payload)
    assert msgspec.convert(fields, JournalEntry) == entry


@given(st.binary())
def test_fails_only_as_planned(data: bytes) -> None:
    with contextlib.suppress(ValueError, IndexError, TypeError, RecursionError):
        audit_reconciler.unpack(data)


def test_follows_the_chain_through_segments(tmp_path: Path) -> None:
    journal = Journal(tmp_path, now_ms=lambda: 1_800_000_000_000, segment_octets=2_000)
    for n in range(100):
        journal.append([Draft(Operation.CERTIFICATE, "ca", f"{n:x}", bytes([n] * 32), b"s" * 70)])
    journal.close()

    records = list(audit_reconciler.journal_records(tmp_path))

    assert len(list(tmp_path.glob("*.journal"))) > 3
    assert [msgspec.convert(record, JournalEntry) for record in records] == list(read(tmp_path))

    sorted(tmp_path.glob("*.journal"))[1].unlink()
    with pytest.raises(audit_reconciler.Flaw, match="records are missing"):
        list(audit_reconciler.journal_records(tmp_path))
