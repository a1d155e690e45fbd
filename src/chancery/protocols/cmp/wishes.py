"""What an ir, cr, p10cr or kur asks for, however it writes that down."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadCSR, BadRequest, NotPermitted
from chancery.domain.names import DistinguishedName, GeneralName
from chancery.protocols.cmp.talk import Asked
from chancery.wire import ca_certificate, cmp, cmp_bodies, crmf, der, pkcs10
from chancery.wire.cmp_kinds import Body

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Wish:
    """What a message asks for."""

    request: bytes
    request_id: int
    days: int | None
    vouched: bool
    template: crmf.Template | None = None
    message: crmf.CertificateMessage | None = None


def request_id_of(message: cmp.Message) -> int:
    """Under which number a request is answered, also where it could not be read."""
    if message.kind is Body.P10CR:
        return cmp_bodies.NO_REQUEST_ID
    try:
        return crmf.decode_message(cmp_bodies.requests(message.content)).request_id
    except BadRequest:
        return 0


def read(asked: Asked) -> Wish:
    if asked.message.kind is Body.P10CR:
        return Wish(asked.message.content, cmp_bodies.NO_REQUEST_ID, None, vouched=False)
    request = cmp_bodies.requests(asked.message.content)
    message = crmf.decode_message(request)
    if message.control(crmf.ARCHIVE) is not None:
        raise BadCSR(
            "keys are not archived for their holders",
            field="controls",
            rule="csr.controls",
            remedy="leave pkiArchiveOptions out",
        )
    if message.template.spki is not None and message.proof is None and not message.vouched:
        raise BadCSR(
            "there is no proof that the requester holds the key",
            field="popo",
            rule="pop.kind",
            remedy="prove possession by a signature",
        )
    return Wish(
        request,
        message.request_id,
        _days(message.template, asked.now),
        message.vouched,
        message.template,
        message,
    )


def _days(template: crmf.Template, now: int) -> int | None:
    """The end of validity that is asked for, in whole days from now."""
    if template.not_after is None:
        return None
    return max(1, round((template.not_after - now) / _DAY_S))


def profile(header: cmp.Header) -> str | None:
    """certProfile (RFC 9810 §5.1.1.4): one name."""
    value = next((one.value for one in header.info if one.oid == cmp.CERTIFICATE_PROFILE), None)
    if value is None:
        return None
    names = der.Reader(der.single(value, der.SEQUENCE)[1])
    text = names.content(der.UTF8_STRING).decode("utf-8", "replace")
    if names:
        raise cmp.bad("more than one certificate profile is named", "cmp.profile")
    return text


def check_own_names(wish: Wish, subject: str, names: frozenset[GeneralName]) -> None:
    """Whoever holds a certificate gets another for the same names, and for no others."""
    if wish.template is not None:
        asked, asked_names = wish.template.subject or DistinguishedName(), wish.template.names
    else:
        csr = pkcs10.decode(wish.request)
        asked, asked_names = csr.subject, csr.names
    if asked.text != subject or frozenset(asked_names) != names:
        raise NotPermitted(
            f"a certificate for {subject[:200]} entitles to others for the same names alone",
            field="certTemplate",
            rule="renewal.names",
            remedy="ask for the subject and names of the certificate that signs the message",
        )


def own_profile(named: str | None, own: str) -> str:
    """Nor does it make another kind of certificate: a device's signs no programs."""
    if named not in (None, own):
        raise NotPermitted(
            f"a certificate of profile {own} entitles to others of it alone",
            field="certProfile",
            rule="renewal.profile",
            remedy="leave the profile out, or enrol with a credential for it",
        )
    return own


def check_old(asked: Asked, wish: Wish) -> None:
    """The oldCertID control names the certificate to be updated: it is the one that signed."""
    value = wish.message.control(crmf.OLD_CERTIFICATE) if wish.message is not None else None
    record = asked.caller.record
    if value is None or record is None:
        return
    issuer, serial = crmf.old_certificate(value)
    if f"{serial:x}" != record.serial or issuer != ca_certificate.decode(record.der).issuer_der:
        raise BadRequest(
            "oldCertID names another certificate than the one that signed the message",
            field="controls",
            rule="cmp.old-certificate",
            remedy="sign with the certificate to be updated",
        )
