"""``chancery revocation``: by who holds the key, or, once an officer agrees, who knows the code."""

import base64
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.arguments import All, Id, Limit, ReasonName
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("revocation")

_COLUMNS: Final = ("id", "state", "authority", "serial", "reason", "created_at", "note")
_MAX: Final = 64 * 1024  # octets of a certificate or signature file
HolderReason = Literal[
    "keyCompromise", "superseded", "cessationOfOperation", "affiliationChanged", "unspecified"
]
Reason = Annotated[HolderReason, Parameter(help="Why.")]
State = Literal["open", "accepted", "refused"]
Wish = Annotated[str, Parameter(help="Id of the wish, as `revocation list` prints it.")]


@app.command
def challenge(
    certificate_file: files.Input, /, *, reason: Reason, api: Connection = DEFAULT
) -> None:
    """Get the line to sign with a certificate's own key, in order to revoke it."""
    body = {"certificate": files.public(certificate_file, _MAX), "reason": reason}
    with api.open() as server:
        made = server.post("revocations", "challenge", body=body)
    output.show(made, as_json=api.as_json, human=_challenge)


@app.command
def prove(
    signature_file: files.Input,
    /,
    *,
    line: Annotated[str, Parameter(help="The line that was signed.")],
    api: Connection = DEFAULT,
) -> None:
    """Revoke at once: the signature of a line by the certificate's key, raw or in base64."""
    data = files.read(signature_file, _MAX, "signature.size")
    signature = data.decode() if data.isascii() else base64.b64encode(data).decode()
    with api.open() as server:
        answer = server.post("revocations", "proof", body={"line": line, "signature": signature})
    output.show(answer, as_json=api.as_json)


@app.command
def ask(
    request_id: Id,
    /,
    *,
    code: Annotated[
        str, Parameter(env_var="CHANCERY_REQUEST_CODE", help="The code given at submission.")
    ],
    reason: Reason,
    note: Annotated[str | None, Parameter(help="A word to who decides.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Ask the officers to revoke what was issued for a request."""
    body = output.given({"reason": reason, "note": note})
    with api.open(anonymous=True) as server:
        answer = server.call(
            "POST", ("revocations", "requests", request_id), body=body, params={"code": code}
        )
    output.show(answer, as_json=api.as_json)


@app.command(name="list")
def list_(
    *,
    state: Annotated[State | None, Parameter(help="Only wishes in this state.")] = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List wishes to revoke, newest first."""
    with api.open() as server:
        items = server.items("revocations", limit=None if all_ else limit + 1, state=state)
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def show(wish_id: Wish, /, *, api: Connection = DEFAULT) -> None:
    """Show one wish to revoke."""
    with api.open() as server:
        found = server.get("revocations", wish_id)
    output.show(found, as_json=api.as_json)


@app.command
def accept(
    wish_id: Wish,
    /,
    *,
    reason: Annotated[ReasonName | None, Parameter(help="Another reason than wished.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Revoke as wished."""
    with api.open() as server:
        answer = server.post(
            "revocations", wish_id, "accept", body=output.given({"reason": reason})
        )
    output.show(answer, as_json=api.as_json)


@app.command
def refuse(
    wish_id: Wish,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; the asker will read it.")],
    api: Connection = DEFAULT,
) -> None:
    """Leave the certificate valid."""
    with api.open() as server:
        answer = server.post("revocations", wish_id, "refuse", body={"reason": reason})
    output.show(answer, as_json=api.as_json)


def _challenge(made: Json) -> None:
    output.line(made["line"])
    output.line("# sign the line above, without a line end; with an RSA or P-256 key:")
    output.line(made["command"])
    output.line("# then: chancery revocation prove SIGNATURE_FILE --line 'LINE'")
