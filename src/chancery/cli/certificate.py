"""``chancery certificate``: find, revoke and renew certificates."""

import time
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import arguments, certificate_view, estate, files, looking, output
from chancery.cli.application import group
from chancery.cli.arguments import All, Limit, ReasonName, Serial, Time
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.mass_revocation import revoke_matching
from chancery.cli.submit import read_csr

app = group("certificate")
app.command(looking.history)
app.command(revoke_matching, name="revoke-matching")
app.command(estate.import_, name="import")

_COLUMNS: Final = ("serial", "status", "authority", "subject", "profile", "not_after")
Comment = Annotated[str, Parameter(help="For the audit log; it is not published.")]
Status = Literal["valid", "held", "revoked"]
Authority = Annotated[
    str | None, Parameter(help="Issuing CA, where two of them chose the same serial.")
]


@app.command(name="list")
def list_(
    *,
    status: Annotated[Status | None, Parameter(help="Only this status.")] = None,
    authority: Annotated[str | None, Parameter(help="Only from this CA.")] = None,
    profile: Annotated[str | None, Parameter(help="Only this profile.")] = None,
    requester: Annotated[str | None, Parameter(help="Only what this account asked for.")] = None,
    subject: Annotated[str | None, Parameter(help="Only this subject; * matches any end.")] = None,
    name: Annotated[
        str | None, Parameter(help="Only this name: www.example.org, dns:www.*, ip:10.0.0.1.")
    ] = None,
    serial: Annotated[str | None, Parameter(help="Only this serial.")] = None,
    search: Annotated[
        str | None,
        Parameter(help="A fingerprint, serial, subject or name, or its beginning; as you like."),
    ] = None,
    sha256: Annotated[
        str | None, Parameter(help="Only this fingerprint: SHA-256 of the certificate.")
    ] = None,
    key_sha256: Annotated[
        str | None, Parameter(help="Only this key: SHA-256 of its SPKI, or its beginning and *.")
    ] = None,
    expires_before: Time = None,
    expires_after: Time = None,
    order: Annotated[
        Literal["newest", "expiry"] | None,
        Parameter(help="Sort; else by expiry where that is asked about, or newest first."),
    ] = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List certificates.  Every condition given must hold."""
    now = time.time()
    with api.open() as server:
        items = server.items(
            "certificates",
            limit=None if all_ else limit + 1,
            status=status,
            authority=authority,
            profile=profile,
            requester=requester,
            subject=subject,
            name=name,
            serial=arguments.serial(serial) if serial is not None else None,
            search=search,
            sha256=sha256.lower() if sha256 is not None else None,
            key_sha256=key_sha256.lower() if key_sha256 is not None else None,
            expires_before=arguments.when(expires_before, now, "--expires-before"),
            expires_after=arguments.when(expires_after, now, "--expires-after"),
            order=order,
        )
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def show(serial: Serial, /, *, authority: Authority = None, api: Connection = DEFAULT) -> None:
    """Show a certificate and where it stands."""
    number = arguments.serial(serial)
    with api.open() as server:
        found = server.get("certificates", number, authority=authority)
    output.show(found, as_json=api.as_json, human=certificate_view.certificate)


@app.command
def download(
    serial: Serial,
    /,
    *,
    format_: Annotated[Literal["pem", "der", "p7", "chain"], Parameter(name="--format")] = "pem",
    authority: Authority = None,
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Fetch a certificate, alone or with its chain."""
    files.check_free(to, force=force)
    number = arguments.serial(serial)
    with api.open() as server:
        document = server.download(
            "certificates", number, "download", format=format_, authority=authority
        )
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)


@app.command
def lint(serial: Serial, /, *, authority: Authority = None, api: Connection = DEFAULT) -> None:
    """Show which linters have judged a certificate, when, and what they said."""
    number = arguments.serial(serial)
    with api.open() as server:
        found = server.get("certificates", number, "lint", authority=authority)
    output.show(found, as_json=api.as_json, human=_judged)


@app.command
def revoke(
    serial: Serial,
    /,
    *,
    reason: Annotated[ReasonName, Parameter(help="CRLReason; hold can be released later.")],
    authority: Authority = None,
    invalidity_date: Annotated[
        Time, Parameter(help="Since when the key is known or suspected to be bad: -3d, 2026-05-01.")
    ] = None,
    comment: Comment = "",
    api: Connection = DEFAULT,
) -> None:
    """Revoke a certificate, for good unless the reason is hold."""
    since = arguments.when(invalidity_date, time.time(), "--invalidity-date")
    if reason in {"hold", "certificateHold"}:
        hold(serial, authority=authority, comment=comment, api=api)
        return
    body: Json = {"reason": reason} | ({"comment": comment} if comment else {})
    if since is not None:
        body["invalidity_date"] = since
    _change(serial, "revoke", body, authority, api)


@app.command
def hold(
    serial: Serial,
    /,
    *,
    authority: Authority = None,
    comment: Comment = "",
    api: Connection = DEFAULT,
) -> None:
    """Suspend a certificate; `release` makes it valid again."""
    _change(serial, "hold", {"comment": comment} if comment else {}, authority, api)


@app.command
def release(serial: Serial, /, *, authority: Authority = None, api: Connection = DEFAULT) -> None:
    """Release a held certificate."""
    _change(serial, "release", {}, authority, api)


@app.command
def renew(
    serial: Serial,
    csr_file: files.Input | None = None,
    /,
    *,
    authority: Authority = None,
    server_key: Annotated[
        bool, Parameter(help="Have another key made by the server, where the first one was.")
    ] = False,
    api: Connection = DEFAULT,
) -> None:
    """Ask for a successor: with the same key, the new key of a CSR file, or one made here."""
    body: Json = read_csr(csr_file) | ({"server_key": True} if server_key else {})
    _change(serial, "renew", body, authority, api)


def _judged(answer: Json) -> None:
    for one in answer["linters"]:
        said = one["findings"] or ["nothing found"]
        output.line(f"{one['linter']}, {output.phrase('linted_at', one['at'], time.time())}:")
        for finding in said:
            output.line(f"  {finding}")
    for linter in answer["waiting"]:
        output.line(f"{linter} has not looked at it yet")


def _change(serial: str, verb: str, body: Json, authority: str | None, api: Connection) -> None:
    if authority is not None:
        body = body | {"authority": authority}
    number = arguments.serial(serial)
    with api.open() as server:
        answer = server.post("certificates", number, verb, body=body)
    output.show(answer, as_json=api.as_json, human=certificate_view.certificate)
