"""``fullcmc``: CMC over EST (RFC 7030 §4.3, RFC 5272).

One request at a time, PKCS#10 or CRMF, with the controls that go with it; a
question about one that waits; a revocation by its holder.  The message is
signed by a certificate of ours, or, by who has none, with the key it asks for.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from chancery.domain import errors
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest, CAError, NotFound, NotPermitted
from chancery.ports import Clock, Entropy
from chancery.protocols.est.call import Answered, Call
from chancery.protocols.est.enrolling import Enrolling, check_binding, issued
from chancery.protocols.est.errors import status_of, text_of
from chancery.protocols.est.gate import Client, Gate
from chancery.protocols.est.signing import Signing
from chancery.services.enrolment import EnrolmentDesk, Standing
from chancery.wire import cmc, cms, est, pkcs10
from chancery.wire import cms_algorithms as alg
from chancery.wire.cmc import Fail, Outcome, PkiData, Status

_RESPONSE: Final = "application/pkcs7-mime; smime-type=CMC-response"
_LABELS: Final = ("CMS", "PKCS7")
_MAX: Final = 96 * 1024
_NONCE: Final = 16  # octets
_CONTROLS: Final = frozenset(
    {
        *(cmc.TRANSACTION_ID, cmc.SENDER_NONCE, cmc.RECIPIENT_NONCE, cmc.DATA_RETURN),
        *(cmc.REG_INFO, cmc.QUERY_PENDING, cmc.REVOKE_REQUEST),
    }
)

# Most specific class first: the first isinstance() match wins.
FAILURES: Final[tuple[tuple[type[CAError], Fail], ...]] = (
    (errors.BadKey, Fail.BAD_ALG),
    (errors.BadRequest, Fail.BAD_REQUEST),
    (errors.NotAuthenticated, Fail.AUTH_DATA_FAIL),
    (errors.NotPermitted, Fail.BAD_IDENTITY),
    (errors.LockedOut, Fail.AUTH_DATA_FAIL),
    (errors.TooOften, Fail.TRY_LATER),
    (errors.NotFound, Fail.BAD_CERT_ID),
    (errors.Conflict, Fail.BAD_REQUEST),
    (errors.Unavailable, Fail.TRY_LATER),
    (errors.SignerRefused, Fail.INTERNAL_CA_ERROR),
    (errors.LintFailed, Fail.INTERNAL_CA_ERROR),
)


class FullCmc:
    """See the module."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        gate: Gate,
        enrolling: Enrolling,
        signing: Signing,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._enrolling = enrolling
        self._signing = signing
        self._clock = clock
        self._entropy = entropy

    def run(self, call: Call) -> Answered:
        """Whoever is let in gets every further refusal as a signed answer."""
        if not call.settings.full_cmc:
            raise NotPermitted("CMC is not spoken at this door", field="path", rule="est.full-cmc")
        body = est.decode(call.exchange.body, _LABELS, _MAX)
        signed = _read(body)
        request = cmc.read(signed.content)
        certificate = _signer(signed, request, call.exchange.certificate)
        client = self._gate.admit(call, certificate, renewing=False)
        try:
            outcome, certificates = self._serve(call, client, request)
        except CAError as error:
            return self._failed(call, request, error)
        return self._answer(call, request, outcome, certificates)

    def _serve(
        self, call: Call, client: Client, request: PkiData
    ) -> tuple[Outcome, Sequence[bytes]]:
        strange = [one.oid for one in request.controls if one.oid not in _CONTROLS]
        if strange:
            raise _bad(f"control {strange[0]} is not supported", "cmc.unsupported")
        query = request.control(cmc.QUERY_PENDING)
        revoke = request.control(cmc.REVOKE_REQUEST)
        if len(request.requests) + (query is not None) + (revoke is not None) != 1:
            raise _bad("it must ask for one thing", "cmc.requests")
        if revoke is not None:
            return self._revoke(call, client, revoke)
        if query is not None:
            return self._standing(call, self._waiting(call, client, query), query.body_id)
        asked = request.requests[0]
        csr = pkcs10.decode(asked.request)
        check_binding(call, csr)
        enrolment = self._enrolling.enrolment(call, client, csr, renewing=False)
        data = {"identity": client.identity}
        standing = self._enrolling.submit(call, replace(enrolment, data=data))
        return self._standing(call, standing, asked.body_id)

    def _standing(
        self, call: Call, standing: Standing, body_id: int
    ) -> tuple[Outcome, Sequence[bytes]]:
        if standing.pending:
            until = self._clock.s() + call.settings.retry_after_s
            token = standing.transaction.id.encode()
            return Outcome(Status.PENDING, (body_id,), token=token, until=until), ()
        certificate = issued(standing).der
        return Outcome(Status.SUCCESS, (body_id,)), (certificate, *standing.chain)

    def _waiting(self, call: Call, client: Client, query: cmc.Control) -> Standing:
        """What the token stands for, to whoever asked for it alone."""
        token = cmc.read_token(query)[:128].decode("ascii", "replace")
        standing = self._desk.standing(call.door, token)
        if standing.transaction.data.get("identity") != client.identity:
            raise NotFound("no such transaction", field="message", rule="transaction.known")
        return standing

    def _revoke(
        self, call: Call, client: Client, control: cmc.Control
    ) -> tuple[Outcome, Sequence[bytes]]:
        wish = cmc.read_revocation(control)
        record = self._desk.certificate(call.door, f"{wish.serial:x}")
        own = client.holder is not None and client.holder.id == record.id
        if cms.read_certificate(record.der).issuer != wish.issuer:
            raise NotFound("that issuer is another", field="message", rule="certificate.known")
        if not (own or client.registrar):
            raise NotPermitted(
                "a certificate is revoked here by who holds it",
                field="message",
                rule="est.revocation",
            )
        try:
            reason = RevocationReason(wish.reason)
        except ValueError:
            raise _bad("an unknown reason", "revocation.reason") from None
        self._desk.revoke(call.door, record, reason, call.who, call.exchange.origin)
        return Outcome(Status.SUCCESS, (control.body_id,)), ()

    def _failed(self, call: Call, request: PkiData, error: CAError) -> Answered:
        bodies = [one.body_id for one in request.requests] or [
            one.body_id for one in request.controls[:1]
        ]
        outcome = Outcome(Status.FAILED, tuple(bodies), text_of(error), _fail(error))
        answered = self._answer(call, request, outcome, ())
        reply = replace(answered.reply, status=status_of(error))
        return Answered(reply, error.rule or type(error).__name__, str(error))

    def _answer(
        self, call: Call, request: PkiData, outcome: Outcome, certificates: Sequence[bytes]
    ) -> Answered:
        content = cmc.response(outcome, request, self._entropy(_NONCE))
        signed = self._signing.sign(call.door, cmc.PKI_RESPONSE, content, certificates)
        reply = call.reply(_RESPONSE, signed)
        if outcome.status is Status.PENDING:
            after = ("Retry-After", str(call.settings.retry_after_s))
            reply = replace(reply, status=202, headers=(*reply.headers, after))
            return Answered(reply, "pending")
        return Answered(reply)


