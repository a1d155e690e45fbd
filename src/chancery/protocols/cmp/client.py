"""The other side: a CMP client, for any server (RFC 9483 §4).

It keeps no state but that of one transaction, and believes nothing that is
not protected by its secret or signed below its trust anchors.
"""

import hmac
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Final

from chancery.domain.errors import BadRequest, CAError, NotAuthenticated, NotPermitted, Unavailable
from chancery.ports import Clock, Entropy
from chancery.protocols.cmp.signing import PrivateKey, sign
from chancery.protocols.cmp.trust import anchored, says_so, signers
from chancery.wire import (
    algorithms,
    ca_certificate,
    cmp,
    cmp_bodies,
    cmp_mac,
    crmf,
    der,
    possession,
)
from chancery.wire.cmp import Header, Info, Message
from chancery.wire.cmp_bodies import CertificateResponse, Status, StatusInfo
from chancery.wire.cmp_kinds import Body, Failure

Send = Callable[[bytes], bytes]
"""Carries one message to the server and brings its answer."""

_ITERATIONS: Final = 10_000
_SALT: Final = 16
_NONCE: Final = 16
_POLLS: Final = 1_000
_ANSWERS: Final = {Body.IR: Body.IP, Body.CR: Body.CP, Body.P10CR: Body.CP, Body.KUR: Body.KUP}


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A reference value and its secret, by PBM or PBMAC1."""

    reference: bytes
    secret: bytes
    kind: cmp_mac.Kind = cmp_mac.Kind.PBM
    mac: str = "sha256"
    iterations: int = _ITERATIONS


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever has a certificate (DER), its *chain* and its key."""

    certificate: bytes
    key: PrivateKey
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """What came of a request: DER.  *key* is the EnvelopedData of one that was made there."""

    certificate: bytes
    issuers: tuple[bytes, ...]
    others: tuple[bytes, ...]
    key: bytes | None = None


@dataclass(slots=True)
class _Talk:
    """One transaction."""

    transaction: bytes
    nonce: bytes | None = None
    sent: list[bytes] = field(default_factory=list)
    method: cmp_mac.Method | None = None
    key: bytes = b""


