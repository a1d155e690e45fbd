"""``chancery token``: your bearer tokens."""

import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.arguments import AT_LEAST_ONE, Texts
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import Unexpected
from chancery.domain.errors import NotAuthenticated

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
    code_file: Annotated[
        Path | None,
        Parameter(help="File with a code of your second factor; else you are asked where needed."),
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
    code = files.secret(code_file, "code") if code_file is not None else None
    with api.open(basic=basic) as server:
        try:
            answer = _made(server, body, code)
        except NotAuthenticated as refused:
            if refused.rule != "second-factor" or basic is None or not sys.stdin.isatty():
                raise
            answer = _made(server, body, files.secret(None, "code of your second factor"))
    secret = answer.pop("token", None)
    if not isinstance(secret, str):
        raise Unexpected("the server sent no token")
    files.deliver(secret.encode() + b"\n", to, force=force, secret=True)
    if str(to) != files.STDIN:
        output.show(answer | {"file": str(to)}, as_json=api.as_json)


def _made(server: Client, body: Json, code: str | None) -> Json:
    beside = {"Chancery-Code": code} if code is not None else None
    answer: Json = server.post("session", "token", body=body, headers=beside)
    return answer


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
