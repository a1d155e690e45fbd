"""``chancery certificate import``: certificates that exist already, from files and lists.

Private keys stay where they are: they are taken out of what is sent.
"""

import base64
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import OK, PARTIAL, note
from chancery.domain.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from rich.progress import Progress

_MAX_OCTETS: Final = 48 * 1_024 * 1_024  # of all files together, as the server has it
_SUFFIXES: Final = frozenset({".pem", ".crt", ".cer", ".der", ".p7b", ".p7c", ".csv"})
_SHOWN: Final = 20  # problems on a terminal
_COLUMNS: Final = ("file", "line", "serial", "subject", "problem", "remedy")
_KEY: Final = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [^\r\n]*|\Z)", re.DOTALL
)


def import_(
    *sources: Annotated[
        files.Inputs,
        Parameter(
            help="PEM, DER, PKCS#7, PKCS#12, CSV, the index.txt of `openssl ca`, "
            "or a directory of these (with newcerts/); - is stdin."
        ),
    ],
    ca: Annotated[
        str | None, Parameter(help="CA of entries that come without certificate and issuer.")
    ] = None,
    column: Annotated[
        tuple[str, ...],
        Parameter(help="What a column of a CSV holds: serial=HEADING, not_after=HEADING, ..."),
    ] = (),
    decimal_serials: Annotated[
        bool, Parameter(help="Serial numbers in the CSV are decimal.")
    ] = False,
    passphrase_file: Annotated[
        Path | None, Parameter(help="Passphrase of the PKCS#12 files.")
    ] = None,
    preview: Annotated[bool, Parameter(help="Only say what would become of each.")] = False,
    api: Connection = DEFAULT,
) -> int:
    """Take over existing certificates.  What is on record already is left alone.

    Exits with 3 where some could not be imported.
    """
    passphrase = None if passphrase_file is None else files.secret(passphrase_file, "passphrase")
    body = output.given(
        {
            "files": list(_files(sources, passphrase)),
            "authority": ca,
            "columns": dict(map(_column, column)) or None,
            "decimal": decimal_serials or None,
        }
    )
    with api.open() as server:
        found = server.post("imports", body=body)
        if preview:
            problems = _told(server, found, as_json=api.as_json)
            server.delete("imports", found["id"])
        else:
            done = _committed(server, found)
            problems = _told(server, done, as_json=api.as_json)
    return PARTIAL if problems else OK


def _committed(server: Client, found: Json) -> Json:
    """Go through with it; the last state that the server told of."""
    with _progress() as progress:
        task = progress.add_task("importing", total=found["total"])
        path = ("imports", found["id"], "commit")
        for state in server.lines(*path, body=b"", media_type="application/json"):
            found = state
            progress.update(task, completed=state["position"])
    return found


def _told(server: Client, found: Json, *, as_json: bool) -> int:
    """Print the counts and what is wrong with some; how many these are."""
    problems: list[Mapping[str, object]] = list(
        server.items("imports", found["id"], "rows", limit=None, outcome="problem")
    )
    if as_json:
        output.print_json(found | {"problems": problems})
        return len(problems)
    counts = found["counts"]
    output.record({outcome.replace("_", " "): counts[outcome] for outcome in sorted(counts)})
    if problems:
        output.table(problems[:_SHOWN], _COLUMNS)
        if len(problems) > _SHOWN:
            note(f"{len(problems) - _SHOWN} more problems: --json lists all")
    return len(problems)


def _files(sources: tuple[Path, ...], passphrase: str | None) -> Iterator[Json]:
    total = 0
    for name, path in _named(sources):
        data = files.read(path, _MAX_OCTETS, "import.size")
        total += len(data)
        if total > _MAX_OCTETS:
            raise TooLarge(
                f"more than {_MAX_OCTETS // 2**20} MiB",
                field=str(path),
                rule="import.size",
                remedy="import in several goes: what is on record already is left alone",
            )
        yield _sent(name, data, passphrase)


def _named(sources: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Each file and what to call it; of a directory the files that may hold certificates."""
    for source in sources:
        if not source.is_dir():
            yield source.name, source
            continue
        found = [source / "index.txt"] if (source / "index.txt").is_file() else []
        for directory in (source, source / "newcerts", source / "certs"):
            if directory.is_dir():
                found += sorted(p for p in directory.iterdir() if p.suffix.lower() in _SUFFIXES)
        if not found:
            raise BadRequest(
                f"{source} holds no certificates",
                field=str(source),
                remedy=f"files end in {', '.join(sorted(_SUFFIXES))}, or are called index.txt",
            )
        yield from ((str(path.relative_to(source)), path) for path in found)


def _sent(name: str, data: bytes, passphrase: str | None) -> Json:
    """What goes to the server: the file without the private keys in it."""
    from chancery.wire import bundle  # noqa: PLC0415 - help must not wait for X.509

    if b"-----BEGIN " in data:
        data, keys = _KEY.subn(lambda key: b"\n" * key[0].count(b"\n"), data)
        if keys:
            note(f"{name}: a private key in it was not sent")
    elif bundle.is_pkcs12(data):
        held = list(bundle.read(data, passphrase))
        if wrong := next((one.error for one in held if one.error is not None), None):
            raise BadRequest(f"{name}: {wrong}", field=name, rule=wrong.rule, remedy=wrong.remedy)
        data = b"".join(map(_pem, (one.der for one in held)))
    else:
        files.refuse_private_key(data, name)
    return {"name": name, "base64": base64.b64encode(data).decode()}


def _pem(der: bytes) -> bytes:
    from chancery.wire import pem  # noqa: PLC0415

    return pem.encode("CERTIFICATE", der).encode()


def _column(text: str) -> tuple[str, str]:
    kind, equals, heading = text.partition("=")
    if not equals or not heading:
        raise BadRequest(
            f"{text!r} is not WHAT=HEADING", field="--column", remedy="serial=Serial No."
        )
    return kind.strip().replace("-", "_"), heading


def _progress() -> "Progress":
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    return Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
