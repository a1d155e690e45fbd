"""``chancery user``: accounts."""

from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import arguments, files, output
from chancery.cli.account import SESSION_COLUMNS, TOKEN_COLUMNS, show_factors
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("user")

_COLUMNS: Final = (
    "name",
    "display_name",
    "roles",
    "groups",
    "role_class",
    "disabled",
    "locked_until",
)
_MAX_CERTIFICATE: Final = 64 * 1_024  # octets
RoleName = Literal["administrator", "ca-operator", "ra-officer", "auditor", "requester"]
Name = Annotated[str, Parameter(help="Name of the account.")]
Role = Annotated[RoleName, Parameter(help="Role.")]
Roles = Annotated[
    tuple[RoleName, ...],
    Parameter(name="--role", help="Role; repeatable.  Auditors and CA operators hold no other."),
]
RoleClass = Annotated[
    Literal["general", "ca-operations", "audit"] | None,
    Parameter(help="For one without roles as yet: which it may come to hold."),
]
MustChange = Annotated[
    bool, Parameter(name="--must-change", help="Let it be good for choosing another one only.")
]
PasswordFile = Annotated[
    Path | None, Parameter(help="File with the password; else you are asked for it.")
]


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the accounts."""
    with api.open() as server:
        output.listing(server.items("users", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show an account."""
    with api.open() as server:
        found = server.get("users", name)
    output.show(found, as_json=api.as_json)


@app.command
def create(
    name: Name,
    /,
    *,
    display_name: Annotated[str | None, Parameter(help="The person's name.")] = None,
    email: Annotated[str | None, Parameter(help="E-mail address.")] = None,
    role: Roles = (),
    role_class: RoleClass = None,
    password_file: Annotated[
        Path | None,
        Parameter(help="File with the first password; without, only tokens and certificates."),
    ] = None,
    must_change: MustChange = False,
    api: Connection = DEFAULT,
) -> None:
    """Create an account."""
    body: Json = {"name": name, "display_name": display_name, "email": email}
    body |= {"roles": list(role) or None, "role_class": role_class}
    if password_file is not None:
        body["password"] = files.secret(password_file, "password")
    if must_change:
        body["must_change_password"] = True
    with api.open() as server:
        answer = server.post("users", body=output.given(body))
    output.show(answer, as_json=api.as_json)


@app.command
def edit(
    name: Name,
    /,
    *,
    display_name: Annotated[str | None, Parameter(help="The person's name.")] = None,
    email: Annotated[str | None, Parameter(help="E-mail address.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Change the particulars of an account."""
    _patch(name, output.given({"display_name": display_name, "email": email}), api)


@app.command
def disable(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Lock an account out until `enable`, and revoke its tokens for good."""
    _patch(name, {"disabled": True}, api)


@app.command
def enable(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Let a disabled account in again, by password or certificate: its old tokens stay dead."""
    _patch(name, {"disabled": False}, api)


@app.command
def delete(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Delete an account that never asked for anything; disable the others."""
    with api.open() as server:
        server.delete("users", name)
    output.done(name, "deleted", as_json=api.as_json)


@app.command
def password(
    name: Name,
    /,
    *,
    password_file: PasswordFile = None,
    current_password_file: Annotated[
        Path | None, Parameter(help="File with the present password, when it is your own.")
    ] = None,
    must_change: MustChange = False,
    api: Connection = DEFAULT,
) -> None:
    """Set a password, from a file or by asking: never from the command line."""
    body: Json = {"password": files.secret(password_file, "password", confirm=True)}
    if current_password_file is not None:
        body["current"] = files.secret(current_password_file, "current password")
    if must_change:
        body["must_change"] = True
    with api.open() as server:
        server.post("users", name, "password", body=body)
    output.done(name, "password set", as_json=api.as_json)


@app.command
def grant(name: Name, role: Role, /, *, api: Connection = DEFAULT) -> None:
    """Give an account a role."""
    with api.open() as server:
        server.put("users", name, "roles", role)
    output.done(name, f"granted {role}", as_json=api.as_json)


@app.command
def withdraw(name: Name, role: Role, /, *, api: Connection = DEFAULT) -> None:
    """Take a role away."""
    with api.open() as server:
        server.delete("users", name, "roles", role)
    output.done(name, f"withdrew {role}", as_json=api.as_json)


@app.command
def unlock(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """End the lock-out after too many wrong passwords."""
    with api.open() as server:
        server.post("users", name, "unlock")
    output.done(name, "unlocked", as_json=api.as_json)


@app.command
def bind_certificate(name: Name, certificate: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Let a TLS client certificate open an account."""
    data = files.read(certificate, _MAX_CERTIFICATE)
    files.refuse_private_key(data, str(certificate))
    text = files.certificate_pem(data)
    with api.open() as server:
        answer = server.post("users", name, "certificates", body={"certificate": text})
    output.show(answer, as_json=api.as_json)


@app.command
def certificates(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List the TLS client certificates that open an account."""
    with api.open() as server:
        items = server.items("users", name, "certificates", limit=None)
        output.listing(items, ("sha256", "subject", "not_after"), as_json=api.as_json)


@app.command
def unbind_certificate(
    name: Name,
    sha256: Annotated[str, Parameter(help="Its SHA-256, as `certificates` shows it.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Let a TLS client certificate open the account no longer."""
    fingerprint = arguments.sha256(sha256, "SHA256")
    with api.open() as server:
        server.delete("users", name, "certificates", fingerprint)
    output.done(name, f"unbound {fingerprint}", as_json=api.as_json)


@app.command
def factors(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show an account's second factors."""
    with api.open() as server:
        found = server.get("users", name, "factors")
    show_factors(found, as_json=api.as_json)


@app.command
def reset_factors(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Forget all second factors of somebody who lost them; their sessions end."""
    with api.open() as server:
        server.delete("users", name, "factors")
    output.done(name, "second factors reset", as_json=api.as_json)


@app.command
def sessions(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List an account's sessions on the web."""
    with api.open() as server:
        found = server.items("users", name, "sessions", limit=None)
        output.listing(found, SESSION_COLUMNS, as_json=api.as_json)


@app.command
def end_sessions(
    name: Name,
    /,
    *,
    session: Annotated[str | None, Parameter(help="Only the one with this id.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """End an account's sessions on the web."""
    one = (session,) if session is not None else ()
    with api.open() as server:
        server.delete("users", name, "sessions", *one)
    output.done(name, "sessions ended" if session is None else "session ended", as_json=api.as_json)


@app.command
def tokens(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """List an account's API tokens."""
    with api.open() as server:
        found = server.items("users", name, "tokens", limit=None)
        output.listing(found, TOKEN_COLUMNS, as_json=api.as_json)


@app.command
def revoke_token(
    name: Name,
    token_id: Annotated[str, Parameter(help="Id of the token.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Revoke an API token of an account."""
    with api.open() as server:
        server.delete("users", name, "tokens", token_id)
    output.done(token_id, "revoked", as_json=api.as_json)


def _patch(name: str, body: Json, api: Connection) -> None:
    with api.open() as server:
        answer = server.patch("users", name, body=body)
    output.show(answer, as_json=api.as_json)
