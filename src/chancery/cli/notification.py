"""``chancery notification``: messages to people and machines."""

from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.arguments import All, Limit
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.domain.errors import BadRequest

app = group("notification")
template = group("template")
template.help = "The words of messages."
app.command(template)

_COLUMNS: Final = (
    *("id", "state", "event", "channel", "recipient", "subject", "attempts", "created_at"),
)
_CHANNELS: Final = ("name", "target", "unsent", "failed", "last_sent_at", "last_error")
_TEMPLATES: Final = ("event", "version", "subject", "created_by", "created_at")
_MAX_FILE: Final = 64 * 1024
Event = Literal[
    "request.waiting",
    "request.approved",
    "request.denied",
    "certificate.issued",
    "certificate.expiring",
    "revocation.requested",
    "crl.late",
    "ca.expiring",
    "job.failed",
    "test",
]
Id = Annotated[str, Parameter(help="Id of the message.")]
About = Annotated[Event, Parameter(help="Which event's words.")]


@app.command
def channels(*, api: Connection = DEFAULT) -> None:
    """List the ways messages go out, and how each does."""
    with api.open() as server:
        items = server.get("notifications", "channels")
        output.listing(items, _CHANNELS, as_json=api.as_json)


@app.command(name="test")
def try_(
    channel: Annotated[str, Parameter(help="mail, or webhook:NAME.")],
    /,
    *,
    address: Annotated[str | None, Parameter(help="For mail: where to; else your own.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Send a message through a channel; `show` tells what became of it."""
    with api.open() as server:
        body = output.given({"address": address})
        answer = server.post("notifications", "channels", channel, "test", body=body)
    output.show(answer, as_json=api.as_json)


@app.command(name="list")
def list_(
    *,
    state: Annotated[
        Literal["waiting", "sent", "failed"] | None, Parameter(help="Only this state.")
    ] = None,
    channel: Annotated[str | None, Parameter(help="Only this channel.")] = None,
    recipient: Annotated[str | None, Parameter(help="Only to this address.")] = None,
    event: Annotated[Event | None, Parameter(help="Only of this event.")] = None,
    about: Annotated[
        str | None, Parameter(help="Only about this: a request's id, CA/SERIAL, a CA.")
    ] = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List messages, newest first."""
    with api.open() as server:
        items = server.items(
            "notifications",
            limit=None if all_ else limit + 1,
            state=state,
            channel=channel,
            recipient=recipient,
            event=event,
            about=about,
        )
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def show(message: Id, /, *, api: Connection = DEFAULT) -> None:
    """Show a message as it was, or will be, sent."""
    with api.open() as server:
        found = server.get("notifications", message)
    output.show(found, as_json=api.as_json)


@app.command
def retry(message: Id, /, *, api: Connection = DEFAULT) -> None:
    """Send it now, under the same id; also one that was sent before."""
    with api.open() as server:
        answer = server.post("notifications", message, "retry")
    output.show(answer, as_json=api.as_json)


@app.command
def unwanted(
    events: Annotated[
        tuple[str, ...], Parameter(help="Events you want no mail of; all, or none of them.")
    ] = (),
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Show which mail you do not want; with events, say so."""
    with api.open() as server:
        if not events:
            answer = server.get("notifications", "preferences")
        else:
            chosen = {"all": ["*"], "none": []}.get(events[0], list(events))
            answer = server.put("notifications", "preferences", body={"unwanted": chosen})
    output.show(answer, as_json=api.as_json)


@template.command(name="list")
def list_templates(*, api: Connection = DEFAULT) -> None:
    """List the words of every event; version 0 is as shipped."""
    with api.open() as server:
        items = server.get("notifications", "templates")
        output.listing(items, _TEMPLATES, as_json=api.as_json)


@template.command(name="show")
def show_template(event: About, /, *, api: Connection = DEFAULT) -> None:
    """Show a template and the values it can use."""
    with api.open() as server:
        found = server.get("notifications", "templates", event)
        found["values"] = server.get("notifications", "templates", event, "values")
    output.show(found, as_json=api.as_json, human=_template)


@template.command(name="versions")
def versions(event: About, /, *, api: Connection = DEFAULT) -> None:
    """List every version."""
    with api.open() as server:
        items = server.get("notifications", "templates", event, "versions")
        output.listing(items, _TEMPLATES, as_json=api.as_json)


@template.command(name="preview")
def preview(
    event: About,
    text: Annotated[Path, Parameter(help="File with the text.")],
    /,
    *,
    subject: Annotated[str, Parameter(help="The subject.")],
    html: Annotated[Path | None, Parameter(help="File with HTML of its own.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Fill a draft in with made-up values; nothing is kept."""
    with api.open() as server:
        body = _draft(subject, text, html)
        answer = server.post("notifications", "templates", event, "preview", body=body)
    output.show(answer, as_json=api.as_json, human=_message)


@template.command(name="put")
def put(
    event: About,
    text: Annotated[Path, Parameter(help="File with the text.")],
    /,
    *,
    subject: Annotated[str, Parameter(help="The subject.")],
    html: Annotated[Path | None, Parameter(help="File with HTML of its own.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Put new words in force; refused if they cannot be filled in."""
    with api.open() as server:
        body = _draft(subject, text, html)
        answer = server.put("notifications", "templates", event, body=body)
    output.show(answer, as_json=api.as_json, human=_template)


@template.command(name="reset")
def reset(event: About, /, *, api: Connection = DEFAULT) -> None:
    """Put the shipped words back in force."""
    with api.open() as server:
        answer = server.delete("notifications", "templates", event)
    output.show(answer, as_json=api.as_json, human=_template)


def _draft(subject: str, text: Path, html: Path | None) -> Json:
    body: Json = {"subject": subject, "text": _read(text)}
    if html is not None:
        body["html"] = _read(html)
    return body


def _read(path: Path) -> str:
    try:
        return files.read(path, _MAX_FILE).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not UTF-8", field=str(path)) from error


def _template(found: Json) -> None:
    apart = {"text", "html", "values"}
    output.record({key: value for key, value in found.items() if key not in apart})
    _lines(found.get("text"))
    if found.get("html"):
        _lines(found["html"])
    if values := found.get("values"):
        output.record(values, heading="values")


def _message(found: Json) -> None:
    output.line(f"Subject: {found['subject']}")
    _lines(found["text"])


def _lines(text: str | None) -> None:
    output.line("")
    for one in (text or "").splitlines():
        output.line(one)