def _read(body: bytes) -> cms.Signed:
    signed = cms.read_signed(body)
    if signed.content_type != cmc.PKI_DATA:
        raise _bad("it holds no PKIData", "cmc.type")
    if signed.digest is alg.Digest.SHA1:
        raise _bad("SHA-1 proves nothing", "cmc.digest")
    return signed


def _signer(signed: cms.Signed, request: PkiData, shown: bytes | None) -> bytes | None:
    """The certificate by which the sender is known: the signer's, or what TLS was shown.

    Who has none yet signs with the key that it asks for: under a certificate
    that it made itself, or none (RFC 5272 §3.2.1.3).
    """
    asked = [pkcs10.decode(one.request).spki for one in request.requests]
    if signed.certificates:
        signer = signed.signer()
    elif asked:
        signer = cms.Certificate(b"", b"", b"", b"", asked[0])
    else:
        raise _bad("who signed it is not to be seen", "cmc.signer")
    signed.verify(signer)
    if signer.issuer != signer.subject:
        return signer.der
    if any(spki != signer.spki for spki in asked):
        raise _bad("it is signed by neither a certificate nor the key asked for", "cmc.signer")
    return shown


def _fail(error: CAError) -> Fail:
    if (error.rule or "").startswith("pop."):
        return Fail.POP_FAILED
    for kind, fail in FAILURES:
        if isinstance(error, kind):
            return fail
    return Fail.INTERNAL_CA_ERROR


def _bad(why: str, rule: str) -> BadRequest:
    return BadRequest(
        f"not a usable CMC request: {why}",
        field="message",
        rule=rule,
        remedy="send a signed PKIData that asks for one thing",
    )
