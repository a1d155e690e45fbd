"""Thousands of submissions in one go: read lazily, sent in batches, answered in order."""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chancery.cli import files, output
from chancery.cli.client import Client, Json
from chancery.cli.connection import Connection
from chancery.cli.failures import OK, PARTIAL, Unexpected, note, one_line
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
    """One submission, and where it came from."""

    source: str
    body: Json


class Keeper:
    """Writes the certificates that come back to a directory, if one is named."""

    def __init__(self, directory: Path | None, *, force: bool) -> None:
        self._directory, self._force = directory, force
        if directory is not None and not directory.is_dir():
            raise BadRequest(f"{directory} is not a directory", field="--certificates")

    def __call__(self, answer: Json, stem: str) -> None:
        certificate = answer.get("certificate")
        if self._directory is not None and isinstance(certificate, str):
            path = self._directory / f"{stem}.pem"
            files.write(path, certificate.encode(), force=self._force)


def submit(source: Path, common: Json, *, start: int, keep: Keeper, api: Connection) -> int:
    """Submit everything in *source* and print one line each, in order.

    Returns 3 when some were refused.  When the server goes away in between,
    what was answered is printed and the error says where to resume.
    """
    items = itertools.islice(_items(source, common), start, None)
    done, failed = start, 0
    with api.open() as server, _progress(source) as progress:
        task = progress.add_task("submitting", total=_count(source), completed=start)
        while batch := list(itertools.islice(items, _BATCH)):
            try:
                for item, answer in _answers(server, batch):
                    failed += "error" in answer
                    _print(answer | {"index": done}, item, as_json=api.as_json)
                    keep(answer, _stem(item, done))
                    done += 1
                    progress.advance(task)
            except CAError:
                note(f"{done} were answered; resume with --start {done}")
                raise
    if not api.as_json:
        note(f"{done - start - failed} accepted, {failed} refused")
    return PARTIAL if failed else OK


def _answers(server: Client, batch: list[Item]) -> Iterator[tuple[Item, Json]]:
    body = b"".join(one_line(item.body).encode() + b"\n" for item in batch)
    answers = server.lines("requests", "bulk", body=body, media_type="application/x-ndjson")
    expected = iter(enumerate(batch))
    for answer in answers:
        index, item = next(expected, (None, None))
        if item is None or answer.get("index") != index:
            raise Unexpected("the answers of the server are out of order", rule="bulk.order")
        yield item, answer
    if next(expected, None) is not None:
        raise Unexpected("the server answered fewer lines than it was sent", rule="bulk.order")


def _items(source: Path, common: Json) -> Iterator[Item]:
    if source.is_dir():
        for path in _csr_files(source):
            yield Item(
                path.name,
                common | {"csr": files.pem_or_base64(files.read(path, _MAX_CSR, "csr.size"))},
            )
        return
    for number, line in enumerate(_lines(source), 1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
        except ValueError as error:
            raise BadRequest(f"line {number} is not JSON: {error}", field=str(source)) from error
        if not isinstance(body, dict):
            raise BadRequest(f"line {number} is not an object", field=str(source))
        yield Item(f"line {number}", common | body)


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


def _bounded(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines, 1):
        if len(line) > _MAX_LINE:
            raise BadRequest(f"line {number} is longer than {_MAX_LINE} octets", field="--bulk")
        yield line


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
        output.line(f"{item.source}: refused: {error.get('detail') or error.get('title')}")
    else:
        words = (answer.get("state"), answer.get("id"), answer.get("serial"))
        output.line(f"{item.source}: " + " ".join(str(word) for word in words if word))


def _progress(source: Path) -> "Progress":
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    del source
    err = Console(stderr=True)
    # Lines on the same terminal would tear the bar apart.
    return Progress(console=err, disable=not sys.stderr.isatty() or sys.stdout.isatty())
