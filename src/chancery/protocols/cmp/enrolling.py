"""ir, cr, p10cr and kur: a certificate is wanted (RFC 9483 §4.1)."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadCSR, BadRequest, Conflict, NotPermitted
from chancery.domain.request import RequestState
from chancery.ports import Entropy
from chancery.protocols.cmp import talk
from chancery.protocols.cmp.talk import Answer, Asked
from chancery.services.enrolment import Enrolment, EnrolmentDesk, Standing
from chancery.services.enrolment.confirmation import STATE, Confirmation, Confirmations
from chancery.wire import ca_certificate, cmp, cmp_bodies, crmf, der, pkcs10
from chancery.wire.cmp import Body, Failure
from chancery.wire.cmp_bodies import CertificateResponse, Status, StatusInfo
from chancery.wire.pkcs10 import CertificationRequest

ANSWERS: Final = {Body.IR: Body.IP, Body.CR: Body.CP, Body.P10CR: Body.CP, Body.KUR: Body.KUP}
KIND: Final = "kind"
REQUEST_ID: Final = "request_id"
BY: Final = "by"
FIRST: Final = "first"
"""Of a transaction's data: what was asked, under which number, by whom, with which nonce."""
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a message asks for."""

    request: bytes
    request_id: int
    days: int | None
    vouched: bool
    key_algorithm: bytes | None = None
    template: crmf.Template | None = None
    message: crmf.CertificateMessage | None = None


class Enrolling:
    """See the module."""

    def __init__(self, desk: EnrolmentDesk, confirmations: Confirmations, entropy: Entropy) -> None:
        self._desk = desk
        self._confirmations = confirmations
        self.entropy = entropy

    def answer(self, asked: Asked) -> Answer:
        """Submit it once; whoever repeats it is told that the transaction is in use."""
        if self._confirmations.begun(asked.door, asked.transaction):
            raise _in_use()
        wish = _wish(asked)
        self._check(asked, wish)
        enrolment = self._enrolment(asked, wish)
        awaited = enrolment.data[STATE] == Confirmation.AWAITED
        if awaited:
            self._confirmations.expect(asked.door, asked.transaction, asked.settings.confirm_s)
        standing = self._desk.submit(asked.door, enrolment)
        if standing.transaction.data.get(talk.SEED) != enrolment.data[talk.SEED]:
            raise _in_use()
        return self.standing(asked, standing)

    def standing(self, asked: Asked, standing: Standing) -> Answer:
        """Tell how an enrolment stands: to whoever began it, at once or after polling."""
        data = standing.transaction.data
        kind, request_id = ANSWERS[Body(_number(data, KIND))], _number(data, REQUEST_ID)
        nonce = talk.new_nonce(self.entropy, data)
        if standing.pending:
            status = StatusInfo(Status.WAITING, "people decide about it")
            body = cmp_bodies.encode_response(CertificateResponse(request_id, status))
            return Answer(kind, body, "pending", nonce)
        if standing.certificate is None:
            return Answer(kind, refusal(request_id, *_why(standing)), standing.request.state.value)
        waived = data.get(STATE) == Confirmation.WAIVED
        if not waived:
            self._confirmations.handed_out(
                asked.door, standing.transaction, asked.settings.confirm_s
            )
        response = CertificateResponse(
            request_id,
            StatusInfo(Status.ACCEPTED),
            standing.certificate.der,
            issuers=standing.chain if asked.caller.secret is not None else (),
        )
        return Answer(
            kind,
            cmp_bodies.encode_response(response),
            nonce=nonce,
            info=(cmp.Info(cmp.IMPLICIT_CONFIRM, der.NULL),) if waived else (),
            certificates=standing.chain[:-1],
            detail=f"serial {standing.certificate.serial}",
        )

    def _check(self, asked: Asked, wish: _Wish) -> None:
        caller, kind = asked.caller, asked.message.kind
        if kind is Body.KUR and caller.record is None:
            raise needs_signature("an update is signed by the certificate that it updates")
        if wish.vouched and not caller.trusted:
            raise BadCSR(
                "only a registration authority that this door trusts may vouch for a key",
                field="popo",
                rule="pop.vouched",
                remedy="prove possession by a signature",
            )
        self._check_authority(asked, wish)

    def _check_authority(self, asked: Asked, wish: _Wish) -> None:
        """A template may name the issuer: then it must be this one."""
        issuer = wish.template.issuer if wish.template is not None else None
        if issuer is None:
            return
        own = ca_certificate.decode(self._desk.issuers(asked.door)[0])
        if issuer != own.subject_der:
            raise BadRequest(
                f"this door issues from {own.subject.text}",
                field="issuer",
                rule="cmp.authority",
                remedy="leave the issuer out of the template",
            )

    def _enrolment(self, asked: Asked, wish: _Wish) -> Enrolment:
        caller, header = asked.caller, asked.message.header
        csr = pkcs10.decode(wish.request)
        renews = None
        if asked.message.kind is Body.KUR:
            renews = caller.record
            _check_old(asked, wish)
        elif caller.record is not None and not caller.trusted:
            _own_names(csr, caller.record.subject, frozenset(caller.record.names))
        waived = asked.settings.implicit_confirm and header.has(cmp.IMPLICIT_CONFIRM)
        return Enrolment(
            who=caller.who,
            origin=asked.origin,
            transaction=asked.transaction,
            csr=wish.request,
            profile=_profile(header),
            days=wish.days,
            credential=caller.credential,
            renews=renews,
            vouched=wish.vouched,
            data={
                talk.SEED: self.entropy(16).hex(),
                KIND: asked.message.kind.value,
                REQUEST_ID: wish.request_id,
                BY: caller.identity,
                FIRST: (header.sender_nonce or b"").hex(),
                STATE: (Confirmation.WAIVED if waived else Confirmation.AWAITED).value,
            },
        )


def refusal(request_id: int, failure: Failure, text: str) -> bytes:
    """The content of an ip, cp or kup that says no."""
    status = cmp_bodies.rejection(failure, text)
    return cmp_bodies.encode_response(CertificateResponse(request_id, status))


def request_id_of(message: cmp.Message) -> int:
    """Under which number a request is answered, also where it could not be read."""
    if message.kind is Body.P10CR:
        return cmp_bodies.NO_REQUEST_ID
    try:
        return crmf.decode_message(cmp_bodies.requests(message.content)).request_id
    except BadRequest:
        return 0


def needs_signature(why: str) -> NotPermitted:
    """A secret proves who may begin, not who holds a certificate."""
    return NotPermitted(
        why,
        field="protection",
        rule="cmp.integrity",
        remedy="sign the message with that certificate's key",
    )


def _in_use() -> Conflict:
    return Conflict(
        "the transactionID is in use",
        field="transactionID",
        rule="transaction.in-use",
        remedy="begin a new transaction with a fresh transactionID and nonce",
    )


def _wish(asked: Asked) -> _Wish:
    if asked.message.kind is Body.P10CR:
        return _Wish(asked.message.content, cmp_bodies.NO_REQUEST_ID, None, vouched=False)
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
    return _Wish(
        request,
        message.request_id,
        _days(message.template, asked.now),
        message.vouched,
        message.template.key_algorithm,
        message.template,
        message,
    )


def _days(template: crmf.Template, now: int) -> int | None:
    """The end of validity that is asked for, in whole days from now."""
    if template.not_after is None:
        return None
    return max(1, round((template.not_after - now) / _DAY_S))


def _profile(header: cmp.Header) -> str | None:
    """certProfile (RFC 9810 §5.1.1.4): one name."""
    value = next((one.value for one in header.info if one.oid == cmp.CERTIFICATE_PROFILE), None)
    if value is None:
        return None
    names = der.Reader(der.single(value, der.SEQUENCE)[1])
    text = names.content(der.UTF8_STRING).decode("utf-8", "replace")
    if names:
        raise cmp.bad("more than one certificate profile is named", "cmp.profile")
    return text


def _own_names(csr: CertificationRequest, subject: str, names: frozenset[object]) -> None:
    """Whoever holds a certificate gets another for the same names, and for no others."""
    if csr.subject.text != subject or frozenset(csr.names) != names:
        raise NotPermitted(
            f"a certificate for {subject[:200]} entitles to others for the same names alone",
            field="certTemplate",
            rule="renewal.names",
            remedy="ask for the subject and names of the certificate that signs the message",
        )


def _check_old(asked: Asked, wish: _Wish) -> None:
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


def _why(standing: Standing) -> tuple[Failure, str]:
    """What became of a request that no certificate was made for."""
    request = standing.request
    if request.state is RequestState.FAILED:
        return Failure.SYSTEM_FAILURE, "the certificate could not be made"
    return Failure.NOT_AUTHORIZED, request.decision_reason or f"it was {request.state.value}"


def _number(data: object, name: str) -> int:
    value = data.get(name) if hasattr(data, "get") else None
    if not isinstance(value, int):
        raise BadRequest("the transaction is of another protocol", field="message")
    return value
