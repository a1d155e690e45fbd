"""``chancery token``: your bearer tokens."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.arguments import AT_LEAST_ONE, Texts
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import Unexpected

app = group("token")

_COLUMNS: Final = ("id", "label", "created_at", "expires_at", "last_used_at", "revoked")


@app.command
def create(
    *,
    to: Annotated[
        Path,
        Parameter(
            name=["--output", "-o"],
            allow_leading_hyphen=True,
            help="File for the token, readable by you alone; - is stdout.",
        ),
    ],
    user: Annotated[
        str | None, Parameter(help="Sign in with this account's password instead of a token.")
    ] = None,
    password_file: Annotated[
        Path | None, Parameter(help="File with that password; else you are asked for it.")
    ] = None,
    label: Annotated[str | None, Parameter(help="What it is for.")] = None,
    days: Annotated[
        int | None, Parameter(validator=AT_LEAST_ONE, help="How long it lasts.")
    ] = None,
    scope: Annotated[
        Texts, Parameter(help="Allow only this permission (see `whoami`); repeatable.")
    ] = (),
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Make a token and write it to a file: it is never shown, and never shown again."""
    files.check_free(to, force=force)
    basic = (user, files.secret(password_file, "password")) if user is not None else None
    body: Json = output.given({"label": label, "days": days, "scopes": list(scope) or None})
    with api.open(basic=basic) as server:
        answer = server.post("session", "token", body=body)
    secret = answer.pop("token", None)
    if not isinstance(secret, str):
        raise Unexpected("the server sent no token")
    files.deliver(secret.encode() + b"\n", to, force=force, secret=True)
    if str(to) != files.STDIN:
        output.show(answer | {"file": str(to)}, as_json=api.as_json)


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List your tokens; what they hold is not on record."""
    with api.open() as server:
        output.listing(server.items("tokens", limit=None), _COLUMNS, as_json=api.as_json)


@app.command
def revoke(
    token_id: Annotated[str, Parameter(help="Id of the token.")], /, *, api: Connection = DEFAULT
) -> None:
    """Revoke one of your tokens."""
    with api.open() as server:
        server.delete("tokens", token_id)
    output.done(token_id, "revoked", as_json=api.as_json)
