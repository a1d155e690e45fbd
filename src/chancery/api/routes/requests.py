"""Certificate requests: found, shown, changed, decided, fetched.  (Submitting: ``api.submit``.)"""

from typing import Annotated, Any

from fastapi import Header, Query, Response
from pydantic import Field

from chancery.api.bodies import RawBody, Using, schema_of
from chancery.api.models import Cursor, In, Limit, Out, PageOut, Reason
from chancery.api.paging import page, paged
from chancery.api.routes.files import file_of
from chancery.api.routing import Door, Who
from chancery.api.submission import EditBody, decode_edit
from chancery.domain.identity import Permission
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import RequestFilter
from chancery.services.preparation import submission_of
from chancery.services.registration import RequestView

door = Door("/requests", "requests")

Code = Annotated[
    str | None, Query(max_length=64, description="Secret code of an anonymous request.")
]


class RequestOut(Out):
    """A certificate request."""

    id: str
    state: RequestState
    kind: str
    profile: str
    profile_sha256: str
    ra: str
    authority: str
    requester: str
    subject: str
    names: list[str]
    key_algorithm: str
    key_sha256: str
    serial: str
    content_sha256: str = Field(description="Hash of what is to be signed; approvals bind it.")
    approvals_needed: int
    created_at: int
    expires_at: int
    decided_at: int | None
    decision_reason: str | None
    certificate_id: str | None
    renews: str | None
    failure: str | None


class ApprovalOut(Out):
    approver: str
    partner: str | None = Field(description="Who was signed in together with the approver.")
    content_sha256: str
    approved_at: int


class NoteOut(Out):
    author: str
    written_at: int
    text: str


class RequestDetailOut(RequestOut):
    """A request with exactly what would be signed."""

    content: dict[str, Any]
    approvals: list[ApprovalOut]
    notes: list[NoteOut]


class ApproveIn(In):
    content_sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="What you saw: if the request has changed since, the approval is refused.",
    )


class DenyIn(In):
    reason: Reason


class NoteIn(In):
    text: Annotated[str, Field(min_length=1, max_length=4096)]


def request_out(request: CertificateRequest) -> RequestOut:
    return RequestOut(**_fields(request))


def _fields(request: CertificateRequest) -> dict[str, Any]:
    fields = {name: getattr(request, name) for name in RequestOut.model_fields}
    return fields | {
        "kind": request.kind.value,
        "names": [name.text for name in request.names],
    }


def _detail(view: RequestView) -> RequestDetailOut:
    return RequestDetailOut(
        **_fields(view.request),
        content=view.content,
        approvals=[
            ApprovalOut(
                approver=a.approver,
                partner=a.partner or None,
                content_sha256=a.content_sha256,
                approved_at=a.approved_at,
            )
            for a in view.approvals
        ],
        notes=[NoteOut(author=n.author, written_at=n.written_at, text=n.text) for n in view.notes],
    )


@door.route("GET", "", Permission.AUTHENTICATED)
def find_requests(
    who: Who,
    using: Using,
    state: RequestState | None = None,
    ra: str | None = None,
    profile: str | None = None,
    requester: str | None = None,
    subject: Annotated[str | None, Query(description="Exact, or a prefix ending in *.")] = None,
    authority: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[RequestOut]:
    """Find requests, newest first: all with request.read-all, else one's own."""
    where = RequestFilter(state, ra, profile, requester, subject, authority)
    found = using.registration.find(who, where, page(cursor, limit))
    return paged(found, limit, lambda request: request.id, request_out)


@door.route("GET", "/{request_id}", Permission.PUBLIC)
def show_request(who: Who, using: Using, request_id: str, code: Code = None) -> RequestDetailOut:
    """Show one request and what it would sign: one's own, by its code, or any with read-all."""
    return _detail(using.registration.show(who, request_id, code))


@door.route("PATCH", "/{request_id}", Permission.REQUEST_SUBMIT, openapi_extra=schema_of(EditBody))
def edit_request(who: Who, using: Using, request_id: str, body: RawBody) -> RequestOut:
    """Change a pending request of one's own; the approvals it had are void."""
    before = using.registration.show(who, request_id).request
    return request_out(
        using.changes.edit(who, request_id, decode_edit(body, submission_of(before)))
    )


@door.route("POST", "/{request_id}/approve", Permission.REQUEST_DECIDE)
def approve_request(
    who: Who, using: Using, request_id: str, body: ApproveIn | None = None
) -> RequestOut:
    """Approve exactly this content; the last approval that was missing issues."""
    seen = body.content_sha256 if body else None
    return request_out(using.decisions.approve(who, request_id, seen))


@door.route("POST", "/{request_id}/deny", Permission.REQUEST_DECIDE)
def deny_request(who: Who, using: Using, request_id: str, body: DenyIn) -> RequestOut:
    """Refuse a request, with a reason that its requester will read."""
    return request_out(using.decisions.deny(who, request_id, body.reason))


@door.route("POST", "/{request_id}/withdraw", Permission.PUBLIC)
def withdraw_request(who: Who, using: Using, request_id: str, code: Code = None) -> RequestOut:
    """Take back a pending request of one's own, or one whose code is known."""
    return request_out(using.changes.withdraw(who, request_id, code))


@door.route("POST", "/{request_id}/notes", Permission.AUTHENTICATED)
def add_note(who: Who, using: Using, request_id: str, body: NoteIn) -> RequestOut:
    """Write a note onto a request that one may see."""
    return request_out(using.changes.add_note(who, request_id, body.text))


@door.route("DELETE", "/{request_id}", Permission.REQUEST_SUBMIT, status=204)
def delete_request(who: Who, using: Using, request_id: str) -> None:
    """Remove a request of one's own that came to nothing."""
    using.changes.delete(who, request_id)


@door.route("GET", "/{request_id}/download", Permission.PUBLIC, response_class=Response)
def download_request(
    who: Who,
    using: Using,
    request_id: str,
    format: Annotated[str, Query(description="pem, der, p7, chain or p12")] = "pem",  # noqa: A002
    code: Code = None,
    x_passphrase: Annotated[
        str | None, Header(max_length=1024, description="Encrypts the PKCS#12 file.")
    ] = None,
) -> Response:
    """Fetch the certificate; ``p12`` with the key, for its requester, if it was made here."""
    return file_of(using.delivery.download(who, request_id, format, code, x_passphrase))
