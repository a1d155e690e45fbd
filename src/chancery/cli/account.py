"""``chancery account``: what you sign in with."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("account")

SESSION_COLUMNS: Final = (
    "id",
    "user",
    "partner",
    "state",
    "methods",
    "origin",
    "created_at",
    "seen_at",
)
TOKEN_COLUMNS: Final = ("id", "label", "created_at", "expires_at", "last_used_at", "revoked")
_PASSKEY_COLUMNS: Final = ("id", "label", "synced", "created_at", "last_used_at")
Own = Annotated[
    Path | None, Parameter(help="File with your password, which a token alone cannot replace.")
]
SessionId = Annotated[str, Parameter(help="Id of the session.")]
PasskeyId = Annotated[str, Parameter(help="Id of the passkey.")]


@app.command
def password(
    *,
    password_file: Annotated[
        Path | None, Parameter(help="File with the new password; else you are asked for it.")
    ] = None,
    current_password_file: Annotated[
        Path | None, Parameter(help="File with the present one; else you are asked for it.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Change your password; your sessions on the web end."""
    body = {
        "current": files.secret(current_password_file, "current password"),
        "password": files.secret(password_file, "password", confirm=True),
    }
    with api.open() as server:
        server.post("account", "password", body=body)
    output.done("password", "changed", as_json=api.as_json)


@app.command
def factors(*, api: Connection = DEFAULT) -> None:
    """Show your second factors."""
    with api.open() as server:
        found = server.get("account", "factors")
    show_factors(found, as_json=api.as_json)


@app.command
def totp_start(*, password_file: Own = None, api: Connection = DEFAULT) -> None:
    """Show the secret for an authenticator app, once; `totp-confirm` takes it into use."""
    with api.open() as server:
        answer = server.post("account", "totp", body=_proof(password_file))
    answer.pop("picture", None)
    output.show(answer, as_json=api.as_json)


@app.command
def totp_confirm(
    code: Annotated[str, Parameter(help="The code that your app shows now.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Take the authenticator app into use by its first code."""
    with api.open() as server:
        found = server.post("account", "totp", "confirmation", body={"code": code})
    show_factors(found, as_json=api.as_json)


@app.command
def totp_remove(*, password_file: Own = None, api: Connection = DEFAULT) -> None:
    """Take the authenticator app out of use."""
    with api.open() as server:
        found = server.post("account", "totp", "removal", body=_proof(password_file))
    show_factors(found, as_json=api.as_json)


@app.command
def passkeys(*, api: Connection = DEFAULT) -> None:
    """List your passkeys; they are registered on the web."""
    with api.open() as server:
        found = server.get("account", "factors")["passkeys"]
    output.listing(found, _PASSKEY_COLUMNS, as_json=api.as_json)


@app.command
def passkey_rename(
    passkey: PasskeyId,
    label: Annotated[str, Parameter(help="What you call it.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Name a passkey."""
    with api.open() as server:
        server.patch("account", "passkeys", passkey, body={"label": label})
    output.done(passkey, f"named {label}", as_json=api.as_json)


@app.command
def passkey_remove(
    passkey: PasskeyId, /, *, password_file: Own = None, api: Connection = DEFAULT
) -> None:
    """Take a passkey out of use."""
    with api.open() as server:
        found = server.post("account", "passkeys", passkey, "removal", body=_proof(password_file))
    show_factors(found, as_json=api.as_json)


@app.command
def recovery_codes(
    *,
    to: Annotated[
        Path,
        Parameter(
            name=["--output", "-o"],
            allow_leading_hyphen=True,
            help="File for the codes, readable by you alone; - is stdout.",
        ),
    ],
    password_file: Own = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Make ten recovery codes, each good once in place of a second factor; former ones are void."""
    files.check_free(to, force=force)
    with api.open() as server:
        answer = server.post("account", "recovery-codes", body=_proof(password_file))
    text = "\n".join(answer["codes"]) + "\n"
    files.deliver(text.encode(), to, force=force, secret=True)
    if str(to) != files.STDIN:
        output.done(str(to), f"holds {len(answer['codes'])} codes", as_json=api.as_json)


@app.command
def sessions(*, api: Connection = DEFAULT) -> None:
    """List your sessions on the web."""
    with api.open() as server:
        found = server.items("account", "sessions", limit=None)
        output.listing(found, SESSION_COLUMNS, as_json=api.as_json)


@app.command
def end_session(session: SessionId, /, *, api: Connection = DEFAULT) -> None:
    """End one of your sessions on the web; a joint one ends for both."""
    with api.open() as server:
        server.delete("account", "sessions", session)
    output.done(session, "ended", as_json=api.as_json)


@app.command
def end_sessions(*, api: Connection = DEFAULT) -> None:
    """End all your sessions on the web."""
    with api.open() as server:
        server.delete("account", "sessions")
    output.done("sessions", "ended", as_json=api.as_json)


def show_factors(found: Json, *, as_json: bool) -> None:
    """Print what an account signs in with."""
    if not as_json:
        labels = [f"{one['label']} ({one['id']})" for one in found["passkeys"]]
        found = found | {"passkeys": labels}
    output.show(found, as_json=as_json)


def _proof(password_file: Path | None) -> Json:
    return {"password": files.secret(password_file, "password")}
