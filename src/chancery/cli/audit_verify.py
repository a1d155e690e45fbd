"""``chancery audit verify`` and ``proof``: trust the public key, and nothing else.

The stand-alone verifier judges; a log on a server is copied first.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery import audit_verifier
from chancery.cli import files, output
from chancery.cli.client import Client
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import OK, VerificationFailed, note, report
from chancery.domain import merkle
from chancery.domain.audit import leaf_hash
from chancery.domain.errors import BadRequest, NotFound
from chancery.wire import note as signed_note
from chancery.wire import tiles

_MAX_KEY: Final = 1_024  # octets
Key = Annotated[
    Path | None,
    Parameter(
        name="--key",
        env_var="CHANCERY_AUDIT_KEY",
        help="Verifier key (audit.vkey), kept away from the log; else the one in DIR.",
    ),
]


def verify(
    log: Annotated[
        str, Parameter(help="Instance directory or a copy, its audit directory, or a server's URL.")
    ],
    /,
    *,
    key: Key = None,
    anchor: Annotated[
        tuple[Path, ...],
        Parameter(help="Checkpoint kept from before: the log must have grown from it; repeatable."),
    ] = (),
    api: Connection = DEFAULT,
) -> int:
    """Check a whole audit log.  Exit code 8 if it is not sound.

    Records, tiles, signed root, numbers, times and old checkpoints must agree;
    for an instance directory also the database and the signer's journal.
    """
    if _is_url(log):
        if key is None:
            raise BadRequest(
                "no verifier key is named",
                field="--key",
                remedy="give the audit.vkey that you keep away from the log: --key FILE",
            )
        with tempfile.TemporaryDirectory(prefix="chancery-audit-") as copy:
            with api.at(log).open() as server:
                _copy(server, Path(copy))
            return _judge(Path(copy), key, anchor, api)
    if not Path(log).is_dir():
        raise BadRequest(
            f"no such directory: {log}",
            field="LOG",
            remedy="name an instance, its audit directory, or a server: https://host[:port]",
        )
    return _judge(Path(log), key or _own_key(Path(log)), anchor, api)


def proof(
    seq: Annotated[int, Parameter(help="Number of the record.")],
    /,
    *,
    key: Key = None,
    api: Connection = DEFAULT,
) -> None:
    """Prove that one record is in the log, and check the proof when --key is given."""
    verifier = _verifier_key(key) if key is not None else None
    with api.open() as server:
        answer = server.get("audit", "inclusion", str(seq))
    if verifier is not None:
        _check_proof(answer, seq, verifier)
        answer = answer | {"result": "verified"}
    output.show(answer, as_json=api.as_json)


def _judge(source: Path, key: Path, anchors: tuple[Path, ...], api: Connection) -> int:
    """Print the verifier's report; what it finds is a result, and a failure too."""
    try:
        found = audit_verifier.verify(source, key, anchors)
    except (ValueError, OSError) as error:
        raise BadRequest(f"cannot verify {source}: {error}", field="LOG") from error
    if api.as_json:
        output.print_json(found.json())
    else:
        for line in audit_verifier.render(found).splitlines():
            output.line(line)
    if found.ok:
        return OK
    failure = VerificationFailed(
        f"the log is not sound: {found.counts['findings']} findings", rule="audit.sound"
    )
    return report(failure, as_json=api.as_json)


def _own_key(source: Path) -> Path:
    beside = (source / "audit.vkey", source.parent / "audit.vkey")
    found = next((path for path in beside if path.is_file()), None)
    if found is None:
        raise BadRequest("no verifier key is named", field="--key", remedy="give --key FILE")
    note("the key is the copy's own: it shows damage, not forgery; give --key")
    return found


def _is_url(log: str) -> bool:
    return log.startswith(("https://", "http://"))


def _copy(server: Client, target: Path) -> None:
    """Fetch the files of the log as its present checkpoint states it."""
    try:
        signed = server.download("audit", tiles.CHECKPOINT).data
        text = signed.decode().rpartition("\n\n")[0] + "\n"
        size = signed_note.parse_checkpoint(text).size
    except (BadRequest, UnicodeDecodeError) as error:
        raise VerificationFailed(f"the checkpoint is malformed: {error}") from error
    _write(target / tiles.CHECKPOINT, signed)
    with _progress(size) as advance:
        for tile in tiles.changed(0, size):
            if (data := _fetch(server, tile.path)) is None:
                data = (_fetch(server, _full(tile).path) or b"")[: tile.width * merkle.HASH_SIZE]
            _write(target / tile.path, data)
            if tile.level == 0:
                _write(target / tile.entries_path, _bundle(server, tile))
                advance(tile.width)


def _bundle(server: Client, tile: tiles.Tile) -> bytes:
    """The records of a row: where the log grew meanwhile, the first ones of the full row."""
    if (data := _fetch(server, tile.entries_path)) is not None:
        return data
    full = _full(tile)
    try:
        entries = tiles.decode_bundle(_fetch(server, full.entries_path) or b"", full)
    except BadRequest:
        return b""  # the verifier will say what is missing
    return tiles.encode_bundle(entries[: tile.width])


def _full(tile: tiles.Tile) -> tiles.Tile:
    return tiles.Tile(tile.level, tile.index)


def _fetch(server: Client, name: str) -> bytes | None:
    try:
        return server.download("audit", "tiles", *name.split("/")).data
    except NotFound:
        return None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _check_proof(answer: dict[str, Any], seq: int, verifier: signed_note.VerifierKey) -> None:
    """Believe the answer's proof and leaf only as far as the signed checkpoint carries them."""
    try:
        text = signed_note.open_note(str(answer["checkpoint"]).encode(), verifier)
        checkpoint = signed_note.parse_checkpoint(text)
        leaf = str(answer["leaf"]).encode()
        path = [bytes.fromhex(node) for node in answer["proof"]]
        merkle.verify_inclusion(leaf_hash(leaf), seq, checkpoint.size, path, checkpoint.root)
        if checkpoint.origin != verifier.name or json.loads(leaf)["seq"] != seq:
            raise ValueError("it is about another record")
    except (BadRequest, KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(f"the proof does not hold: {error}", rule="audit.proof") from error


def _verifier_key(path: Path) -> signed_note.VerifierKey:
    text = files.read(path, _MAX_KEY).decode("ascii", errors="replace")
    return signed_note.VerifierKey.parse(text)


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("fetching", total=size)
        yield lambda count: progress.advance(task, count)
