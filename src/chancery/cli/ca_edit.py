"""``chancery ca edit``: labels, and what CRLs an authority makes."""

from typing import Annotated

from cyclopts import Parameter

from chancery.cli import certificate_view, output
from chancery.cli.ca_new import Region, Silo
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.crl_options import USUAL_CRLS, CrlOptions


def edit(
    name: Annotated[str, Parameter(help="Name of the CA.")],
    /,
    *,
    silo: Silo = None,
    region: Region = None,
    crls: CrlOptions = USUAL_CRLS,
    api: Connection = DEFAULT,
) -> None:
    """Change the labels of an authority, and what its CRLs say and how often they come."""
    body = {"silo": silo, "region": region} | crls.body()
    with api.open() as server:
        answer = server.patch("authorities", name, body=output.given(body))
    output.show(answer, as_json=api.as_json, human=certificate_view.authority)
