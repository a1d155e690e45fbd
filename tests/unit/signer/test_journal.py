"""The journal shows every change of what was written, and loses only what was never released."""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chancery.domain.errors import Unavailable
from chancery.signer import journal_format
from chancery.signer.journal import Broken, Draft, Journal, Operation, read


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def draft(number: int, operation: Operation = Operation.CERTIFICATE) -> Draft:
    return Draft(
        operation, "root", f"{number:x}", bytes(32), b"signature %d" % number, "intent", ("alice",)
    )


def fill(directory: Path, count: int, *, segment_octets: int = 10**9) -> None:
    journal = Journal(directory, segment_octets=segment_octets)
    for number in range(count):
        journal.append([draft(number)])
    journal.close()


def segments(directory: Path) -> list[Path]:
    return [path for _, path in journal_format.segments(directory)]


def test_reads_back_what_was_written(directory: Path) -> None:
    fill(directory, 3)
    entries = list(read(directory))
    assert [entry.seq for entry in entries] == [0, 1, 2, 3]
    assert [entry.signature for entry in entries[1:]] == [b"signature %d" % n for n in range(3)]
    assert entries[3].approvers == ("alice",)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())


def test_finds_signatures_in_old_and_new_segments_and_after_a_restart(directory: Path) -> None:
    journal = Journal(directory, segment_octets=1000)
    for number in range(60):
        journal.append([draft(number)])
    journal.append([Draft(Operation.REFUSED, "root", "ffff")])
    assert len(segments(directory)) > 5
    for _ in range(2):
        for number in range(60):
            assert journal.signed("root", f"{number:x}")
            entry = journal.find("root", f"{number:x}")
            assert entry is not None
            assert entry.signature == b"signature %d" % number
        assert not journal.signed("root", "ffff")
        assert not journal.signed("other", "1")
        assert journal.find("root", "ffff") is None
        journal.close()
        journal = Journal(directory, segment_octets=1000)
    journal.close()
    assert len(list(read(directory))) == 61 + len(segments(directory))


def test_remembers_checkpoints_across_segments(directory: Path) -> None:
    journal = Journal(directory, segment_octets=500)
    journal.append([Draft(Operation.CHECKPOINT, "audit", detail={"checkpoint": "5 root origin"})])
    for number in range(20):
        journal.append([draft(number)])
    journal.close()
    journal = Journal(directory, segment_octets=500)
    assert journal.checkpoint("audit") == "5 root origin"
    journal.close()


def test_a_rotation_that_fails_is_tried_again(directory: Path) -> None:
    journal = Journal(directory, segment_octets=500)
    (first,) = segments(directory)
    obstacle = first.with_name(f"{first.name}.index")
    obstacle.mkdir()
    for number in range(5):
        journal.append([draft(number)])
    assert segments(directory) == [first]
    obstacle.rmdir()
    journal.append([draft(5)])
    assert len(segments(directory)) == 2
    journal.close()
    assert len(list(read(directory))) == 8


def test_it_stops_rather_than_fork(directory: Path) -> None:
    journal = Journal(directory, segment_octets=500)
    for number in range(20):
        (directory / journal_format.segment_name(journal.head[0] + 1)).touch(0o600)
        try:
            journal.append([draft(number)])
            (directory / journal_format.segment_name(journal.head[0])).unlink()
        except Unavailable:
            break
    else:
        pytest.fail("it went on")
    journal.close()


def test_a_lost_index_is_rebuilt(directory: Path) -> None:
    fill(directory, 30, segment_octets=1000)
    indexes = sorted(directory.glob("*.index"))
    indexes[0].unlink()
    damaged = bytearray(indexes[1].read_bytes())
    damaged[-50] ^= 1
    indexes[1].write_bytes(damaged)
    journal = Journal(directory)
    assert all(journal.signed("root", f"{number:x}") for number in range(30))
    journal.close()


def altered(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_every_altered_octet_is_seen(directory: Path) -> None:
    fill(directory, 2)
    (path,) = segments(directory)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole)
        altered(path, at)
        with pytest.raises(Broken):
            list(read(directory))


def drop_record(path: Path) -> None:
    data = path.read_bytes()
    first = 36 + int.from_bytes(data[:4])
    second = first + 36 + int.from_bytes(data[first : first + 4])
    path.write_bytes(data[:first] + data[second:])


def swap_records(path: Path) -> None:
    data = path.read_bytes()
    a = 36 + int.from_bytes(data[:4])
    b = a + 36 + int.from_bytes(data[a : a + 4])
    c = b + 36 + int.from_bytes(data[b : b + 4])
    path.write_bytes(data[:a] + data[b:c] + data[a:b] + data[c:])


def reseal(path: Path) -> None:
    """Change a record and mend its own digest, as somebody who knows the format would."""
    data = path.read_bytes()
    a = 36 + int.from_bytes(data[:4])
    b = a + 36 + int.from_bytes(data[a : a + 4])
    payload = data[a + 4 : b - 32].replace(b"signature", b"SIGNATURE")
    digest = hashlib.sha256(payload).digest()
    path.write_bytes(data[: a + 4] + payload + digest + data[b:])