class CmpClient:
    """See the module.  *wait* is called with the seconds that a server asks for."""

    def __init__(
        self,
        send: Send,
        who: SharedSecret | Holder,
        clock: Clock,
        entropy: Entropy,
        *,
        anchors: Sequence[bytes] = (),
        wait: Callable[[int], None] = lambda _: None,
        recipient: bytes = cmp.NULL_SENDER,
    ) -> None:
        self._send = send
        self._who = who
        self._clock = clock
        self._entropy = entropy
        self._anchors = [ca_certificate.decode(one) for one in anchors]
        self._wait = wait
        self._recipient = recipient

    def enrol(
        self, kind: Body, request: bytes, *, implicit: bool = False, profile: str | None = None
    ) -> Received:
        """Send *request*, a CertReqMsg or, for p10cr, a CertificationRequest; wait; confirm."""
        info = [Info(cmp.IMPLICIT_CONFIRM, der.NULL)] if implicit else []
        if profile is not None:
            name = der.tlv(der.UTF8_STRING, profile.encode())
            info.append(Info(cmp.CERTIFICATE_PROFILE, der.sequence(name)))
        talk = self._begin()
        content = request if kind is Body.P10CR else der.sequence(request)
        answer = self._exchange(talk, kind, content, tuple(info))
        response = self._response(answer, _ANSWERS[kind])
        for _ in range(_POLLS):
            if response.status.status != Status.WAITING:
                break
            answer = self._poll(talk, response.request_id)
            response = self._response(answer, _ANSWERS[kind])
        _demand(response.status)
        if response.certificate is None:
            raise _unexpected("no certificate came with the acceptance")
        if not answer.header.has(cmp.IMPLICIT_CONFIRM):
            self._confirm(talk, response)
        return Received(response.certificate, response.issuers, answer.certificates, response.key)

    def revoke(self, certificate: bytes, reason: int = 0) -> None:
        """Have *certificate* (DER) revoked."""
        wanted = ca_certificate.decode(certificate)
        template = crmf.Template(serial=int(wanted.serial, 16), issuer=wanted.issuer_der)
        wish = cmp_bodies.RevocationWish(template, reason)
        answer = self._exchange(self._begin(), Body.RR, cmp_bodies.encode_revocation(wish))
        self._expect(answer, Body.RP)
        _demand(cmp_bodies.read_revoked(answer.content))

    def ask(self, *wanted: Info) -> tuple[Info, ...]:
        """What the server has to tell about each of *wanted*."""
        answer = self._exchange(self._begin(), Body.GENM, cmp.encode_info(wanted))
        self._expect(answer, Body.GENP)
        return cmp.read_info(der.single(answer.content, der.SEQUENCE)[1])

    def sending(self, send: Send) -> "CmpClient":
        """The same client with another way to the server."""
        other = copy(self)
        other._send = send
        return other

    def protected(self, header: Header, kind: Body, content: bytes) -> Message:
        """A message as this client would protect it."""
        return self._protected(self._begin(), header, kind, content)

    def _begin(self) -> _Talk:
        talk = _Talk(self._entropy(_NONCE))
        if isinstance(self._who, SharedSecret):
            salt, size = self._entropy(_SALT), 0 if self._who.kind is cmp_mac.Kind.PBM else 32
            talk.method = cmp_mac.Method(
                self._who.kind, salt, self._who.iterations, "sha256", self._who.mac, size
            )
            talk.key = talk.method.key(self._who.secret)
        return talk

    def _poll(self, talk: _Talk, request_id: int) -> Message:
        for _ in range(_POLLS):
            answer = self._exchange(talk, Body.POLLREQ, cmp_bodies.encode_poll(request_id))
            if answer.kind is not Body.POLLREP:
                return answer
            self._wait(max(1, cmp_bodies.read_wait(answer.content)))
        raise Unavailable("the server has not decided yet", rule="cmp.waiting")

    def _confirm(self, talk: _Talk, response: CertificateResponse) -> None:
        assert response.certificate is not None
        digest = cmp_bodies.certificate_hash(response.certificate, None)
        one = cmp_bodies.Confirmation(digest, response.request_id, None, None)
        answer = self._exchange(talk, Body.CERTCONF, cmp_bodies.encode_confirmation(one))
        self._expect(answer, Body.PKICONF)

    def _exchange(
        self, talk: _Talk, kind: Body, content: bytes, info: tuple[Info, ...] = ()
    ) -> Message:
        nonce = self._entropy(_NONCE)
        talk.sent.append(nonce)
        header = Header(
            recipient=self._recipient,
            time=self._clock.s(),
            transaction=talk.transaction,
            sender_nonce=nonce,
            recipient_nonce=talk.nonce,
            info=info,
        )
        answer = cmp.decode(self._send(cmp.encode(self._protected(talk, header, kind, content))))
        self._verify(talk, answer)
        same = answer.header.transaction == talk.transaction
        # RFC 9483 §4.4: what is answered after polling may repeat the first nonce.
        if not same or answer.header.recipient_nonce not in (talk.sent[0], nonce):
            raise _untrusted("the answer belongs to another message")
        talk.nonce = answer.header.sender_nonce
        return answer

    def _protected(self, talk: _Talk, header: Header, kind: Body, content: bytes) -> Message:
        if isinstance(self._who, SharedSecret):
            assert talk.method is not None
            header = replace(
                header,
                protection=cmp_mac.encode(talk.method),
                sender_key=self._who.reference,
            )
            one = cmp.message(header, kind, content)
            return cmp.with_protection(one, talk.method.over(talk.key, one.protected))
        own = ca_certificate.decode(self._who.certificate)
        algorithm, _ = sign(self._who.key, b"")
        header = replace(
            header,
            sender=der.explicit(4, own.subject_der),
            protection=algorithm,
            # Where the certificate does not say it, others have nothing to compare it with.
            sender_key=own.key_identifier if says_so(own) else None,
        )
        one = cmp.message(header, kind, content)
        chain = (self._who.certificate, *self._who.chain)
        return cmp.with_protection(one, sign(self._who.key, one.protected)[1], chain)

    def _verify(self, talk: _Talk, answer: Message) -> None:
        method = answer.header.protection
        if method is None or answer.protection is None:
            raise _untrusted("the answer is not protected")
        if cmp_mac.is_mac(method):
            if not isinstance(self._who, SharedSecret):
                raise _untrusted("the answer is protected by a secret that nobody agreed on")
            used = cmp_mac.decode(method)
            key = talk.key if used == talk.method else used.key(self._who.secret)
            if not hmac.compare_digest(used.over(key, answer.protected), answer.protection):
                raise _untrusted("the MAC of the answer is wrong")
            return
        found = [ca_certificate.decode(one) for one in answer.certificates]
        signer = next(signers(answer.header, (*found, *self._anchors)), None)
        if signer is None or not anchored(signer, found, self._anchors, self._clock.s()):
            raise _untrusted("the answer is signed by somebody who is not trusted here")
        public = algorithms.load_key(signer.spki)
        try:
            possession.check(public, method, answer.protection, answer.protected)
        except BadRequest:
            raise _untrusted("the signature of the answer is wrong") from None

    def _response(self, answer: Message, expected: Body) -> CertificateResponse:
        self._expect(answer, expected)
        return cmp_bodies.read_response(answer.content)

    def _expect(self, answer: Message, kind: Body) -> None:
        if answer.kind is Body.ERROR:
            _demand(cmp_bodies.read_error(answer.content))
        if answer.kind is not kind:
            raise _unexpected(f"{answer.kind.name} came where {kind.name} was expected")


def request(key: PrivateKey, template: crmf.Template, controls: bytes = b"") -> bytes:
    """DER CertReqMsg that proves possession of *key*, which the template must hold."""
    wanted = der.sequence(der.integer(0), crmf.encode_template(template), controls)
    algorithm, signature = sign(key, wanted)
    proof = der.implicit(1, algorithm + der.bit_string(signature), constructed=True)
    return der.sequence(wanted, proof)


def _demand(status: StatusInfo) -> None:
    if status.status in (Status.ACCEPTED, Status.GRANTED_WITH_MODS):
        return
    names = [Failure(n).name.lower() for n in status.failures if n <= max(Failure)]
    raise NotPermitted(
        f"the server refused: {status.text or 'it does not say why'}"
        + (f" ({', '.join(names)})" if names else ""),
        rule="cmp.refused",
    )


def _untrusted(what: str) -> NotAuthenticated:
    return NotAuthenticated(
        what,
        rule="cmp.server",
        remedy="check the secret, or the trust anchors given for this server",
    )


def _unexpected(what: str) -> CAError:
    return BadRequest(what, rule="cmp.answer")
