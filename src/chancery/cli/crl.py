"""``chancery crl``: certificate revocation lists."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection

app = group("crl")

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


@app.command
def download(
    *,
    ca: Ca,
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Fetch the latest CRL (DER), as relying parties get it."""
    files.check_free(to, force=force)
    with api.open(anonymous=True) as server:
        document = server.download("crl", f"{ca}.crl", base="")
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)
