"""``chancery audit verify`` and ``proof``: trust the public key, and nothing else.

Works on the published files of a log (C2SP tlog-tiles), from a directory or
from a server, with a verifier key that the auditor keeps elsewhere.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import VerificationFailed
from chancery.domain import merkle
from chancery.domain.audit import leaf_hash
from chancery.domain.errors import BadRequest, CAError, NotFound
from chancery.wire import note, tiles

if TYPE_CHECKING:
    from chancery.cli.client import Client

_MAX_NOTE: Final = note.MAX_NOTE
_MAX_KEY: Final = 1_024  # octets
Key = Annotated[
    Path | None,
    Parameter(
        name="--key",
        env_var="CHANCERY_AUDIT_KEY",
        help="Verifier key (audit.vkey), kept away from the log; DIR/../audit.vkey for a DIR.",
    ),
]


@dataclass(frozen=True, slots=True)
class Walk:
    """What reading all records showed."""

    root: bytes
    first_ms: int | None
    last_ms: int | None


def verify(
    log: Annotated[str, Parameter(help="Directory of a log, or the URL of a server.")],
    /,
    *,
    key: Key = None,
    since: Annotated[
        Path | None, Parameter(help="A checkpoint kept from before: prove that the log only grew.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Check the whole audit log: signature, every record, order, and growth.  Exit code 8 if not.

    Reads all records, recomputes the Merkle tree, and compares its root with
    the signed checkpoint; numbers must have no gap and times must not go back.
    """
    verifier = _verifier_key(key, log)
    earlier = files.read(since, _MAX_NOTE) if since is not None else None
    with _source(log, api) as fetch:
        try:
            checkpoint = _checkpoint(fetch(tiles.CHECKPOINT), verifier)
            walk = _walk(fetch, checkpoint.size)
            if walk.root != checkpoint.root:
                raise VerificationFailed(
                    "the records do not hash to the signed root", rule="audit.root"
                )
            grown_from = _check_growth(fetch, checkpoint, earlier, verifier)
        except BadRequest as error:  # the codecs' own words for what is malformed
            raise VerificationFailed(str(error), field=error.field, rule=error.rule) from error
    output.show(
        {
            "result": "verified",
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "key": str(verifier),
            "first_ms": walk.first_ms,
            "last_ms": walk.last_ms,
            "grown_from": grown_from,
        },
        as_json=api.as_json,
    )


def proof(
    seq: Annotated[int, Parameter(help="Number of the record.")],
    /,
    *,
    key: Key = None,
    api: Connection = DEFAULT,
) -> None:
    """Prove that one record is in the log, and check the proof when --key is given."""
    with api.open() as server:
        answer = server.get("audit", "inclusion", str(seq))
    if key is not None:
        _check_proof(answer, seq, _verifier_key(key, ""))
        answer = answer | {"result": "verified"}
    output.show(answer, as_json=api.as_json)


