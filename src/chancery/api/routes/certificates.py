"""Issued certificates: found, shown, fetched, revoked, renewed."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Name, Out, PageOut
from chancery.api.paging import page, paged
from chancery.api.routes.files import file_of
from chancery.api.routing import Door, Who
from chancery.api.submission import csr_octets
from chancery.api.submit import answer_of
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.ports import CertificateFilter, Sorting
from chancery.wire import pem

door = Door("/certificates", "certificates")

Issuer = Annotated[
    str | None, Query(description="Issuing authority, where two issuers used one serial.")
]
_REVOKE = (Permission.CERTIFICATE_REVOKE, Permission.REQUEST_SUBMIT)
"""Whoever may revoke any certificate, or may at least have asked for this one."""


class CertificateOut(Out):
    """An issued certificate."""

    id: str
    authority: str
    serial: str
    subject: str
    names: list[str]
    not_before: int
    not_after: int
    status: CertificateStatus
    revoked_at: int | None
    reason: str | None
    invalidity_date: int | None
    profile: str
    profile_sha256: str
    key_sha256: str | None
    sha256: str | None = Field(
        description="Null, as the one before, where only an entry in an imported list is known."
    )
    request_id: str
    requester: str
    issued_at: int
    renewed_from: str | None


class CertificateDetailOut(CertificateOut):
    certificate: str | None = Field(
        description="PEM; null where only an entry in an imported list is known of it."
    )


class LinterOut(Out):
    """What one linter said; no findings: it has nothing against it."""

    linter: str
    at: int = Field(description="When it looked.")
    findings: list[str]


class LintOut(Out):
    linters: list[LinterOut]
    waiting: list[str] = Field(description="Linters that have not looked at it yet.")


Comment = Annotated[str, Field(max_length=4000, description="For the audit log.")]


class RevokeIn(In):
    reason: str = Field(
        description="A CRLReason by name.", examples=["keyCompromise", "superseded"]
    )
    authority: Name | None = None
    invalidity_date: Annotated[int, Field(ge=0, le=253_402_300_799)] | None = Field(
        default=None, description="When the key is known or suspected to have been compromised."
    )
    comment: Comment = ""


class HoldIn(In):
    authority: Name | None = None
    comment: Comment = ""


class RenewIn(In):
    csr: Annotated[str, Field(max_length=100_000)] | None = Field(
        default=None, description="For a new key: PKCS#10 as PEM, or base64 of its DER."
    )
    server_key: bool = Field(
        default=False, description="For another key made here, where the first one was."
    )
    authority: Name | None = None


class SubmittedOut(Out):
    """What became of a submission."""

    id: str
    state: str
    serial: str
    content_sha256: str
    code: str | None = None
    certificate: str | None = Field(default=None, description="PEM, where it was issued at once.")


def certificate_out(record: CertificateRecord) -> CertificateOut:
    return CertificateOut.model_validate(_fields(record))


def _fields(record: CertificateRecord) -> dict[str, object]:
    fields = {name: getattr(record, name) for name in CertificateOut.model_fields}
    return fields | {
        "names": [name.text for name in record.names],
        "reason": record.reason.name if record.reason is not None else None,
        "key_sha256": record.key_sha256 or None,
        "sha256": record.sha256 if record.der else None,
    }


@door.route("GET", "", Permission.CERTIFICATE_READ)
def find_certificates(  # noqa: PLR0917 - one query parameter each
    who: Who,
    using: Using,
    authority: str | None = None,
    serial: str | None = None,
    subject: Annotated[str | None, Query(description="Exact, or a prefix ending in *.")] = None,
    name: Annotated[str | None, Query(description="A SAN entry, e.g. dns:www.example.org")] = None,
    key_sha256: Annotated[
        str | None, Query(description="64 hex digits, or the first ones and *.")
    ] = None,
    sha256: Annotated[str | None, Query(description="The fingerprint: 64 hex digits.")] = None,
    search: Annotated[
        str | None,
        Query(description="A fingerprint, serial number, subject, name, or its beginning."),
    ] = None,
    profile: str | None = None,
    requester: str | None = None,
    request_id: str | None = None,
    status: CertificateStatus | None = None,
    expires_after: int | None = None,
    expires_before: int | None = None,
    order: Annotated[
        Sorting | None,
        Query(description="newest first, or by expiry: the usual where that is asked about"),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[CertificateOut]:
    """Find certificates; every condition given must hold.

    Newest first.  By expiry, soonest first, where `expires_after` or
    `expires_before` is given; with the latter alone, the latest to expire first.
    """
    where = CertificateFilter(
        authority=authority,
        serial=serial,
        subject=subject,
        name=name,
        key_sha256=key_sha256,
        sha256=sha256,
        profile=profile,
        requester=requester,
        request_id=request_id,
        status=status,
        expires_after=_instant(expires_after, "expires_after"),
        expires_before=_instant(expires_before, "expires_before"),
        order=order,
    )
    if search is not None:
        where = using.certificates.meant(who, search, where).where
    found = using.certificates.find(who, where, page(cursor, limit))
    return paged(found, limit, lambda record: record.id, certificate_out)


@door.route("GET", "/{serial}", Permission.CERTIFICATE_READ)
def show_certificate(
    who: Who, using: Using, serial: str, authority: Issuer = None
) -> CertificateDetailOut:
    """Show one certificate by its serial number in hex."""
    record = using.certificates.show(who, serial, authority)
    text = pem.encode("CERTIFICATE", record.der) if record.der else None
    return CertificateDetailOut.model_validate(_fields(record) | {"certificate": text})


@door.route("GET", "/{serial}/download", Permission.CERTIFICATE_READ, response_class=Response)
def download_certificate(
    who: Who,
    using: Using,
    serial: str,
    format: Annotated[str, Query(description="pem, der, p7 or chain")] = "pem",  # noqa: A002
    authority: Issuer = None,
) -> Response:
    """Fetch a certificate as a file."""
    return file_of(using.certificates.download(who, serial, format, authority))


@door.route("GET", "/{serial}/lint", Permission.CERTIFICATE_READ)
def lint_certificate(who: Who, using: Using, serial: str, authority: Issuer = None) -> LintOut:
    """Show which linters have judged it, when, and what they said."""
    return LintOut.model_validate(
        using.certificates.lint(who, serial, authority), from_attributes=True
    )


@door.route("POST", "/{serial}/revoke", *_REVOKE)
def revoke_certificate(who: Who, using: Using, serial: str, body: RevokeIn) -> CertificateOut:
    """Revoke for good.  Requesters may revoke what they asked for."""
    return certificate_out(
        using.certificates.revoke(
            who,
            serial,
            _reason(body.reason),
            body.authority,
            body.invalidity_date,
            comment=body.comment,
        )
    )


@door.route("POST", "/{serial}/hold", *_REVOKE)
def hold_certificate(
    who: Who, using: Using, serial: str, body: HoldIn | None = None
) -> CertificateOut:
    """Suspend a certificate."""
    body = body or HoldIn()
    return certificate_out(
        using.certificates.hold(who, serial, body.authority, comment=body.comment)
    )


@door.route("POST", "/{serial}/release", *_REVOKE)
def release_certificate(
    who: Who, using: Using, serial: str, body: HoldIn | None = None
) -> CertificateOut:
    """End a suspension."""
    return certificate_out(
        using.certificates.release(who, serial, body.authority if body else None)
    )


@door.route("POST", "/{serial}/renew", Permission.REQUEST_SUBMIT, status=201)
def renew_certificate(
    who: Who, using: Using, serial: str, body: RenewIn | None = None
) -> SubmittedOut:
    """Ask for the successor of one's own certificate, with the same key or a new one."""
    body = body or RenewIn()
    csr = csr_octets(body.csr) if body.csr is not None else None
    answer = answer_of(
        using.delivery.renew(who, serial, body.authority, csr, server_key=body.server_key)
    )
    return SubmittedOut.model_validate(answer, from_attributes=True)


def _reason(name: str) -> RevocationReason:
    try:
        return RevocationReason[name]
    except KeyError:
        raise BadRequest(
            f"no revocation reason {name[:40]!r}",
            field="reason",
            rule="reason.known",
            remedy="one of: " + ", ".join(RevocationReason.__members__),
        ) from None


def _instant(seconds: int | None, field: str) -> int | None:
    if seconds is not None and not 0 <= seconds <= 253_402_300_799:  # 9999-12-31T23:59:59Z
        raise BadRequest("not a moment a certificate can name", field=field, rule="time.range")
    return seconds
