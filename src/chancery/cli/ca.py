"""``chancery ca``: certification authorities and their certificates."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import files, output, tree
from chancery.cli.application import group
from chancery.cli.arguments import Excluded, Permitted, Texts
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("ca")
app.command("chancery.cli.ca_new:create", name="create")
app.command("chancery.cli.ca_new:import_", name="import")

_COLUMNS: Final = ("name", "state", "parent", "container", "subject", "security_level")
_CERTIFICATES: Final = ("serial", "kind", "issuer", "not_before", "not_after", "current")
_MAX_CERTIFICATES: Final = 1_024 * 1_024  # octets: a certificate with its chain

Name = Annotated[str, Parameter(help="Name of the CA.")]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the authorities."""
    with api.open() as server:
        items = server.items("authorities", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command(name="tree")
def tree_(*, api: Connection = DEFAULT) -> None:
    """Draw the authorities below one another."""
    with api.open() as server:
        items = list(server.items("authorities", limit=None))
    if api.as_json:
        output.print_json(tree.nested(items))
    else:
        tree.draw(items)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show an authority."""
    with api.open() as server:
        found = server.get("authorities", name)
    output.show(found, as_json=api.as_json)


@app.command
def certificates(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List every certificate an authority ever had: renewals and cross-certificates too."""
    with api.open() as server:
        items = server.items("authorities", name, "certificates", limit=None)
        output.listing(items, _CERTIFICATES, as_json=api.as_json)


@app.command
def export(
    name: Name,
    /,
    *,
    format_: Annotated[
        Literal["pem", "der", "p7", "chain"],
        Parameter(name="--format", help="chain holds the certificates above it too, as PEM."),
    ] = "pem",
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Fetch the certificate of an authority.  Needs no account."""
    files.check_free(to, force=force)
    with api.open(anonymous=True) as server:
        document = server.download("authorities", name, "export", format=format_)
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)


@app.command
def csr(
    name: Name,
    /,
    *,
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Fetch the CSR of an authority that waits for an external certificate."""
    files.check_free(to, force=force)
    with api.open() as server:
        document = server.download("authorities", name, "csr")
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)


@app.command
def upload(name: Name, certificate: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Hand in the certificate that an external CA has made, with its chain (PEM, DER or p7)."""
    data = files.read(certificate, _MAX_CERTIFICATES)
    with api.open() as server:
        answer = server.post(
            "authorities", name, "certificate", body={"certificate": files.pem_or_base64(data)}
        )
    output.show(answer, as_json=api.as_json)


@app.command
def renew(
    name: Name,
    /,
    *,
    days: Annotated[int | None, Parameter(help="Validity; else as long as before.")] = None,
    reason: Annotated[str | None, Parameter(help="Why, for the record of the signer.")] = None,
    approvers: Annotated[
        Texts, Parameter(name="--approver", help="Who approved; repeatable.")
    ] = (),
    api: Connection = DEFAULT,
) -> None:
    """Renew the certificate of an authority, with the same key and name."""
    body: Json = {"days": days, "reason": reason, "approvers": list(approvers) or None}
    _post(name, "renew", body, api)


@app.command
def cross_sign(
    name: Name,
    certificate: files.Input,
    /,
    *,
    days: Annotated[int | None, Parameter(help="Validity.")] = None,
    path_length: Annotated[int | None, Parameter(help="CAs allowed below the other one.")] = None,
    permitted: Permitted = (),
    excluded: Excluded = (),
    reason: Annotated[str | None, Parameter(help="Why, for the record of the signer.")] = None,
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Certify the key of another CA by NAME: CERTIFICATE is that CA's own certificate."""
    files.check_free(to, force=force)
    data = files.read(certificate, _MAX_CERTIFICATES)
    body: Json = {
        "certificate": files.pem_or_base64(data),
        "days": days,
        "path_length": path_length,
        "reason": reason,
    }
    if permitted or excluded:
        body["name_constraints"] = {"permitted": list(permitted), "excluded": list(excluded)}
    answer = _post(name, "cross-sign", body, api, quiet=to is not None)
    if to is not None:
        made = str(answer["certificate"]).encode()
        files.deliver(made, to, force=force)
        output.delivered(to, len(made), as_json=api.as_json)


@app.command
def disable(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Stop an authority from issuing.  CRLs and OCSP answers for it go on."""
    _post(name, "disable", {}, api)


@app.command
def enable(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Let a disabled authority issue again."""
    _post(name, "enable", {}, api)


def _post(name: str, verb: str, body: Json, api: Connection, *, quiet: bool = False) -> Json:
    given = {key: value for key, value in body.items() if value is not None}
    with api.open() as server:
        answer: Json = server.post("authorities", name, verb, body=given)
    if not quiet:
        output.show(answer, as_json=api.as_json)
    return answer
