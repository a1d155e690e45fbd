"""``chancery request``: ask for certificates, and decide on what others ask for."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from chancery.cli import arguments, files, looking, output, review, submit
from chancery.cli.application import group
from chancery.cli.arguments import All, Id, Limit, Texts
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import OK, PARTIAL, report
from chancery.domain.errors import BadRequest, CAError

app = group("request")
app.command(submit.submit)
app.command(submit.edit)
app.command(looking.queues)
app.command(looking.review)

_COLUMNS: Final = (
    *("id", "state", "approvals_needed", "profile", "subject", "requester", "created_at"),
)
State = Literal["pending", "approved", "issued", "denied", "failed", "expired", "withdrawn"]
Ids = Annotated[str, Parameter(help="Request ids.")]
Code = Annotated[
    str | None,
    Parameter(
        env_var="CHANCERY_REQUEST_CODE", help="Code of an anonymous request, instead of an account."
    ),
]


@app.command
def show(request_id: Id, /, *, code: Code = None, api: Connection = DEFAULT) -> None:
    """Show a request, what exactly would be signed for it, and who has approved it."""
    with api.open(anonymous=code is not None) as server:
        found = server.get("requests", request_id, code=code)
    output.show(found, as_json=api.as_json, human=review.show)


@app.command(name="list")
def list_(
    *,
    state: Annotated[State | None, Parameter(help="Only requests in this state.")] = None,
    ra: Annotated[str | None, Parameter(help="Only requests to this RA.")] = None,
    profile: Annotated[str | None, Parameter(help="Only requests for this profile.")] = None,
    authority: Annotated[str | None, Parameter(help="Only requests to this CA.")] = None,
    requester: Annotated[str | None, Parameter(help="Only what this account asked for.")] = None,
    subject: Annotated[
        str | None, Parameter(help="Only this subject; a * at the end matches any ending.")
    ] = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List requests, newest first: your own, or all if you may read them."""
    with api.open() as server:
        items = server.items(
            "requests",
            limit=None if all_ else limit + 1,
            state=state,
            ra=ra,
            profile=profile,
            authority=authority,
            requester=requester,
            subject=subject,
        )
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def approve(
    request_id: Id,
    /,
    *more: Ids,
    content_sha256: Annotated[
        str | None,
        Parameter(help="Approve only if this is still the hash of the content (one request)."),
    ] = None,
    review_first: Annotated[
        bool,
        Parameter(
            name="--review", help="Show each request and ask; approves exactly what you saw."
        ),
    ] = False,
    api: Connection = DEFAULT,
) -> int:
    """Approve requests.  The last approval needed issues the certificate."""
    if more and content_sha256:
        raise BadRequest("one hash cannot fit several requests", field="--content-sha256")
    seen = arguments.sha256(content_sha256, "--content-sha256") if content_sha256 else None

    def decide(server: Client, one: str) -> Json | None:
        sha256 = seen
        if review_first:
            sha256 = review.confirmed(server.get("requests", one))
            if sha256 is None:
                return None
        body = {"content_sha256": sha256} if sha256 else {}
        answer: Json = server.post("requests", one, "approve", body=body)
        return answer if api.as_json else answer | _progress(server, answer)

    return _each((request_id, *more), decide, api)


@app.command
def deny(
    request_id: Id,
    /,
    *more: Ids,
    reason: Annotated[str, Parameter(help="Why; the requester will read it.")],
    api: Connection = DEFAULT,
) -> int:
    """Deny requests."""
    return _each(
        (request_id, *more),
        lambda server, one: server.post("requests", one, "deny", body={"reason": reason}),
        api,
    )


@app.command
def withdraw(request_id: Id, /, *more: Ids, code: Code = None, api: Connection = DEFAULT) -> int:
    """Take back requests that are still pending."""
    return _each(
        (request_id, *more),
        lambda server, one: server.post("requests", one, "withdraw", params={"code": code}),
        api,
        anonymous=code is not None,
    )


@app.command
def note(
    request_id: Id,
    text: Annotated[str, Parameter(help="What to note; every approver will read it.")],
    /,
    *,
    api: Connection = DEFAULT,
) -> None:
    """Add a note to a request."""
    with api.open() as server:
        answer = server.post("requests", request_id, "notes", body={"text": text})
    output.show(answer, as_json=api.as_json, human=lambda _: print(f"{request_id}: noted"))


@app.command
def delete(request_id: Id, /, *more: Ids, api: Connection = DEFAULT) -> int:
    """Delete requests that never led to a certificate."""

    def remove(server: Client, one: str) -> Json:
        server.delete("requests", one)
        return {"id": one, "deleted": True}

    return _each((request_id, *more), remove, api)


@app.command
def download(
    request_id: Id,
    /,
    *,
    format_: Annotated[
        Literal["pem", "der", "p7", "chain", "p12"],
        Parameter(name="--format", help="p12 holds the key too: server-made keys only."),
    ] = "pem",
    to: files.Output = None,
    force: files.Force = False,
    code: Code = None,
    passphrase_file: Annotated[
        Path | None,
        Parameter(help="File with the passphrase of the p12; else you are asked for it."),
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Fetch the certificate of an issued request."""
    files.check_free(to, force=force)
    headers = {}
    secret = format_ == "p12"
    if secret:
        if to is None:
            raise BadRequest("a p12 needs a file", field="--output", remedy="name one: -o FILE.p12")
        headers["X-Passphrase"] = files.passphrase(passphrase_file)
    with api.open(anonymous=code is not None) as server:
        document = server.download(
            "requests", request_id, "download", headers=headers, format=format_, code=code
        )
    files.deliver(document.data, to, force=force, secret=secret)
    output.delivered(to, len(document.data), as_json=api.as_json)


def _each(
    ids: Texts,
    act: Callable[[Client, str], Json | None],
    api: Connection,
    *,
    anonymous: bool = False,
) -> int:
    """Do one thing to several requests.  One failure does not stop the rest: then the code is 3.

    A single request prints one object and fails with its own exit code.
    """
    if len(ids) == 1:
        with api.open(anonymous=anonymous) as server:
            answer = act(server, ids[0])
        if answer is not None:
            output.show(answer, as_json=api.as_json, human=_line)
        return OK
    failed = 0
    results: list[Any] = []
    with api.open(anonymous=anonymous) as server:
        for one in ids:
            try:
                if (answer := act(server, one)) is None:
                    continue
            except CAError as error:
                failed += 1
                print(f"{one}: ", end="", file=sys.stderr, flush=True) if not api.as_json else None
                report(error, as_json=api.as_json)
                continue
            results.append(answer)
            if not api.as_json:
                _line(answer)
    if api.as_json:
        output.print_json(results)
    return PARTIAL if failed else OK


def _progress(server: Client, answer: Json) -> Json:
    """How many approvals a request has by now, where it needs more."""
    if answer.get("state") != "pending" or not answer.get("approvals_needed"):
        return {}
    return {"approvals": review.counting(server.get("requests", str(answer["id"])))}


def _line(answer: Json) -> None:
    words = [str(answer.get("id", "")), str(answer.get("state", ""))]
    if answer.get("deleted"):
        words[1] = "deleted"
    if (given := answer.get("approvals")) is not None:
        words.append(f"{len(given)} of {answer.get('approvals_needed')} approvals")
    elif serial := answer.get("serial"):
        words.append(f"serial {serial}")
    output.line(" ".join(word for word in words if word))