@pytest.mark.parametrize(
    "harm",
    [
        drop_record,
        swap_records,
        reseal,
        lambda path: altered(path, 60),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"\x00\x00\x00\x01x" + bytes(31) + b"1"),
    ],
)
def test_refuses_to_start_on_a_changed_journal(
    directory: Path, harm: Callable[[Path], None]
) -> None:
    fill(directory, 5)
    harm(segments(directory)[0])
    with pytest.raises(Unavailable, match="not as it was written") as caught:
        Journal(directory)
    assert caught.value.rule == "journal.broken"


def test_refuses_to_start_without_a_segment(directory: Path) -> None:
    fill(directory, 30, segment_octets=1000)
    for path in segments(directory)[:-1]:
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(Unavailable, match="missing"):
            Journal(directory)
        with pytest.raises(Broken, match="missing"):
            list(read(directory))
        path.write_bytes(data)


def test_refuses_a_segment_of_another_journal(directory: Path, tmp_path: Path) -> None:
    fill(directory, 30, segment_octets=1000)
    fill(tmp_path / "other", 30, segment_octets=1000)
    ours, theirs = segments(directory)[1], segments(tmp_path / "other")[1]
    ours.write_bytes(theirs.read_bytes())
    with pytest.raises(Unavailable, match="not as it was written"):
        Journal(directory)


def test_a_torn_last_record_is_cut_off_and_reported(directory: Path) -> None:
    fill(directory, 3)
    (path,) = segments(directory)
    whole = path.read_bytes()
    entries = list(journal_format.entries(whole, path.name, 0, journal_format.GENESIS))
    last = entries[-1][0]
    for end in range(last + 1, len(whole)):
        path.write_bytes(whole[:end])
        journal = Journal(directory)
        assert journal.truncated == end - last
        assert not journal.signed("root", "2")
        journal.append([draft(2)])
        journal.close()
        *_, cut, again = read(directory)
        assert cut.operation is Operation.TRUNCATED
        assert cut.detail == {"octets": str(end - last)}
        assert again.serial == "2"


def test_sectors_that_never_reached_the_disk_are_torn(directory: Path) -> None:
    fill(directory, 40)
    (path,) = segments(directory)
    whole = path.read_bytes()
    last_sector = (len(whole) - 1) // 512 * 512
    offsets = [
        at for at, _, _ in journal_format.entries(whole, path.name, 0, journal_format.GENESIS)
    ]
    path.write_bytes(whole[:last_sector] + bytes(len(whole) - last_sector))
    journal = Journal(directory)
    assert journal.truncated > 0
    assert len(whole) - journal.truncated in offsets
    journal.close()
    list(read(directory))


def test_one_journal_has_one_signer(directory: Path) -> None:
    journal = Journal(directory)
    with pytest.raises(Unavailable, match="another signer"):
        Journal(directory)
    journal.close()
    Journal(directory).close()


def test_refuses_a_directory_open_to_others(directory: Path) -> None:
    fill(directory, 1)
    directory.chmod(0o750)
    with pytest.raises(Unavailable, match="closed to everybody else"):
        Journal(directory)


def test_a_clock_that_falls_back_stops_it(directory: Path) -> None:
    now = [1_800_000_000_000]
    journal = Journal(directory, now_ms=lambda: now[0])
    now[0] -= 200_000
    journal.append([draft(1)])  # a small step: the record's time just does not decrease
    now[0] -= 200_000
    with pytest.raises(Unavailable) as caught:
        journal.append([draft(2)])
    assert caught.value.rule == "journal.clock"
    journal.close()
    times = [entry.time_ms for entry in read(directory)]
    assert times == sorted(times)


def test_threads_share_commits_and_lose_nothing(directory: Path) -> None:
    journal = Journal(directory)

    def work(worker: int) -> None:
        for number in range(40):
            journal.append([draft(worker * 1000 + number)])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert len(list(read(directory))) == 321


def test_a_failed_sync_is_told_once_and_a_new_process_goes_on(tmp_path: Path) -> None:
    """fsyncgate: after a failed fdatasync the kernel may report success with the pages gone."""
    told: list[str] = []
    journal = Journal(tmp_path / "journal", lost=lambda: told.append("lost"))
    journal.append([Draft(Operation.CSR, "before")])
    held = os.dup(journal._file)
    reader, writer = os.pipe()
    os.dup2(writer, journal._file)  # a pipe takes no pwrite and no fdatasync
    try:
        with pytest.raises(Unavailable):
            journal.append([Draft(Operation.CSR, "lost")])
        with pytest.raises(Unavailable):
            journal.append([Draft(Operation.CSR, "after")])
    finally:
        os.dup2(held, journal._file)
        for one in (held, reader, writer):
            os.close(one)
        journal.close()
    assert told
    again = Journal(tmp_path / "journal")
    again.append([Draft(Operation.CSR, "again")])
    again.close()
    keys = [entry.key_id for entry in read(tmp_path / "journal")]
    assert keys[-2:] == ["before", "again"]
