"""Enrolment, renewal and keys made by the server: RFC 7030 §4.2 and §4.4."""

import hashlib
import hmac
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from typing import Final

from chancery.domain.certificate import CertificateRecord, CertificateStatus
from chancery.domain.errors import BadCSR, BadRequest, NotPermitted, WrongState
from chancery.domain.names import DistinguishedName
from chancery.ports import Clock
from chancery.protocols.est.call import CERTS_ONLY, Answered, Call, waiting
from chancery.protocols.est.gate import Client, Gate
from chancery.services.enrolment import Enrolment, EnrolmentDesk, Standing
from chancery.wire import crmf, est, est_wishes, pkcs7, pkcs10
from chancery.wire.names import parse_text
from chancery.wire.pkcs10 import CertificationRequest

_ROUNDS: Final = 64
"""How often one request may have been sent in the life of its key."""


class Enrolling:
    """``simpleenroll`` and ``simplereenroll``, and what the other operations share with them."""

    def __init__(self, desk: EnrolmentDesk, gate: Gate, clock: Clock) -> None:
        self._desk = desk
        self._gate = gate
        self._clock = clock

    def enroll(self, call: Call) -> Answered:
        return self._simple(call, renewing=False)

    def reenroll(self, call: Call) -> Answered:
        return self._simple(call, renewing=True)

    def _simple(self, call: Call, *, renewing: bool) -> Answered:
        client = self._gate.admit(call, call.exchange.certificate, renewing=renewing)
        csr = read_request(call)
        check_binding(call, csr)
        asked = self.enrolment(call, client, csr, renewing=renewing)
        standing = self.submit(call, asked)
        if standing.pending:
            return waiting(call.settings.retry_after_s)
        return Answered(call.reply(CERTS_ONLY, pkcs7.certs_only([issued(standing).der])))

    def enrolment(
        self, call: Call, client: Client, csr: CertificationRequest, *, renewing: bool
    ) -> Enrolment:
        """What is asked of the desk.  Whoever shows only a certificate gets its like, no more."""
        # CRMF (in CMC) has controls of its own, none of which mean this.
        changed = None if crmf.is_message(csr.der) else est_wishes.read(csr.info).new_name
        renews = client.holder if renewing or client.credential is None else None
        if client.registrar and not renewing:
            renews = None
        if renews is None and client.holder is not None and not client.registrar:
            same_identity(csr, client.holder)  # at a renewal the desk compares
        if changed is not None:
            if not (call.settings.change_subject and renews is not None):
                raise NotPermitted(
                    "another name is not given at renewal here",
                    field="csr",
                    rule="est.change-subject-name",
                    remedy="enrol anew under the other name",
                )
            same_identity(csr, client.holder)
            renews = None
        return Enrolment(
            who=call.who,
            origin=call.exchange.origin,
            transaction=_number(call.operation, csr.der, client.identity),
            csr=csr.der,
            subject=pairs(changed.subject) if changed and changed.subject else (),
            names=(changed.names or ()) if changed else (),
            profile=client.holder.profile if changed and client.holder else None,
            credential=client.credential,
            renews=renews,
        )

    def submit(self, call: Call, asked: Enrolment) -> Standing:
        """Take it in.  Whoever repeats a request gets what came of it, while that is of use."""
        for _ in range(_ROUNDS):
            standing = self._desk.submit(call.door, asked)
            record = standing.certificate
            if record is None or self._of_use(record):
                return standing
            asked = _again(asked, record)
        raise WrongState(
            "this request was sent too often",
            field="csr",
            rule="est.repeated",
            remedy="make a new key",
        )

    def _of_use(self, record: CertificateRecord) -> bool:
        """Whether a client that asks again is served with what it got: not in its last third."""
        left, whole = record.not_after - self._clock.s(), record.not_after - record.not_before
        return record.status is CertificateStatus.VALID and left > whole // 3


def read_request(call: Call) -> CertificationRequest:
    """The PKCS#10 in the body.  Raises BadRequest."""
    found = est.decode(call.exchange.body, pkcs10.LABELS, pkcs10.MAX_OCTETS)
    if crmf.is_message(found):
        raise BadRequest(
            "the body is CRMF",
            field="body",
            rule="est.media",
            remedy="send PKCS#10, or use fullcmc",
        )
    return pkcs10.decode(found)


def check_binding(call: Call, csr: CertificationRequest) -> None:
    """Linking identity and proof of possession (RFC 7030 §3.5): made for this connection?

    A challenge password is that proof or nothing, so one that is not is refused.
    """
    channel, given = call.exchange.tls_unique, csr.challenge_password
    if given is None:
        if call.settings.channel_binding:
            raise _unbound("the request is not bound to its connection")
        return
    if channel is None:
        raise _unbound("a request can be bound to a connection in TLS 1.2 alone")
    if not hmac.compare_digest(b64encode(channel), given.encode("utf-8", "replace")):
        raise _unbound("the request was made for another connection")


def _unbound(why: str) -> BadRequest:
    return BadCSR(
        why,
        field="csr",
        rule="est.channel-binding",
        remedy="put the base64 of this connection's tls-unique into challengePassword (TLS 1.2), "
        "or leave it out where this door allows that",
    )


def same_identity(csr: CertificationRequest, holder: CertificateRecord | None) -> None:
    """Refuse a request that is not for whoever shows the certificate (RFC 7030 §4.2.2)."""
    assert holder is not None
    if _parts(csr.subject) != _parts(parse_text(holder.subject)) or (
        set(csr.names) - set(holder.names)
    ):
        raise NotPermitted(
            f"the request is for {csr.subject.text[:200]!r}, the client is {holder.subject!r}",
            field="csr",
            rule="est.identity",
            remedy="put the subject and the names of your certificate into the request",
        )


def _parts(name: DistinguishedName) -> Counter[tuple[str, str]]:
    """What a name says, whatever the order: the DN profile arranges it anyway."""
    return Counter(pairs(name))


def issued(standing: Standing) -> CertificateRecord:
    """The certificate; NotPermitted where people said no, WrongState where nothing came of it."""
    if standing.certificate is not None:
        return standing.certificate
    request = standing.request
    why = f": {request.decision_reason}" if request.decision_reason else ""
    kind = NotPermitted if request.state.value == "denied" else WrongState
    raise kind(
        f"the request is {request.state.value}{why}",
        field="csr",
        rule=f"request.{request.state.value}",
        remedy="make a new request",
    )


def _number(operation: str, der: bytes, identity: str) -> str:
    """A client's transaction is its request: the same one sent again is the same attempt."""
    whole = b"\0".join((operation.encode(), identity.encode(), hashlib.sha256(der).digest()))
    return hashlib.sha256(whole).hexdigest()


def _again(asked: Enrolment, record: CertificateRecord) -> Enrolment:
    number = hashlib.sha256(f"{asked.transaction} after {record.id}".encode()).hexdigest()
    return replace(asked, transaction=number)


def pairs(subject: DistinguishedName) -> tuple[tuple[str, str], ...]:
    """A subject as it is given beside a request."""
    return tuple((one.oid, one.value) for rdn in subject.rdns for one in rdn)
