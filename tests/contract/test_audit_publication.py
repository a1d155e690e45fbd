"""What ``ports.Publisher`` promises, checked on the directory that we ship."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chancery.adapters.publication import DirectoryPublisher
from chancery.domain.errors import Unavailable


@pytest.fixture
def publisher(tmp_path: Path) -> DirectoryPublisher:
    return DirectoryPublisher(tmp_path / "audit")


def test_publishes_and_replaces(publisher: DirectoryPublisher, tmp_path: Path) -> None:
    assert publisher.published("checkpoint") is None
    publisher.publish("checkpoint", b"one")
    publisher.publish("checkpoint", b"two")
    publisher.publish_all([("tile/0/x001/000", b"a"), ("tile/0/x001/001.p/7", b"b"), ("top", b"")])

    assert publisher.published("checkpoint") == b"two"
    assert publisher.published("tile/0/x001/001.p/7") == b"b"
    assert publisher.published("tile/0") is None  # a directory
    assert publisher.published("checkpoint/below") is None
    files = [path for path in (tmp_path / "audit").rglob("*") if path.is_file()]
    assert len(files) == 4  # and nothing temporary
    assert files[0].stat().st_mode & 0o444


def test_discards(publisher: DirectoryPublisher) -> None:
    publisher.publish_all([("tile/0/000", b""), ("tile/0/000.p/1", b""), ("tile/0/000.p/2", b"")])
    publisher.discard("tile/0/000.p")
    publisher.discard("tile/0/000.p")

    assert publisher.published("tile/0/000.p/1") is None
    assert publisher.published("tile/0/000") == b""


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../b", "a//b", ".hidden", "a/.b", "a\n"])
def test_stays_inside(publisher: DirectoryPublisher, name: str) -> None:
    for use in (publisher.published, publisher.discard, lambda n: publisher.publish(n, b"")):
        with pytest.raises(ValueError, match="not a name"):
            use(name)


def _in_the_way(root: Path) -> None:
    root.write_bytes(b"a file where the directory should be")


def _links_in_a_circle(root: Path) -> None:
    root.symlink_to(root)


@pytest.mark.parametrize("obstacle", [_in_the_way, _links_in_a_circle])
def test_says_when_the_disk_refuses(tmp_path: Path, obstacle: Callable[[Path], None]) -> None:
    obstacle(tmp_path / "audit")
    publisher = DirectoryPublisher(tmp_path / "audit")

    with pytest.raises(Unavailable):
        publisher.publish("checkpoint", b"")
    with pytest.raises(Unavailable):
        publisher.publish_all([("checkpoint", b"")])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_file(publisher: DirectoryPublisher, tmp_path: Path) -> None:
    publisher.publish("checkpoint", b"old")
    # The file beside the target, where the data goes first, is a device that is always full.
    beside = tmp_path / "audit" / f".checkpoint.{os.getpid()}.{threading.get_ident()}"
    beside.symlink_to("/dev/full")
    with pytest.raises(Unavailable):
        publisher.publish("checkpoint", b"new")

    assert publisher.published("checkpoint") == b"old"
    assert not beside.is_symlink()
    publisher.publish("checkpoint", b"new")  # and heals when there is room


WRITER = """
import sys
from pathlib import Path
from chancery.adapters.publication import DirectoryPublisher
publisher = DirectoryPublisher(Path(sys.argv[1]))
for round in range(10**9):
    data = str(round).encode() * 20_000
    publisher.publish("one", data)
    publisher.publish_all([(f"many/{n}", data) for n in range(5)])
    print(round, flush=True)
"""


@pytest.mark.fault
def test_kill_9_leaves_whole_files(tmp_path: Path) -> None:
    publisher = DirectoryPublisher(tmp_path)
    for turn in range(15):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.003 * turn)
            writer.kill()
        for name in ("one", *(f"many/{n}" for n in range(5))):
            data = publisher.published(name)
            assert data is not None
            digits = data[: len(data) // 20_000]
            assert digits * 20_000 == data
