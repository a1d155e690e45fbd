"""Thousands of submissions in one go: read lazily, sent in batches, answered in order."""

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from chancery.cli import files, output
from chancery.cli.client import Client, Json
from chancery.cli.connection import Connection
from chancery.cli.failures import OK, PARTIAL, Unexpected, note, one_line, problem, told
from chancery.domain.errors import BadRequest, CAError

if TYPE_CHECKING:
    from rich.progress import Progress

# The server may answer the first lines while it reads the last ones, and HTTP/1.1
# clients read no answer before they have sent everything: a batch must fit into
# the buffers between us, or both would wait for the other.
_BATCH: Final = 250
_MAX_LINE: Final = 256 * 1_024  # octets
_MAX_CSR: Final = 64 * 1_024
_SUFFIXES: Final = frozenset({".csr", ".pem", ".der", ".req", ".p10"})


@dataclass(frozen=True, slots=True)
class Item:
    """One submission and where it came from; *read* raises CAError where it is none."""

    source: str
    read: Callable[[], Json]


class Keeper:
    """Writes the certificates that come back to a directory, if one is named."""

    def __init__(self, directory: Path | None, *, force: bool) -> None:
        self._directory, self._force = directory, force
        if directory is None:
            return
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadRequest(
                f"cannot make the directory {directory}: {(error.strerror or str(error)).lower()}",
                field="--certificates",
            ) from error

    def __call__(self, answer: Json, stem: str) -> None:
        certificate = answer.get("certificate")
        if self._directory is not None and isinstance(certificate, str):
            path = self._directory / f"{stem}.pem"
            files.write(path, certificate.encode(), force=self._force)


def submit(source: Path, common: Json, *, start: int, keep: Keeper, api: Connection) -> int:
    """Submit everything in *source* and print one line each, in order.

    What cannot be read is refused here, in its place, and does not stop the
    rest.  Returns 3 when some were refused.  When the server goes away in
    between, what was answered is printed and the error says where to resume.
    """
    items = itertools.islice(_items(source, common), start, None)
    done, failed = start, 0
    with api.open() as server, _progress() as progress:
        task = progress.add_task("submitting", total=_count(source), completed=start)
        while batch := list(itertools.islice(items, _BATCH)):
            try:
                for item, answer in _answers(server, batch):
                    failed += "error" in answer
                    _print(answer | {"index": done}, item, as_json=api.as_json)
                    done += 1
                    keep(answer, _stem(item, done - 1))
                    progress.advance(task)
            except CAError:
                note(f"{done} were answered; resume with --start {done}")
                raise
    if not api.as_json:
        note(f"{done - start - failed} accepted, {failed} refused")
    return PARTIAL if failed else OK


def _answers(server: Client, batch: list[Item]) -> Iterator[tuple[Item, Json]]:
    """Yield what became of each item, in order: our own refusals among the server's answers."""
    bodies = [_read(item) for item in batch]
    sent = [body for body in bodies if not isinstance(body, CAError)]
    answers = _sent(server, sent) if sent else iter(())
    for item, body in zip(batch, bodies, strict=True):
        yield item, {"error": problem(body)} if isinstance(body, CAError) else next(answers)
    next(answers, None)  # there is none: it checks that


def _read(item: Item) -> Json | CAError:
    try:
        return item.read()
    except CAError as error:
        return error


def _sent(server: Client, bodies: list[Json]) -> Iterator[Json]:
    """Send *bodies* and yield as many answers, or raise Unexpected."""
    body = b"".join(one_line(one).encode() + b"\n" for one in bodies)
    answers = server.lines("requests", "bulk", body=body, media_type="application/x-ndjson")
    count = 0
    for answer in answers:
        if count == len(bodies) or answer.get("index") != count:
            raise Unexpected("the answers of the server are out of order", rule="bulk.order")
        count += 1
        yield answer
    if count < len(bodies):
        raise Unexpected("the server answered fewer lines than it was sent", rule="bulk.order")


def _items(source: Path, common: Json) -> Iterator[Item]:
    """Yield the items unread, so that skipping them costs and refuses nothing."""
    if source.is_dir():
        for path in _csr_files(source):
            yield Item(path.name, partial(_from_file, path, common))
        return
    for number, line in enumerate(_lines(source), 1):
        if line.strip():
            yield Item(f"line {number}", partial(_from_line, line, number, common))


def _from_file(path: Path, common: Json) -> Json:
    return common | {"csr": files.public(path, _MAX_CSR, "csr.size")}


def _from_line(line: bytes, number: int, common: Json) -> Json:
    def refused(message: str) -> BadRequest:
        return BadRequest(
            f"line {number} {message}",
            field="--bulk",
            rule="bulk.line",
            remedy='write one submission a line: {"csr": "...", "names": ["dns:..."]}',
        )

    if len(line) > _MAX_LINE:
        raise refused(f"is longer than {_MAX_LINE} octets")
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise refused(f"is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise refused("is not an object")
    if isinstance(csr := body.get("csr"), str):
        files.refuse_private_key(csr.encode(errors="replace"), f"line {number}")
    return common | body


def _lines(source: Path) -> Iterator[bytes]:
    try:
        if str(source) == files.STDIN:
            yield from _bounded(sys.stdin.buffer)
            return
        with source.open("rb") as file:
            yield from _bounded(file)
    except OSError as error:
        raise BadRequest(
            f"cannot read {source}: {(error.strerror or str(error)).lower()}", field="--bulk"
        ) from error


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; of one that is too long, its beginning, which is too long as well."""
    while line := file.readline(_MAX_LINE + 1):
        yield line
        while len(line) > _MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(_MAX_LINE + 1)


def _csr_files(directory: Path) -> list[Path]:
    found = sorted(path for path in directory.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise BadRequest(
            f"{directory} holds no CSR",
            field="--bulk",
            remedy=f"files end in {', '.join(sorted(_SUFFIXES))}",
        )
    return found


def _count(source: Path) -> int | None:
    return len(_csr_files(source)) if source.is_dir() else None


def _stem(item: Item, index: int) -> str:
    return Path(item.source).stem if not item.source.startswith("line ") else f"{index:06d}"


def _print(answer: Json, item: Item, *, as_json: bool) -> None:
    if as_json:
        print(one_line({"index": answer["index"], "source": item.source} | answer), flush=True)
        return
    error = answer.get("error")
    if isinstance(error, dict):
        output.line(f"{item.source}: refused: {told(error)}")
    else:
        words = (answer.get("state"), answer.get("id"), answer.get("serial"))
        output.line(f"{item.source}: " + " ".join(str(word) for word in words if word))


def _progress() -> "Progress":
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    err = Console(stderr=True)
    # Lines on the same terminal would tear the bar apart.
    return Progress(console=err, disable=not sys.stderr.isatty() or sys.stdout.isatty())
