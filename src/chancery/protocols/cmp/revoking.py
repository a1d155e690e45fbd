"""rr: a certificate is to be revoked, by its holder or a trusted authority (RFC 9483 §4.2)."""

from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.errors import BadRequest, CAError, NotPermitted
from chancery.protocols.cmp import failures
from chancery.protocols.cmp.enrolling import needs_signature
from chancery.protocols.cmp.talk import Answer, Asked
from chancery.services.enrolment import EnrolmentDesk
from chancery.wire import ca_certificate, cmp, cmp_bodies, der
from chancery.wire.cmp_bodies import RevocationWish, Status, StatusInfo
from chancery.wire.cmp_kinds import Body


def answer(desk: EnrolmentDesk, asked: Asked) -> Answer:
    """Revoke it; who it is that asks was proven by a signature."""
    caller = asked.caller
    if caller.certificate is None:
        raise needs_signature("a secret revokes nothing")
    wish = cmp_bodies.revocations(asked.message.content)
    record = _named(desk, asked, wish)
    own = caller.record is not None and caller.record.id == record.id
    if not own and not caller.trusted:
        raise NotPermitted(
            "a certificate is revoked by its own holder or by a registration authority",
            field="certDetails",
            rule="revocation.owner",
            remedy="sign the message with the key of the certificate to be revoked",
        )
    desk.revoke(asked.door, record, _reason(wish.reason), caller.who, asked.origin)
    issuer = ca_certificate.decode(record.der).issuer_der
    body = cmp_bodies.encode_revoked(StatusInfo(Status.ACCEPTED), issuer, int(record.serial, 16))
    return Answer(Body.RP, body, detail=f"serial {record.serial}")


def refused(error: CAError) -> bytes:
    """The content of an rp that says no."""
    status = cmp_bodies.rejection(failures.failure_of(error), failures.text_of(error))
    return der.sequence(der.sequence(cmp_bodies.encode_status(status)))


def _named(desk: EnrolmentDesk, asked: Asked, wish: RevocationWish) -> CertificateRecord:
    template = wish.template
    if template.serial is None or template.issuer is None:
        raise cmp.bad("certDetails names no issuer and serial number", "csr.template")
    record = desk.certificate(asked.door, f"{max(template.serial, 0):x}")
    if ca_certificate.decode(record.der).issuer_der != template.issuer:
        raise BadRequest(
            "the issuer is not the CA of this door",
            field="certDetails",
            rule="cmp.authority",
            remedy="revoke it at the door of its own CA",
        )
    return record


def _reason(code: int) -> RevocationReason:
    try:
        return RevocationReason(code)
    except ValueError:
        raise BadRequest(
            f"reason {code} does not revoke a certificate",
            field="crlEntryDetails",
            rule="revocation.reason",
            remedy="use a reason of RFC 5280 §5.3.1 other than certificateHold and removeFromCRL",
        ) from None
