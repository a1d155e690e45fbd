"""The device is full while a backup is written: said so, nothing stays of it, and the next fits."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrage import x25519

from chancery.adapters.backup import archive
from chancery.adapters.backup.archive import Places
from chancery.adapters.storage import migrate
from chancery.domain.errors import Unavailable
from chancery.ports_backup import Wanted, Written
from chancery.wire.backup_source import SourceSecret

pytestmark = pytest.mark.fault

SIZE_KIB = 768


@pytest.fixture
def usb(tmp_path: Path) -> Iterator[Path]:
    """A medium of its own, and a small one."""
    folder = tmp_path / "usb"
    folder.mkdir()
    options = ["-o", f"size={SIZE_KIB}k"]
    mount = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"this test mounts file systems and must run as root: {done.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_device_that_is_full(tmp_path: Path, usb: Path) -> None:
    base = tmp_path / "instance"
    (base / "journal").mkdir(parents=True)
    url = f"sqlite:///{base}/chancery.db"
    migrate(url)
    (base / "audit-before-1.vkey").write_text("the log before a restore")
    places = Places(base, url, base / "journal", (base / "chancery.db", base / "audit"))
    recipient = str(x25519.Identity.generate().to_public())
    source = str(SourceSecret(b"s" * 32).public())

    def write(sequence: int) -> Written:
        wanted = Wanted(
            "log", "log+00000000+AA==", sequence, 1, source, recipient, "d" * 16, "", ("a", "b"), ""
        )
        name = f"log-{sequence:06d}"
        return archive.write(usb / "backups", name, places, wanted, lambda m: m, lambda: True)

    first = write(1)
    (base / "large").write_bytes(os.urandom(SIZE_KIB * 1024))
    with pytest.raises(Unavailable, match="No space left on device") as caught:
        write(2)
    assert caught.value.rule == "backup.medium"
    assert sorted(path.name for path in (usb / "backups").iterdir()) == [
        "log-000001.age", "log-000001.manifest",
    ]  # fmt: skip
    stays = (usb / "backups" / "log-000001.age").read_bytes()
    assert hashlib.sha256(stays).hexdigest() == first.sha256
    (base / "large").unlink()
    assert write(3).octets > first.octets // 2  # compressed, and not all of it the same
    assert (usb / "backups" / "log-000003.manifest").is_file()
    assert [one.name for one in archive._files(base, base, places.skipped) if one.is_file()] == [
        "audit-before-1.vkey"
    ]
