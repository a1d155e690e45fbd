"""``chancery bundle``: what an offline CA is to sign, as a file or as images."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.arguments import serial as serial_number
from chancery.cli.client import Client
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.instance import AsJson
from chancery.domain.errors import BadRequest, Conflict

app = group("bundle")

_COLUMNS: Final = ("id", "state", "items", "created_by", "created_at", "closed_at")
_MAX: Final = 256 * 1_024  # octets
_WAIT_S: Final = 15.0  # for the checkpoint that covers the bundle

BundleId = Annotated[str, Parameter(help="Id, as `bundle list` shows it.")]


@app.command
def export(
    *,
    ca: Annotated[
        tuple[str, ...], Parameter(help="A CA whose CSR waits; none and no --crl: all that do.")
    ] = (),
    crl: Annotated[
        tuple[str, ...], Parameter(help="An offline CA whose next CRL is wanted; repeatable.")
    ] = (),
    revoke: Annotated[
        tuple[str, ...],
        Parameter(help="CA:SERIAL or CA:SERIAL:REASON, to be revoked first; repeatable."),
    ] = (),
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Write what waits for an offline CA into a bundle, with the proof that this server asks."""
    files.check_free(to, force=force)
    body = {"authorities": list(ca), "crls": _crls(crl, revoke)}
    with api.open() as server:
        made = server.post("custody", "bundles", body=body)
        data = _file(server, made["id"])
    files.deliver(data, to, force=force)
    output.delivered(to, len(data), as_json=api.as_json)


@app.command
def fetch(
    bundle: BundleId,
    /,
    *,
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Write a bundle that was exported before once more."""
    files.check_free(to, force=force)
    with api.open() as server:
        data = _file(server, bundle)
    files.deliver(data, to, force=force)
    output.delivered(to, len(data), as_json=api.as_json)


@app.command(name="import")
def import_(
    answer: files.Input,
    /,
    *,
    key: Annotated[
        Path | None,
        Parameter(name="--key", help="The offline store's .vkey: its signature is checked, too."),
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Take in what the ceremony made of a bundle: whole, and only what was asked for."""
    body = {"answer": files.read(answer, _MAX, "bundle.size").decode(errors="replace")}
    if key is not None:
        body["key"] = files.read(key, 1_024).decode(errors="replace")
    with api.open() as server:
        found = server.post("custody", "bundles", "import", body=body)
    output.show(found, as_json=api.as_json)


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the bundles, newest first."""
    with api.open() as server:
        items = server.items("custody", "bundles", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def show(bundle: BundleId, /, *, api: Connection = DEFAULT) -> None:
    """Show a bundle."""
    with api.open() as server:
        found = server.get("custody", "bundles", bundle)
    output.show(found, as_json=api.as_json)


@app.command
def withdraw(bundle: BundleId, /, *, api: Connection = DEFAULT) -> None:
    """Take a bundle back: an answer to it is refused from now on."""
    with api.open() as server:
        server.delete("custody", "bundles", bundle)
    output.done(bundle, "withdrawn", as_json=api.as_json)


@app.command
def qr(
    bundle: files.Input,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="Directory for the images.")],
    as_json: AsJson = False,
) -> None:
    """Write a bundle, or an answer, as numbered QR images; needs no server."""
    from chancery.adapters import qr as codes  # noqa: PLC0415

    texts = codes.parts(files.read(bundle, _MAX, "bundle.size"))
    out.mkdir(parents=True, exist_ok=True)
    names = [f"bundle-{number:02d}-of-{len(texts):02d}.png" for number in range(1, len(texts) + 1)]
    for name, text in zip(names, texts, strict=True):
        files.write(out / name, codes.image(text), force=False)
    output.show({"directory": str(out), "images": names}, as_json=as_json)


@app.command
def scan(
    *texts: Annotated[
        files.Inputs, Parameter(help="Text files with what a scanner read, a part in each line.")
    ],
    to: files.Output = None,
    force: files.Force = False,
    as_json: AsJson = False,
) -> None:
    """Put a bundle together from the texts of its QR images, in any order; needs no server."""
    from chancery.adapters import qr as codes  # noqa: PLC0415

    files.check_free(to, force=force)
    lines = [
        line
        for path in texts
        for line in files.read(path, _MAX, "bundle.size").decode(errors="replace").splitlines()
    ]
    data = codes.join(lines)
    files.deliver(data, to, force=force)
    output.delivered(to, len(data), as_json=as_json)


def _file(server: Client, bundle: str) -> bytes:
    """The bundle's file, as soon as a checkpoint covers it."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            data: bytes = server.download("custody", "bundles", bundle, "file").data
            return data
        except Conflict as error:
            if error.rule != "audit.uncovered" or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def _crls(names: tuple[str, ...], revoke: tuple[str, ...]) -> list[dict[str, Any]]:
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for text in revoke:
        ca, *rest = text.split(":")
        if not 1 <= len(rest) <= 2:
            raise BadRequest(
                f"{text!r} is not CA:SERIAL:REASON", field="--revoke", remedy="root:1a2b:superseded"
            )
        reason = rest[1] if len(rest) == 2 else "unspecified"
        found.setdefault(ca, []).append((serial_number(rest[0]), reason))
    return [{"authority": name, "revoke": pairs} for name, pairs in found.items()]
