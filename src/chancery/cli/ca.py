"""``chancery ca``: certification authorities and their certificates."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from chancery.cli import arguments, ca_edit, ca_new, certificate_view, files, output, tree
from chancery.cli.application import group
from chancery.cli.arguments import AT_LEAST_ONE, NOT_NEGATIVE, Excluded, Permitted
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import note

app = group("ca")
app.command(ca_new.create)
app.command(ca_new.import_, name="import")
app.command(ca_edit.edit)

_COLUMNS: Final = ("name", "state", "parent", "container", "subject", "security_level")
_CERTIFICATES: Final = ("serial", "kind", "issuer", "not_before", "not_after", "current", "coming")
_PENDING: Final = ("id", "issuer", "authority", "subject", "approvers", "approvals_needed")
_MAX_CERTIFICATES: Final = 1_024 * 1_024  # octets: a certificate with its chain

PendingId = Annotated[str, Parameter(help="Id, as `ca pending` shows it.")]
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
    output.show(found, as_json=api.as_json, human=certificate_view.authority)


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
def upload(
    name: Name,
    certificate: files.Input,
    /,
    *,
    chain: Annotated[Path | None, Parameter(help="Certificates above it, if not in there.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Hand in the certificate that an external CA has made, with its chain (PEM, DER or p7)."""
    body = {"certificate": files.public(certificate, _MAX_CERTIFICATES)}
    if chain is not None:
        body["chain"] = files.public(chain, _MAX_CERTIFICATES)
    _changed(name, "certificate", body, api)


@app.command
def renew(
    name: Name,
    /,
    *,
    days: Annotated[
        int | None, Parameter(validator=AT_LEAST_ONE, help="Validity; else as long as before.")
    ] = None,
    path_length: Annotated[
        int | None, Parameter(validator=NOT_NEGATIVE, help="CAs allowed below; else as before.")
    ] = None,
    new_key: Annotated[bool, Parameter(help="Make a new key, too.")] = False,
    key_algorithm: Annotated[str | None, Parameter(help="Kind of the new key.")] = None,
    vault: Annotated[
        str | None, Parameter(help="Vault of the new key; else that of the present one.")
    ] = None,
    takes_over: Annotated[
        str | None, Parameter(help="When the new key takes over (30d, 2027-01-01); else now.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Give an authority a new certificate from the same issuer."""
    body: dict[str, Any] = {
        "days": days,
        "path_length": path_length,
        "key_algorithm": key_algorithm,
        "takes_over": arguments.when(takes_over, time.time(), "--takes-over"),
    }
    with api.open() as server:
        body |= {"new_key": new_key or None, "vault": vault}
        answer = server.post("authorities", name, "renew", body=output.given(body))
        waits = None if api.as_json else _waits(server, name, answer)
    output.show(answer, as_json=api.as_json, human=certificate_view.authority)
    if waits is not None:
        note(waits)


@app.command
def cancel_takeover(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Give up the certificate that would take over, and revoke it."""
    _changed(name, "cancel-takeover", {}, api)


@app.command
def cross_sign(
    name: Name,
    certificate: files.Input,
    /,
    *,
    days: Annotated[int | None, Parameter(validator=AT_LEAST_ONE, help="Validity.")] = None,
    path_length: Annotated[
        int | None, Parameter(validator=NOT_NEGATIVE, help="CAs allowed below the other one.")
    ] = None,
    permitted: Permitted = (),
    excluded: Excluded = (),
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Certify the key of another CA by NAME.

    CERTIFICATE is that CA's own certificate, or its CSR where that asks for a CA.
    Where people must approve, it is pending first: see `ca pending`.
    """
    files.check_free(to, force=force)
    body: Json = {
        "certificate": files.public(certificate, _MAX_CERTIFICATES),
        "days": days,
        "path_length": path_length,
    }
    if permitted or excluded:
        body["name_constraints"] = {"permitted": list(permitted), "excluded": list(excluded)}
    with api.open() as server:
        answer = server.post("authorities", name, "cross-sign", body=output.given(body))
    _signed(answer, to, api, force=force)


@app.command
def pending(*, api: Connection = DEFAULT) -> None:
    """List the CA certificates that wait for approvals."""
    with api.open() as server:
        items = server.items("pending-certificates", limit=None)
        output.listing(items, _PENDING, as_json=api.as_json)


@app.command
def approve(
    pending_id: PendingId,
    /,
    *,
    tbs_sha256: Annotated[str, Parameter(help="Hash of exactly what you approve.")],
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Approve a pending CA certificate.  The last approval that was missing signs it."""
    files.check_free(to, force=force)
    body = {"tbs_sha256": arguments.sha256(tbs_sha256, "--tbs-sha256")}
    with api.open() as server:
        answer = server.post("pending-certificates", pending_id, "approve", body=body)
    _signed(answer, to, api, force=force)


@app.command
def reject(
    pending_id: PendingId,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, for the record.")],
    api: Connection = DEFAULT,
) -> None:
    """Give a pending CA certificate up."""
    with api.open() as server:
        server.post("pending-certificates", pending_id, "reject", body={"reason": reason})
    output.done(pending_id, "rejected", as_json=api.as_json)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Forget an authority that never had a certificate; `disable` is for all others."""
    with api.open() as server:
        server.delete("authorities", name)
    output.done(name, "deleted", as_json=api.as_json)


@app.command
def disable(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Stop an authority from issuing.  CRLs and OCSP answers for it go on."""
    _changed(name, "disable", {}, api)


@app.command
def enable(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Let a disabled authority issue again."""
    _changed(name, "enable", {}, api)


def _changed(name: str, verb: str, body: Mapping[str, object], api: Connection) -> None:
    with api.open() as server:
        answer = server.post("authorities", name, verb, body=output.given(body))
    output.show(answer, as_json=api.as_json, human=certificate_view.authority)


def _waits(server: Client, name: str, answer: Json) -> str | None:
    """Say what the new certificate of an authority still waits for, if it does."""
    if "certificate" not in answer:
        return None
    for one in server.items("pending-certificates", limit=None):
        if one.get("authority") == name:
            return f"its new certificate waits for approvals: `ca pending` shows {one.get('id')}"
    if not answer.get("csr_waiting"):
        return None
    return (
        "its new certificate waits for the other CA:"
        f" fetch the CSR with `ca csr {name}`, hand the answer in with `ca upload {name}`"
    )


def _signed(answer: Json, to: Path | None, api: Connection, *, force: bool) -> None:
    """Show what became of a CA certificate, and keep it if there is one."""
    certificate = answer.get("certificate")
    if to is not None and isinstance(certificate, str):
        files.deliver(certificate.encode(), to, force=force)
        answer = answer | {"file": str(to)}
    output.show(answer, as_json=api.as_json, human=certificate_view.certified)
