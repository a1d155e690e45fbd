"""An auditor's own check: what it accepts, and each way of lying that it does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chancery.domain import merkle
from chancery.domain.audit import AuditEvent, leaf_bytes, leaf_hash
from chancery.wire import note, tiles

from .conftest import Answer, Seen

ORIGIN = "audit.example.org"
PRIVATE = Ed25519PrivateKey.generate()
KEY = note.VerifierKey(ORIGIN, PRIVATE.public_key().public_bytes_raw())
SIZE = 600


def leaf(seq: int, time_ms: int | None = None) -> bytes:
    event = AuditEvent("certificate.issued", "alice", "token", "127.0.0.1", f"ca/{seq:x}")
    return leaf_bytes(seq, 1_000 + seq if time_ms is None else time_ms, event)


def checkpoint(
    leaves: list[bytes], key: Ed25519PrivateKey = PRIVATE, origin: str = ORIGIN
) -> bytes:
    root = merkle.root([leaf_hash(one) for one in leaves])
    text = note.Checkpoint(origin, len(leaves), root).text()
    return note.sign_note(text, KEY, key.sign(text.encode()))


def files_of(leaves: list[bytes]) -> dict[str, bytes]:
    """A log as its files by name."""
    rows: dict[int, list[bytes]] = {0: [leaf_hash(one) for one in leaves]}
    rows[1] = [
        merkle.root(rows[0][at : at + 256]) for at in range(0, len(leaves) // 256 * 256, 256)
    ]
    found = {"checkpoint": checkpoint(leaves)}
    for tile in tiles.changed(0, len(leaves)):
        first = tile.index * 256
        hashes = rows[tile.level][first : first + tile.width]
        found[tile.path] = tiles.encode_tile(hashes)
        if tile.level == 0:
            found[tile.entries_path] = tiles.encode_bundle(leaves[first : first + tile.width])
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    directory = tmp_path / "instance" / "audit"
    write(directory, files_of([leaf(n) for n in range(SIZE)]))
    (tmp_path / "instance" / "audit.vkey").write_text(f"{KEY}\n")
    return directory


def write(directory: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)


def test_a_good_log(log: Path, alone: Any) -> None:
    finished = alone("audit", "verify", log, "--key", log.parent / "audit.vkey", "--json")

    assert (finished.code, finished.err) == (0, "")
    assert (finished.json["ok"], finished.json["size"]) == (True, SIZE)
    own = alone("audit", "verify", log)
    assert (own.code, "the copy's own" in own.err) == (0, True)
    assert "sound; 600 records signed" in own.out


def test_over_the_network(log: Path, run: Any, server: Any) -> None:
    for name in files_of([leaf(n) for n in range(SIZE)]):
        path = name if name == "checkpoint" else f"tiles/{name}"
        server.on("GET", f"/audit/{path}", lambda seen: serve(log, seen))
    argv = ("audit", "verify", server.url, "--key", log.parent / "audit.vkey", "--json")

    assert run(*argv).json["size"] == SIZE
    assert run(*argv[:3]).code == 2  # whoever keeps the log must not hand out the key too

    server.on("GET", "/audit/tiles/tile/0/001", Answer({}, 404))
    assert run(*argv).code == 8


def test_a_log_that_grew_while_it_was_fetched(log: Path, run: Any, server: Any) -> None:
    grown = files_of([leaf(n) for n in range(768)])
    for name, data in grown.items():
        server.on("GET", f"/audit/tiles/{name}", Answer(data))
    for tile in tiles.edge(SIZE):
        server.on("GET", f"/audit/tiles/{tile.path}", Answer({}, 404))
    server.on("GET", "/audit/tiles/tile/entries/002.p/88", Answer({}, 404))
    server.on("GET", "/audit/tiles/tile/1/000.p/2", Answer((log / "tile/1/000.p/2").read_bytes()))
    server.on("GET", "/audit/checkpoint", Answer((log / "checkpoint").read_bytes()))

    finished = run("audit", "verify", server.url, "--key", log.parent / "audit.vkey", "--json")

    assert (finished.code, finished.json["size"]) == (0, SIZE)


def serve(log: Path, seen: Seen) -> Answer:
    name = seen.path.removeprefix("/api/v1/audit/").removeprefix("tiles/")
    return Answer((log / name).read_bytes())


def test_growth_is_proved(log: Path, alone: Any, tmp_path: Path) -> None:
    old = tmp_path / "old"
    for size in (0, 1, 255, 256, 300, SIZE):
        old.write_bytes(checkpoint([leaf(n) for n in range(size)]))
        finished = alone("audit", "verify", log, "--anchor", old, "--json")
        assert (finished.code, finished.json["ok"]) == (0, True)

    old.write_bytes(checkpoint([leaf(n, 5) for n in range(300)]))  # another history
    assert alone("audit", "verify", log, "--anchor", old).code == 8
    old.write_bytes(checkpoint([leaf(n) for n in range(SIZE + 1)]))
    shrunk = alone("audit", "verify", log, "--anchor", old, "--json")
    assert shrunk.code == 8
    assert {one["code"] for one in shrunk.json["findings"]} == {"checkpoint.rolled-back"}


def _edit_record(log: Path) -> None:
    path = log / "tile/entries/001"
    path.write_bytes(path.read_bytes().replace(b"alice", b"mallo", 1))


def _edit_tile(log: Path) -> None:
    path = log / "tile/0/001"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def _edit_upper_tile(log: Path) -> None:
    path = log / "tile/1/000.p/2"
    path.write_bytes(bytes(64))


def _lose_records(log: Path) -> None:
    (log / "tile/entries/000").unlink()


def _lose_tile(log: Path) -> None:
    (log / "tile/0/000").unlink()


def _cut_bundle(log: Path) -> None:
    path = log / "tile/entries/000"
    path.write_bytes(path.read_bytes()[:-1])


def _rewrite(log: Path, leaves: list[bytes]) -> None:
    write(log, files_of(leaves))


LIES = {
    "a record was edited": _edit_record,
    "a tile was edited": _edit_tile,
    "an upper tile was edited": _edit_upper_tile,
    "records are missing": _lose_records,
    "a tile is missing": _lose_tile,
    "a bundle is cut short": _cut_bundle,
    "a number is skipped": lambda log: _rewrite(log, [leaf(n + (n > 5)) for n in range(SIZE)]),
    "time goes back": lambda log: _rewrite(log, [leaf(n, 9_000 - n) for n in range(SIZE)]),
    "a record is no record": lambda log: _rewrite(log, [b"[" * 5_000] * SIZE),
    "the checkpoint is another's": lambda log: (log / "checkpoint").write_bytes(
        checkpoint([leaf(n) for n in range(SIZE)], Ed25519PrivateKey.generate())
    ),
    "the origin is another": lambda log: (log / "checkpoint").write_bytes(
        checkpoint([leaf(n) for n in range(SIZE)], origin="elsewhere")
    ),
    "the checkpoint is garbage": lambda log: (log / "checkpoint").write_bytes(b"\xff\n\n"),
}


@pytest.mark.parametrize("lie", LIES)
def test_does_not_verify(lie: str, log: Path, alone: Any) -> None:
    LIES[lie](log)

    finished = alone("audit", "verify", log, "--json")

    assert (finished.code, finished.json["ok"]) == (8, False)
    assert json.loads(finished.err.splitlines()[-1])["exit_code"] == 8


def test_what_cannot_be_verified(log: Path, alone: Any, tmp_path: Path) -> None:
    key = log.parent / "audit.vkey"
    assert alone("audit", "verify", tmp_path / "no", "--key", key).code == 2
    assert alone("audit", "verify", tmp_path).code == 2  # no key
    key.write_bytes(b"\xff")
    assert alone("audit", "verify", log, "--key", key).code == 2


def test_proof_of_one_record(log: Path, run: Any, server: Any) -> None:
    leaves = [leaf(n) for n in range(SIZE)]
    answer = {
        "seq": 300,
        "leaf": leaves[300].decode(),
        "checkpoint": checkpoint(leaves).decode(),
        "proof": [n.hex() for n in merkle.inclusion_proof([leaf_hash(x) for x in leaves], 300)],
    }
    argv = ("audit", "proof", "300", "--key", log.parent / "audit.vkey", "--json")

    server.on("GET", "/audit/inclusion/300", answer)
    assert run(*argv).json["result"] == "verified"

    for change in (
        {"leaf": leaves[301].decode()},
        {"proof": answer["proof"][1:]},
        {"proof": ["zz"]},
        {"checkpoint": "x"},
        {"leaf": None},
    ):
        server.on("GET", "/audit/inclusion/300", json.loads(json.dumps(answer)) | change)
        assert run(*argv).code == 8, change


def test_no_such_directory(tmp_path: Path, alone: Any) -> None:
    for argv in ([], ["--key", tmp_path / "audit.vkey"]):
        finished = alone("audit", "verify", tmp_path / "nope", *argv)

        assert finished.code == 2
        assert f"no such directory: {tmp_path / 'nope'}" in finished.err
