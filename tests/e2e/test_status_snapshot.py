"""A generated estate, and a snapshot of its status that is asked without a server."""

import json
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from services.instance import CHANCERY, Instance, clean_environment


def chancery(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [CHANCERY, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=120,
    )


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    made = Instance.create(tmp_path_factory.mktemp("estate") / "instance")
    done = chancery(
        "bench", "generate", "--certificates", "2000", "--revoked", "100",
        "--config", made.directory / "chancery.toml", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["certificates"], found["revoked"]) == (2000, 100)
    return made


def serials(estate: Instance, *, revoked: bool) -> list[str]:
    """Of the CA that issues, by the record itself; those that end soon are in no snapshot."""
    said = "IN" if revoked else "NOT IN"
    with sqlite3.connect(estate.directory / "data/chancery.db") as link:
        rows = link.execute(
            "SELECT serial FROM certificate WHERE authority = ? AND not_after > ?"
            f" AND id {said} (SELECT certificate_id FROM revocation)",
            (estate.facts["issuing"], int(time.time()) + 3600),
        )
        return [str(row[0]) for row in rows]


def test_a_snapshot_says_who_is_revoked(estate: Instance, tmp_path: Path) -> None:
    snapshot, key = tmp_path / "status.snapshot", estate.directory / "audit.vkey"
    with estate.serving():
        config = estate.directory / "chancery.toml"
        done = chancery("status", "export", "--config", config, "-o", snapshot)
    assert done.returncode == 0, done.stderr
    revoked, valid = serials(estate, revoked=True), serials(estate, revoked=False)
    assert len(revoked) > 90
    about = ("--key", key, "--ca", estate.facts["issuing"])
    for serial, code in ((revoked[0], 3), (revoked[-1], 3), (valid[0], 0), (valid[-1], 0)):
        done = chancery("status", "check", snapshot, serial, *about)
        assert done.returncode == code, (serial, done.stdout, done.stderr)


def test_a_snapshot_that_was_touched_says_nothing(estate: Instance, tmp_path: Path) -> None:
    snapshot, key = tmp_path / "status.snapshot", estate.directory / "audit.vkey"
    with estate.serving():
        config = estate.directory / "chancery.toml"
        assert not chancery("status", "export", "--config", config, "-o", snapshot).returncode
    octets = bytearray(snapshot.read_bytes())
    octets[len(octets) // 2] ^= 1
    snapshot.write_bytes(octets)
    done = chancery(
        "status", "check", snapshot, "ab12", "--key", key, "--ca", estate.facts["issuing"]
    )
    assert done.returncode == 8, done.stdout
    assert "Traceback" not in done.stderr
