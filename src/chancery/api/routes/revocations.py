"""Revocation by holders: with their key at once, with their code once an officer agrees."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Name, Out, PageOut, Reason, Text
from chancery.api.paging import page, paged
from chancery.api.routing import Door, Who
from chancery.api.submission import octets
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.portal import HOLDER_REASONS, RevocationRequest, RevocationRequestState
from chancery.services.portal import signing
from chancery.wire import statement

door = Door("/revocations", "revocations")

ReasonWord = Annotated[
    str, Field(max_length=64, description="A CRLReason by name.", examples=["keyCompromise"])
]


class ChallengeIn(In):
    """Either *certificate* or *serial*."""

    reason: ReasonWord
    certificate: Annotated[str, Field(max_length=100_000)] | None = Field(
        default=None, description="PEM, or base64 of the DER."
    )
    serial: Annotated[str, Field(max_length=80)] | None = None
    authority: Name | None = None


class ChallengeOut(Out):
    line: str = Field(description="What to sign, without a line end.")
    expires_at: int
    command: str = Field(description="For a POSIX shell, with an RSA or P-256 key.")


class ProofIn(In):
    line: Annotated[str, Field(max_length=400)]
    signature: Annotated[str, Field(max_length=32_768, description="Base64.")]


class RevokedOut(Out):
    authority: str
    serial: str
    status: str
    reason: str
    revoked_at: int


class AskIn(In):
    reason: ReasonWord
    note: Text = ""


class AcceptIn(In):
    reason: ReasonWord | None = Field(default=None, description="Another reason than wished.")


class RefuseIn(In):
    reason: Reason


class WishOut(Out):
    """A wish to revoke."""

    id: str
    request_id: str
    authority: str
    serial: str
    reason: str
    note: str
    state: RevocationRequestState
    created_at: int
    decided_at: int | None
    decided_by: str | None
    answer: str | None


def wish_out(wish: RevocationRequest) -> WishOut:
    fields = {name: getattr(wish, name) for name in WishOut.model_fields}
    return WishOut(**fields | {"reason": wish.reason.name})


def _reason(name: str) -> RevocationReason:
    try:
        return RevocationReason[name]
    except KeyError:
        raise BadRequest(
            f"no revocation reason {name[:40]!r}",
            field="reason",
            rule="reason.known",
            remedy="one of: " + ", ".join(one.name for one in HOLDER_REASONS),
        ) from None


@door.route("POST", "/challenge", Permission.PUBLIC)
def challenge(who: Who, using: Using, body: ChallengeIn) -> ChallengeOut:
    """Get a line to sign with a certificate's own key, in order to revoke it."""
    certificate = None
    if body.certificate is not None:
        certificate = octets(body.certificate, "certificate")
    made = using.portal.revocation.challenge(
        who,
        _reason(body.reason),
        certificate=certificate,
        serial=body.serial,
        authority=body.authority,
    )
    return ChallengeOut(
        line=made.text, expires_at=made.expires_at, command=signing.command(made.text, "rsa")
    )


@door.route("POST", "/proof", Permission.PUBLIC)
def prove(who: Who, using: Using, body: ProofIn) -> RevokedOut:
    """Revoke at once: the line, and a signature over it by the certificate's key."""
    signature = statement.decode_signature(body.signature.encode())
    record = using.portal.revocation.prove(who, body.line, signature)
    assert record.reason is not None
    assert record.revoked_at is not None
    return RevokedOut(
        authority=record.authority,
        serial=record.serial,
        status=record.status.value,
        reason=record.reason.name,
        revoked_at=record.revoked_at,
    )


@door.route("POST", "/requests/{request_id}", Permission.PUBLIC, status=201)
def ask(
    who: Who,
    using: Using,
    request_id: str,
    body: AskIn,
    code: Annotated[str | None, Query(max_length=64, description="Secret code.")] = None,
) -> WishOut:
    """Ask the officers to revoke what was issued for a request."""
    return wish_out(using.portal.wishes.ask(who, request_id, code, _reason(body.reason), body.note))


@door.route("GET", "", Permission.CERTIFICATE_REVOKE)
def find(
    who: Who,
    using: Using,
    state: RevocationRequestState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[WishOut]:
    """List wishes to revoke, newest first."""
    asked = page(cursor, limit)
    found = using.portal.wishes.find(who, state, asked.cursor, asked.limit)
    return paged(found, limit, lambda wish: wish.id, wish_out)


@door.route("GET", "/{wish_id}", Permission.CERTIFICATE_REVOKE)
def show(who: Who, using: Using, wish_id: str) -> WishOut:
    """Show one wish to revoke."""
    return wish_out(using.portal.wishes.show(who, wish_id))


@door.route("POST", "/{wish_id}/accept", Permission.CERTIFICATE_REVOKE)
def accept(who: Who, using: Using, wish_id: str, body: AcceptIn | None = None) -> WishOut:
    """Revoke as wished, or for another reason."""
    reason = _reason(body.reason) if body and body.reason else None
    return wish_out(using.portal.wishes.accept(who, wish_id, reason))


@door.route("POST", "/{wish_id}/refuse", Permission.CERTIFICATE_REVOKE)
def refuse(who: Who, using: Using, wish_id: str, body: RefuseIn) -> WishOut:
    """Leave it valid, with a reason that the asker will read."""
    return wish_out(using.portal.wishes.refuse(who, wish_id, body.reason))
