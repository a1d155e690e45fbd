"""ir, cr, p10cr and kur: a certificate is wanted (RFC 9483 §4.1)."""

from dataclasses import replace
from typing import Final, TypedDict

from chancery.domain.errors import BadCSR, BadRequest, CAError, Conflict, NotPermitted
from chancery.domain.names import SHORT_NAMES, DistinguishedName, GeneralName
from chancery.domain.request import RequestState
from chancery.ports import Entropy
from chancery.protocols.cmp import talk, wishes
from chancery.protocols.cmp.key_delivery import KeyDelivery
from chancery.protocols.cmp.talk import Answer, Asked
from chancery.protocols.cmp.wishes import Wish
from chancery.services.enrolment import Enrolment, EnrolmentDesk, Standing
from chancery.services.enrolment.confirmation import JOB, STATE, Confirmation, Confirmations
from chancery.wire import ca_certificate, cmp, cmp_bodies, der
from chancery.wire.cmp_bodies import CertificateResponse, Status, StatusInfo
from chancery.wire.cmp_kinds import Body, Failure

ANSWERS: Final = {Body.IR: Body.IP, Body.CR: Body.CP, Body.P10CR: Body.CP, Body.KUR: Body.KUP}
KIND: Final = "kind"
REQUEST_ID: Final = "request_id"
BY: Final = "by"
"""Of a transaction's data: what was asked, under which number, by whom."""
CHANGED: Final = "changed"
"""... and whether the certificate is not quite what was asked for."""
_VALIDITY: Final = frozenset({"override.validity", "validity.max"})
_CAPABLE: Final = 3
"""The version of a message that holds an EnvelopedData (RFC 9810 §7)."""


class _Key(TypedDict, total=False):
    csr: bytes
    server_key: str
    subject: tuple[tuple[str, str], ...]
    names: tuple[GeneralName, ...]


class Enrolling:
    """See the module."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        confirmations: Confirmations,
        delivery: KeyDelivery,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._confirmations = confirmations
        self._delivery = delivery
        self.entropy: Final = entropy

    def answer(self, asked: Asked) -> Answer:
        """Submit it once; whoever repeats it is told that the transaction is in use."""
        if self._confirmations.begun(asked.door, asked.transaction):
            raise _in_use()
        wish = wishes.read(asked)
        self._check(asked, wish)
        enrolment = self._enrolment(asked, wish)
        if enrolment.data[STATE] == Confirmation.AWAITED:
            wait_s = asked.settings.confirm_s
            job = self._confirmations.expect(asked.door, asked.transaction, wait_s)
            enrolment = replace(enrolment, data={**enrolment.data, JOB: job})
        standing = self._submitted(asked, enrolment)
        if standing.transaction.data.get(talk.SEED) != enrolment.data[talk.SEED]:
            raise _in_use()
        return self.standing(asked, standing)

    def _submitted(self, asked: Asked, enrolment: Enrolment) -> Standing:
        """A validity that the profile does not grant is a wish, not a condition (RFC 4211 §5)."""
        try:
            return self._desk.submit(asked.door, enrolment)
        except CAError as error:
            if enrolment.days is None or error.rule not in _VALIDITY:
                raise
        changed = {**enrolment.data, CHANGED: True}
        return self._desk.submit(asked.door, replace(enrolment, days=None, data=changed))

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
        made = standing.request.server_key_id is not None
        response = CertificateResponse(
            request_id,
            StatusInfo(Status.GRANTED_WITH_MODS if data.get(CHANGED) else Status.ACCEPTED),
            standing.certificate.der,
            key=self._delivery.sealed(asked, standing) if made else None,
            issuers=standing.chain if asked.caller.secret is not None else (),
        )
        return Answer(
            kind,
            cmp_bodies.encode_response(response),
            nonce=nonce,
            info=(cmp.Info(cmp.IMPLICIT_CONFIRM, der.NULL),) if waived else (),
            certificates=standing.chain[:-1],
            version=_CAPABLE if made else 2,
            detail=f"serial {standing.certificate.serial}",
        )

    def _check(self, asked: Asked, wish: Wish) -> None:
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

    def _check_authority(self, asked: Asked, wish: Wish) -> None:
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

    def _enrolment(self, asked: Asked, wish: Wish) -> Enrolment:
        caller, header = asked.caller, asked.message.header
        renews, profile = None, wishes.profile(header)
        if asked.message.kind is Body.KUR:
            renews = caller.record
            wishes.check_old(asked, wish)
        elif caller.record is not None and not caller.trusted:
            wishes.check_own_names(wish, caller.record.subject, frozenset(caller.record.names))
            profile = wishes.own_profile(profile, caller.record.profile)
        waived = asked.settings.implicit_confirm and header.has(cmp.IMPLICIT_CONFIRM)
        return Enrolment(
            who=caller.who,
            origin=asked.origin,
            transaction=asked.transaction,
            **self._key(asked, wish),
            profile=profile,
            days=wish.days,
            credential=caller.credential,
            renews=renews,
            vouched=wish.vouched,
            data={
                talk.SEED: self.entropy(16).hex(),
                KIND: asked.message.kind.value,
                REQUEST_ID: wish.request_id,
                BY: caller.identity,
                STATE: (Confirmation.WAIVED if waived else Confirmation.AWAITED).value,
            },
        )

    def _key(self, asked: Asked, wish: Wish) -> _Key:
        """Whose key: the requester's in its request, or one that is made here."""
        template = wish.template
        if template is None or template.spki is not None:
            return {"csr": wish.request}
        if asked.message.kind is Body.KUR:
            assert asked.caller.record is not None
            wishes.check_own_names(
                wish, asked.caller.record.subject, frozenset(asked.caller.record.names)
            )
        subject = template.subject or DistinguishedName()
        return {
            "server_key": self._delivery.algorithm(asked, template.key_algorithm),
            "subject": tuple(
                (SHORT_NAMES.get(one.oid, one.oid), one.value)
                for rdn in subject.rdns
                for one in rdn
            ),
            "names": template.names,
        }


def refusal(request_id: int, failure: Failure, text: str) -> bytes:
    """The content of an ip, cp or kup that says no."""
    status = cmp_bodies.rejection(failure, text)
    return cmp_bodies.encode_response(CertificateResponse(request_id, status))


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