def _check_proof(answer: dict[str, Any], seq: int, verifier: note.VerifierKey) -> None:
    """Believe the answer's proof and leaf only as far as the signed checkpoint carries them."""
    try:
        checkpoint = _checkpoint(str(answer["checkpoint"]).encode(), verifier)
        leaf = str(answer["leaf"]).encode()
        path = [bytes.fromhex(node) for node in answer["proof"]]
        merkle.verify_inclusion(leaf_hash(leaf), seq, checkpoint.size, path, checkpoint.root)
        if json.loads(leaf)["seq"] != seq:
            raise VerificationFailed("the proof is about another record", rule="audit.seq")
    except (BadRequest, KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(f"the proof does not hold: {error}", rule="audit.proof") from error


def _verifier_key(path: Path | None, log: str) -> note.VerifierKey:
    if path is None and not _is_url(log):
        beside = (Path(log) / "audit.vkey", Path(log).parent / "audit.vkey")
        path = next((one for one in beside if one.is_file()), None)
    if path is None:
        raise BadRequest(
            "no verifier key is named",
            field="--key",
            remedy="give the audit.vkey that you keep away from the log: --key FILE",
        )
    return note.VerifierKey.parse(files.read(path, _MAX_KEY).decode("ascii", errors="replace"))


def _is_url(log: str) -> bool:
    return log.startswith(("https://", "http://"))


@contextmanager
def _source(log: str, api: Connection) -> Iterator[tiles.Fetch]:
    """Yield what reads the files of a log by name."""
    if not _is_url(log):
        directory = Path(log)
        if not directory.is_dir():
            raise NotFound(f"no directory {log}", field="LOG")
        yield lambda name: _file(directory / name)
        return
    with api.at(log).open() as server:
        yield _remote(server)


def _file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remote(server: "Client") -> tiles.Fetch:
    def fetch(name: str) -> bytes | None:
        path = ("audit", name) if name == tiles.CHECKPOINT else ("audit", "tiles", *name.split("/"))
        try:
            return server.download(*path).data
        except NotFound:
            return None

    return fetch


def _checkpoint(signed: bytes | None, verifier: note.VerifierKey) -> note.Checkpoint:
    if signed is None:
        raise NotFound("the log has no checkpoint", field="checkpoint")
    try:
        checkpoint = note.parse_checkpoint(note.open_note(signed, verifier))
    except CAError as error:
        raise VerificationFailed(str(error), field=error.field, rule=error.rule) from error
    if checkpoint.origin != verifier.name:
        raise VerificationFailed("the checkpoint is of another log", rule="audit.origin")
    return checkpoint


def _walk(fetch: tiles.Fetch, size: int) -> Walk:
    """Read each record once; return the root over them and the span of their times."""
    frontier = merkle.Frontier()
    first: int | None = None
    last: int | None = None
    with _progress(size) as advance:
        for index in range(-(-size // merkle.ROW)):
            tile = tiles.Tile(0, index, min(merkle.ROW, size - index * merkle.ROW))
            leaves = _leaves(fetch, tile)
            for offset, leaf in enumerate(leaves):
                moment = _time_of(leaf, index * merkle.ROW + offset, last)
                first, last = (moment if first is None else first), moment
            for row in frontier.extend([leaf_hash(leaf) for leaf in leaves]):
                _check_tile(fetch, size, row)
            advance(len(leaves))
        for tile in tiles.edge(size):
            _check_tile(fetch, size, merkle.Row(tile.level, tile.index, frontier.row(tile.level)))
    return Walk(frontier.root(), first, last)


def _leaves(fetch: tiles.Fetch, tile: tiles.Tile) -> list[bytes]:
    if (data := fetch(tile.entries_path)) is not None:
        return tiles.decode_bundle(data, tile)
    full = tiles.Tile(tile.level, tile.index)  # the log may have grown meanwhile
    if (data := fetch(full.entries_path)) is None:
        raise VerificationFailed(f"{tile.entries_path} is missing", rule="audit.missing")
    return tiles.decode_bundle(data, full)[: tile.width]


def _time_of(leaf: bytes, seq: int, last: int | None) -> int:
    """Return the record's time after checking its number and the order of times."""
    try:
        record = json.loads(leaf)
        number, moment = record["seq"], record["time"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise VerificationFailed(f"record {seq} is malformed", rule="audit.record") from error
    if number != seq:
        raise VerificationFailed(f"record {seq} calls itself {number}", rule="audit.gap")
    if not isinstance(moment, int) or (last is not None and moment < last):
        raise VerificationFailed(f"record {seq} is older than the one before", rule="audit.order")
    return moment


def _check_tile(fetch: tiles.Fetch, size: int, row: merkle.Row) -> None:
    """The published hashes must be those of the records: others prove with them."""
    # A reader of its own for each, because a reader remembers all it has read.
    if tuple(tiles.TileReader(fetch, size).hashes(row.level, row.index)) != row.hashes:
        path = tiles.Tile(row.level, row.index, len(row.hashes)).path
        raise VerificationFailed(f"{path} does not hold the records' hashes", rule="audit.tile")


def _check_growth(
    fetch: tiles.Fetch,
    checkpoint: note.Checkpoint,
    earlier: bytes | None,
    verifier: note.VerifierKey,
) -> int | None:
    """Prove that the log of *earlier* is a prefix of this one; return its size."""
    if earlier is None:
        return None
    before = _checkpoint(earlier, verifier)
    if before.size > checkpoint.size:
        raise VerificationFailed(
            f"the log shrank from {before.size} to {checkpoint.size} records",
            rule="audit.rolled-back",
        )
    path = tiles.TileReader(fetch, checkpoint.size).consistency_proof(before.size)
    merkle.verify_consistency(before.size, checkpoint.size, before.root, checkpoint.root, path)
    return before.size


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verifying", total=size)
        yield lambda count: progress.advance(task, count)
