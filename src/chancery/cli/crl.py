"""``chancery crl``: certificate revocation lists."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("crl")

_COLUMNS: Final = ("name", "number", "base", "entries", "size", "this_update", "next_update")
_PUBLISHERS: Final = ("publisher", "files", "behind", "published_at", "attempts", "error")
_URLS: Final = ("url", "state", "number", "next_update", "said")
_MAX_CRL: Final = 700_000  # octets: what the server takes

Ca = Annotated[str, Parameter(name="--ca", help="Name of the CA.")]


@app.command
def issue(*, ca: Ca, api: Connection = DEFAULT) -> None:
    """Sign and publish a CRL now, ahead of its schedule."""
    with api.open() as server:
        answer = server.post("authorities", ca, "crl")
    output.show(answer, as_json=api.as_json)


@app.command
def upload(crl: files.Input, /, *, ca: Ca, api: Connection = DEFAULT) -> None:
    """Publish the CRL (DER or PEM) that an offline CA signed in its ceremony."""
    body = {"crl": files.public(crl, _MAX_CRL)}
    with api.open() as server:
        answer = server.post("authorities", ca, "crl", "upload", body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def show(*, ca: Ca, api: Connection = DEFAULT) -> None:
    """Show number, dates and size of the latest CRL."""
    with api.open() as server:
        answer = server.get("authorities", ca, "crl")
    output.show(answer, as_json=api.as_json)


@app.command(name="list")
def list_(*, ca: Ca, api: Connection = DEFAULT) -> None:
    """List the CRLs in force: full, delta, shards and the others, of every key."""
    with api.open() as server:
        items = server.items("authorities", ca, "crls", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def publication(*, api: Connection = DEFAULT) -> None:
    """Show where CRLs and certificates have got to, and what the watchdog saw there."""
    with api.open() as server:
        answer = server.get("publication")
    output.show(answer, as_json=api.as_json, human=_publication)


@app.command
def retry(
    publisher: Annotated[str, Parameter(help="Name, as `crl publication` shows it.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Try again now what failed at a publisher."""
    with api.open() as server:
        server.post("publication", publisher, "retry")
    output.done(publisher, "tried again", as_json=api.as_json)


@app.command
def download(
    *,
    ca: Ca,
    part: Annotated[
        str | None, Parameter(name="--part", help="delta, ca, indirect, or a shard: 3; else full.")
    ] = None,
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Fetch the latest CRL (DER), as relying parties get it."""
    files.check_free(to, force=force)
    with api.open(anonymous=True) as server:
        path = ("crl", f"{ca}.crl") if part is None else ("crl", ca, f"{part}.crl")
        document = server.download(*path, base="")
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)


def _publication(answer: Json) -> None:
    output.table(answer.get("publishers", []), _PUBLISHERS)
    if urls := answer.get("urls"):
        output.table(urls, _URLS)
