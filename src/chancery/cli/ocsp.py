"""``chancery ocsp``: what an authority's OCSP answers say."""

from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.domain.status import SignedRequests, Unissued

app = group("ocsp")

Ca = Annotated[str, Parameter(name="--ca", help="Name of the CA.")]
_DAY_S = 86_400
_COLUMNS: Final = ("label", "subject", "algorithm", "not_before", "not_after", "renewed_at")


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List who answers for each key, until when, and when that is renewed."""
    with api.open() as server:
        items = server.items("ocsp", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def show(*, ca: Ca, api: Connection = DEFAULT) -> None:
    """Show what answers say beyond good and revoked."""
    with api.open() as server:
        answer = server.get("ocsp", ca)
    output.show(answer, as_json=api.as_json)


@app.command
def edit(
    *,
    ca: Ca,
    unissued: Annotated[
        Unissued | None, Parameter(help="What is said of serials that were never issued.")
    ] = None,
    archive_days: Annotated[
        int | None,
        Parameter(help="Days that a status can be asked for after the end; 0: do not say."),
    ] = None,
    requests: Annotated[
        SignedRequests | None, Parameter(help="What becomes of signatures on requests.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Change it; what is not given stays."""
    with api.open() as server:
        body = {key: value for key, value in server.get("ocsp", ca).items() if key != "authority"}
        if unissued is not None:
            body["unissued"] = unissued.value
        if requests is not None:
            body["requests"] = requests.value
        if archive_days is not None:
            body["archive_s"] = archive_days * _DAY_S or None
        answer = server.put("ocsp", ca, body=body)
    output.show(answer, as_json=api.as_json)
