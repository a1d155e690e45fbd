"""Certificates of authorities: taken in, renewed, cross-signed, approved by enough people."""

import base64
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from chancery.api.bodies import RawBody, Using, object_of, schema_of
from chancery.api.models import In, Name, Out, Reason
from chancery.api.routes.authorities import AuthorityOut, authority_out, door, pem_of
from chancery.api.routing import Door, Who
from chancery.api.submission import octets
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.certificate import CertificateRecord
from chancery.domain.identity import Permission
from chancery.services.authority import Extensions, ImportedAuthority, PendingCertificate
from chancery.wire import documents

pending = Door("/pending-certificates", "authorities")

_FILES = ("certificate", "chain", "key", "pkcs12")
Certificates = Annotated[
    str, Field(max_length=1_000_000, description="PEM, or base64 of DER or PKCS#7.")
]
Days = Annotated[int, Field(ge=1, le=36_500)]
PathLength = Annotated[int, Field(ge=0, le=100)]


class UploadIn(In):
    certificate: Certificates
    chain: Certificates | None = None


class RenewAuthorityIn(In):
    """Without *days* the validity and path length stay as they were."""

    new_key: bool = False
    key_algorithm: Annotated[KeyAlgorithm, Field(strict=False)] | None = Field(
        default=None, description="With a new key; else that of the present one."
    )
    vault: Name | None = Field(
        default=None, description="Where a new key is made; else where the present one is."
    )
    days: Days | None = None
    path_length: PathLength | None = None
    takes_over: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="With a new key: when it takes over, Unix seconds; else now."
    )


class ConstraintsIn(In):
    permitted: list[str] = Field(default_factory=list, max_length=100)
    excluded: list[str] = Field(default_factory=list, max_length=100)


class CrossSignIn(In):
    certificate: Certificates
    days: Days | None = None
    path_length: PathLength | None = None
    name_constraints: ConstraintsIn | None = None


class CrossSignedOut(Out):
    """A cross-certificate, or that it waits for approvals."""

    state: str = Field(examples=["issued", "pending"])
    serial: str | None = None
    certificate: str | None = Field(default=None, description="PEM")


class PendingOut(Out):
    """A CA certificate that waits for approvals; *tbs_sha256* is what an approval names."""

    id: str
    issuer: str
    authority: str
    kind: str
    serial: str
    subject: str
    tbs_sha256: str
    approvers: list[str]
    approvals_needed: int
    created_at: int


class ApprovePendingIn(In):
    tbs_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class RejectPendingIn(In):
    reason: Reason


def _pending_out(one: PendingCertificate) -> PendingOut:
    fields = {name: getattr(one, name) for name in PendingOut.model_fields}
    return PendingOut(**fields | {"kind": one.kind.value, "approvers": list(one.approvers)})


def _signed(record: CertificateRecord | None) -> CrossSignedOut:
    if record is None:
        return CrossSignedOut(state="pending")
    return CrossSignedOut(state="issued", serial=record.serial, certificate=pem_of(record.der))


@door.route(
    "POST",
    "/import",
    Permission.AUTHORITY_MANAGE,
    status=201,
    openapi_extra=schema_of(ImportedAuthority),
)
def import_authority(who: Who, using: Using, body: RawBody) -> AuthorityOut:
    """Take in an authority from elsewhere, with its key or without; files as PEM or base64."""
    given = object_of(body)
    for field in _FILES:
        if isinstance(text := given.get(field), str):
            given[field] = base64.b64encode(octets(text, field)).decode()
    new = documents.decode(ImportedAuthority, given, "authority")
    return authority_out(using.authorities.import_authority(who, new))


@door.route("POST", "/{name}/certificate", Permission.AUTHORITY_MANAGE)
def upload_certificate(who: Who, using: Using, name: str, body: UploadIn) -> AuthorityOut:
    """Hand in the certificate that was made from an authority's CSR."""
    certificate = octets(body.certificate, "certificate")
    chain = octets(body.chain, "chain") if body.chain is not None else None
    return authority_out(using.authorities.upload_certificate(who, name, certificate, chain))


@door.route("POST", "/{name}/renew", Permission.AUTHORITY_MANAGE)
def renew_authority(
    who: Who, using: Using, name: str, body: RenewAuthorityIn | None = None
) -> AuthorityOut:
    """Give an authority a new certificate, from the same issuer as before."""
    body = body or RenewAuthorityIn()
    extensions = _extensions(days=body.days, path_length=body.path_length)
    return authority_out(
        using.authorities.renew(
            who,
            name,
            new_key=body.new_key,
            key_algorithm=body.key_algorithm,
            vault=body.vault,
            extensions=extensions,
            takes_over=body.takes_over,
        )
    )


@door.route("POST", "/{name}/cancel-takeover", Permission.AUTHORITY_MANAGE)
def cancel_takeover(who: Who, using: Using, name: str) -> AuthorityOut:
    """Give up the certificate that would take over, and revoke it."""
    return authority_out(using.authorities.cancel_takeover(who, name))


@door.route("POST", "/{name}/cross-sign", Permission.AUTHORITY_MANAGE, status=201)
def cross_sign(
    who: Who, using: Using, response: Response, name: str, body: CrossSignIn
) -> CrossSignedOut:
    """Certify another CA's key under this authority; 202 while people must approve."""
    constraints = body.name_constraints.model_dump() if body.name_constraints else None
    extensions = _extensions(
        days=body.days, path_length=body.path_length, name_constraints=constraints
    )
    subject = octets(body.certificate, "certificate")
    made = _signed(using.authorities.cross_sign(who, name, subject, extensions))
    response.status_code = 202 if made.state == "pending" else 201
    return made


@pending.route("GET", "", Permission.AUTHORITY_READ)
def list_pending(who: Who, using: Using) -> list[PendingOut]:
    """List the CA certificates that wait for approvals."""
    return [_pending_out(one) for one in using.authorities.pending(who)]


@pending.route("POST", "/{pending_id}/approve", Permission.AUTHORITY_MANAGE)
def approve_pending(
    who: Who, using: Using, pending_id: str, body: ApprovePendingIn
) -> CrossSignedOut:
    """Approve exactly this certificate; the last approval that was missing signs it."""
    return _signed(using.authorities.approve(who, pending_id, body.tbs_sha256))


@pending.route("POST", "/{pending_id}/reject", Permission.AUTHORITY_MANAGE, status=204)
def reject_pending(who: Who, using: Using, pending_id: str, body: RejectPendingIn) -> None:
    """Give a pending CA certificate up."""
    using.authorities.reject(who, pending_id, body.reason)


def _extensions(**given: Any) -> Extensions | None:
    """Return what is given as the extensions of a CA certificate; None if nothing is."""
    present = {key: value for key, value in given.items() if value is not None}
    return documents.decode(Extensions, present, "extensions") if present else None
