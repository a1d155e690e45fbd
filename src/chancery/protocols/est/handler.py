"""EST (RFC 7030): bytes in, reply out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from chancery.domain.door import DoorProtocol
from chancery.domain.errors import BadRequest, CAError, NotAuthenticated, NotFound, TooLarge
from chancery.ports import Clock, Entropy
from chancery.ports_sign_in import Sealer
from chancery.protocols.est import errors
from chancery.protocols.est.call import CERTS_ONLY, Answered, Call, refusal
from chancery.protocols.est.enrolling import Enrolling
from chancery.protocols.est.full_cmc import FullCmc
from chancery.protocols.est.gate import Gate
from chancery.protocols.est.server_keys import ServerKeys
from chancery.protocols.est.settings import EstSettings
from chancery.protocols.est.signing import Signing
from chancery.protocols.est.wanted import wanted
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment import CredentialService, EnrolmentDesk
from chancery.wire import csrattrs, pkcs7

_log = structlog.get_logger("est")

DEFAULT_LABEL: Final = "main"
"""The door of ``/.well-known/est/simpleenroll``: RFC 7030 §3.2.2 makes the label optional."""


@dataclass(frozen=True, slots=True)
class Operation:
    """*media* is what its request is, for a POST."""

    run: Callable[[Call], Answered]
    method: str
    media: str = ""


class EstHandler:
    """Implements ``DoorHandler`` for everything below ``/.well-known/est/``."""

    max_body = 192 * 1024
    """Base64, in lines, of the largest request that is read; fullcmc wraps it once more."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        credentials: CredentialService,
        catalogue: Catalogue,
        sealer: Sealer,
        signing: Signing,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._catalogue = catalogue
        self._gate = gate = Gate(desk, credentials, sealer, clock)
        enrolling = Enrolling(desk, gate, clock)
        keys = ServerKeys(desk, credentials, gate, enrolling, signing, entropy)
        full = FullCmc(desk, gate, enrolling, signing, clock, entropy)
        self._operations: Final = {
            "cacerts": Operation(self._cacerts, "GET"),
            "csrattrs": Operation(self._csrattrs, "GET"),
            "simpleenroll": Operation(enrolling.enroll, "POST", "application/pkcs10"),
            "simplereenroll": Operation(enrolling.reenroll, "POST", "application/pkcs10"),
            "serverkeygen": Operation(keys.run, "POST", "application/pkcs10"),
            "fullcmc": Operation(full.run, "POST", "application/pkcs7-mime"),
        }

    def handle(self, exchange: Exchange) -> Reply:
        """Answer one request.  Never raises."""
        label, _, name = exchange.tail.strip("/").rpartition("/")
        try:
            door = self._desk.door(DoorProtocol.EST, label or DEFAULT_LABEL)
            call = Call(door, EstSettings.of(door.settings), exchange, name[:40])
        except CAError as error:
            return refusal(404, errors.text_of(error))
        try:
            answered = self._run(call)
        except CAError as error:
            self._seen(call, error.rule or type(error).__name__, str(error))
            return self._refused(call, error)
        except Exception:  # noqa: BLE001 - a door answers whatever happens; the log has the trace
            _log.exception("est failed", operation=call.operation)
            self._seen(call, "internal", "")
            return refusal(500, "internal error")
        self._seen(call, answered.outcome, answered.detail)
        return answered.reply

    def _run(self, call: Call) -> Answered:
        operation, exchange = self._operations.get(call.operation), call.exchange
        if operation is None:
            raise NotFound(
                f"no operation {call.operation!r}",
                field="path",
                rule="est.operation",
                remedy="one of: " + ", ".join(self._operations),
            )
        if exchange.method != operation.method:
            raise BadRequest(
                f"{call.operation} is asked for by {operation.method}",
                field="method",
                rule="est.method",
            )
        if len(exchange.body) > self.max_body:
            raise TooLarge(
                f"a body longer than {self.max_body} octets", field="body", rule="est.size"
            )
        media = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if operation.media and media != operation.media:
            raise BadRequest(
                f"{media[:60]!r} is not the type of this request",
                field="content-type",
                rule="est.media",
                remedy=f"send {operation.media}",
            )
        return operation.run(call)

    def _refused(self, call: Call, error: CAError) -> Reply:
        status, text = errors.status_of(error), errors.text_of(error)
        if isinstance(error, NotAuthenticated):
            stale = error.rule == "est.stale-nonce"
            challenges = self._gate.challenges(call, stale=stale)
            # Without a challenge 401 would break RFC 9110 §15.5.2; with one its body must be
            # empty for clients that read none before they answer.
            return Reply(401, challenges) if challenges else refusal(403, text)
        if error.rule == "est.method":
            operation = self._operations[call.operation]
            return refusal(405, text, ("Allow", operation.method))
        if error.rule == "est.media":
            return refusal(415, text)
        after = errors.retry_after(error)
        return refusal(status, text, *(() if after is None else (("Retry-After", str(after)),)))

    def _seen(self, call: Call, outcome: str, detail: str) -> None:
        self._desk.seen(
            call.door,
            call.operation,
            outcome,
            who=call.who,
            origin=call.exchange.origin,
            detail=detail,
        )

    def _cacerts(self, call: Call) -> Answered:
        """§4.1: the issuing CA and those above it."""
        certificates = self._desk.issuers(call.door)
        return Answered(call.reply(CERTS_ONLY, pkcs7.certs_only(certificates)))

    def _csrattrs(self, call: Call) -> Answered:
        """§4.5, RFC 9908."""
        profile = self._catalogue.profile(call.door.profile).profile
        names = self._catalogue.dn_profile(profile.dn_profile)
        told = wanted(profile, names, challenge=call.settings.channel_binding)
        if told == csrattrs.Wanted():
            return Answered(Reply(204))
        return Answered(call.reply("application/csrattrs", csrattrs.encode(told)))
