"""One certificate: what it says, who issued it, where it stands, and changing that."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from starlette.responses import Response

from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import BadRequest, CAError
from chancery.domain.identity import Permission
from chancery.web.console import content, reasons
from chancery.web.fields import Fields
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire.ca_certificate import decode
from chancery.wire.describe import describe_certificate

pages = Pages("/console/certificates", section="certificates")

_MAY = (Permission.CERTIFICATE_REVOKE, Permission.REQUEST_SUBMIT)
"""Whoever may revoke any certificate, or may at least have asked for this one."""


@dataclass(frozen=True, slots=True)
class Above:
    """One certificate of the chain."""

    authority: str | None
    subject: str
    not_after: int


@pages.get("/{authority}/{serial}", Permission.CERTIFICATE_READ)
def one(visit: Visit) -> Response:
    record = _record(visit)
    services, who = visit.services, visit.principal
    refusals = services.certificates.refusals(who, record) | _renewal(visit, record)
    history = services.history.of_certificate(who, record.serial, record.authority)
    return visit.render(
        "console/certificates/one.html",
        record=record,
        named=content.called(record.subject, record.names, record.serial),
        groups=_said(record),
        chain=_chain(visit, record) if record.der else [],
        lint=services.certificates.lint(who, record.serial, record.authority),
        history=history,
        refusals={what: refusals.get(what) for what in ("revoke", "hold", "release", "renew")},
        expired=record.not_after < visit.now,
        reason=reasons.said(record.reason) if record.reason is not None else "",
        asked=any(entry.action.startswith("request.") for entry in history.entries),
        with_key=services.delivery.has_key(who, record),
    )


@pages.get("/{authority}/{serial}/download", Permission.CERTIFICATE_READ)
def download(visit: Visit) -> Response:
    made = visit.services.certificates.download(
        visit.principal,
        visit.path["serial"],
        visit.query.text("format", "pem"),
        visit.path["authority"],
    )
    return visit.download(made.data, made.filename, made.media_type)


@pages.get("/{authority}/{serial}/revoke", *_MAY)
def revocation(visit: Visit) -> Response:
    record = _record(visit)
    refusal = visit.services.certificates.refusals(visit.principal, record).get("revoke")
    if refusal is not None and visit.method == "GET":
        raise refusal
    return visit.render(
        "console/certificates/revoke.html",
        record=record,
        named=content.called(record.subject, record.names, record.serial),
        options=[(name, title, text) for name, (title, text) in reasons.REASONS.items()],
    )


@pages.post("/{authority}/{serial}/revoke", *_MAY, step_up=True)
def revoke(visit: Visit) -> Response:
    """Revoke for good."""
    form = visit.form
    record = visit.services.certificates.revoke(
        visit.principal,
        visit.path["serial"],
        reasons.chosen(form),
        visit.path["authority"],
        invalidity_date(form),
        comment=form.text("comment"),
    )
    return visit.redirect(address(record), "Revoked. The next CRL and OCSP answers say so.")


@pages.post("/{authority}/{serial}/hold", *_MAY, step_up=True, form=one)
def hold(visit: Visit) -> Response:
    record = visit.services.certificates.hold(
        visit.principal,
        visit.path["serial"],
        visit.path["authority"],
        comment=visit.form.text("comment"),
    )
    return visit.redirect(address(record), "On hold. Release it, or revoke it for good.")


@pages.post("/{authority}/{serial}/release", *_MAY, step_up=True, form=one)
def release(visit: Visit) -> Response:
    record = visit.services.certificates.release(
        visit.principal, visit.path["serial"], visit.path["authority"]
    )
    return visit.redirect(address(record), "Released: it is good again.")


@pages.get("/{authority}/{serial}/renew", Permission.REQUEST_SUBMIT)
def renewal(visit: Visit) -> Response:
    """Asks with which key; raises why it is not renewed now."""
    record, original = visit.services.delivery.renewable(
        visit.principal, visit.path["serial"], visit.path["authority"]
    )
    here = original.server_key_id is not None
    return visit.render(
        "console/certificates/renew.html",
        record=record,
        named=content.called(record.subject, record.names, record.serial),
        here=here,
        ways=[
            ("server", "Another key made here", "You fetch it as a PKCS#12 file when issued.")
            if here
            else ("same", "The same key", "Nothing changes but the dates and the serial number."),
            ("csr", "A new key of mine", "Send a CSR with the same names, made with a new key."),
        ],
    )


@pages.post("/{authority}/{serial}/renew", Permission.REQUEST_SUBMIT)
def renew(visit: Visit) -> Response:
    """Ask for the successor; the whole policy applies again."""
    way = visit.form.required("way", "the key")
    csr = visit.form.required("csr", "the CSR") if way == "csr" else None
    made = visit.services.delivery.renew(
        visit.principal,
        visit.path["serial"],
        visit.path["authority"],
        csr.encode(errors="replace") if csr is not None else None,
        server_key=way == "server",
    )
    said = "Renewed." if made.certificate is not None else "Submitted; it waits for approval."
    return visit.redirect(f"/console/requests/{made.request.id}", said)


def address(record: CertificateRecord) -> str:
    """Where its page is."""
    return f"/console/certificates/{record.authority}/{record.serial}"


def invalidity_date(form: Fields, name: str = "invalidity_date") -> int | None:
    """The day since when something is not to be trusted, as Unix seconds at its beginning."""
    text = form.text(name)
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadRequest(
            f"not a day: {text[:40]!r}", field=name, rule="date", remedy="write 2026-05-31"
        ) from None
    return int(day.timestamp())


def _record(visit: Visit) -> CertificateRecord:
    return visit.services.certificates.show(
        visit.principal, visit.path["serial"], visit.path["authority"]
    )


def _said(record: CertificateRecord) -> list[content.Group]:
    """What it says; nothing where only an entry in a list is known of it."""
    if not record.der:
        return []
    parsed = x509.load_der_x509_certificate(record.der)
    return content.of_certificate(describe_certificate(parsed))


def _chain(visit: Visit, record: CertificateRecord) -> list[Above]:
    found = []
    for link in visit.services.certificates.chain(visit.principal, record):
        above = decode(link.der)
        found.append(Above(link.authority, above.subject.text, above.not_after))
    return found


def _renewal(visit: Visit, record: CertificateRecord) -> dict[str, CAError]:
    try:
        visit.services.delivery.renewable(visit.principal, record.serial, record.authority)
    except CAError as error:
        return {"renew": error}
    return {}
