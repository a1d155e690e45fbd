"""CMP over HTTP (RFC 9811): a PKIMessage comes in, a PKIMessage goes out, whatever happens."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import CAError, NotFound, TooLarge
from chancery.ports import Clock, Entropy
from chancery.protocols.cmp import (
    enrolling,
    failures,
    nesting,
    paths,
    revoking,
    settings,
    talk,
    wishes,
)
from chancery.protocols.cmp.enrolling import ANSWERS, Enrolling
from chancery.protocols.cmp.following import Following
from chancery.protocols.cmp.informing import Informing
from chancery.protocols.cmp.key_delivery import KeyDelivery
from chancery.protocols.cmp.protection import Guard
from chancery.protocols.cmp.replies import Replies
from chancery.protocols.cmp.talk import Answer, Asked, Caller
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment import EnrolmentDesk
from chancery.services.enrolment.confirmation import Confirmations
from chancery.wire import cmp, cmp_bodies, der
from chancery.wire.cmp import Header, Message
from chancery.wire.cmp_kinds import Body, Failure

MEDIA_TYPE: Final = "application/pkixcmp"

_log = logging.getLogger(__name__)


class CmpHandler:
    """Answers ``/.well-known/cmp/...`` and ``/pkix/...``."""

    max_body: Final = cmp.MAX_MESSAGE

    def __init__(
        self,
        desk: EnrolmentDesk,
        guard: Guard,
        replies: Replies,
        catalogue: Catalogue,
        confirmations: Confirmations,
        delivery: KeyDelivery,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._guard = guard
        self._replies = replies
        self._clock = clock
        enrolling_ = Enrolling(desk, confirmations, delivery, entropy)
        following = Following(desk, confirmations, enrolling_)
        informing = Informing(desk, catalogue)
        self._answers: Final[dict[Body, Callable[[Asked], Answer]]] = {
            **dict.fromkeys(ANSWERS, enrolling_.answer),
            Body.CERTCONF: following.confirm,
            Body.POLLREQ: following.poll,
            Body.ERROR: following.failed,
            Body.RR: lambda asked: revoking.answer(desk, asked),
            Body.GENM: informing.answer,
        }

    def handle(self, exchange: Exchange) -> Reply:
        """Answer one request."""
        if exchange.method != "POST":
            return _plain(405, "send a PKIMessage by POST", ("Allow", "POST"))
        kind = exchange.headers.get("content-type", MEDIA_TYPE).partition(";")[0].strip().lower()
        if kind != MEDIA_TYPE:
            return _plain(415, f"send {MEDIA_TYPE}")
        try:
            place = paths.place(exchange.path)
            door = self._desk.door(DoorProtocol.CMP, place.label)
        except NotFound as error:
            return _plain(404, str(error))
        if len(exchange.body) > self.max_body:
            self._seen(door, exchange, "message", TooLarge("", rule="cmp.size"))
            return _plain(413, f"a message has at most {self.max_body} octets")
        try:
            return self._answered(door, place, exchange)
        except CAError as error:  # not even the refusal could be protected
            _log.warning("no answer for %s: %s", door.name, error)
            return _plain(503, "the door's key is away; try again later")

    def _answered(self, door: Door, place: paths.Place, exchange: Exchange) -> Reply:
        now = self._clock.s()
        try:
            message = cmp.decode(exchange.body)
        except CAError as error:
            self._seen(door, exchange, "message", error)
            return _reply(self._replies.bare(Header(), _error(error), now), 400)
        return _reply(self._message(door, place, message, exchange, now))

    def _message(
        self, door: Door, place: paths.Place, message: Message, exchange: Exchange, now: int
    ) -> bytes:
        """DER of the answer to one message, protected."""
        caller: Caller | None = None
        try:
            paths.check(place, message.kind)
            chosen = settings.read(door.settings)
            caller = self._guard.verify(door, chosen, message, exchange.origin, now)
            asked = Asked(door, chosen, message, caller, exchange.origin, now)
            answer, asked = self._understood(asked, exchange)
        except CAError as error:
            self._seen(door, exchange, message.kind.name.lower(), error, caller)
            refusal = _refusal(message, error)
            if caller is None:
                return self._replies.refuse(door, message.header, refusal, exchange.origin, now)
            return self._replies.write(door, caller, message.header, refusal, now)
        except Exception:  # noqa: BLE001 - the client gets a PKIMessage whatever our bug is
            _log.exception("CMP %s at %s failed", message.kind.name, door.name)
            fault = CAError("internal error", rule="internal")
            self._seen(door, exchange, message.kind.name.lower(), fault, caller)
            return self._replies.write(door, caller, message.header, _error(fault), now)
        self._desk.seen(
            door,
            asked.message.kind.name.lower(),
            answer.outcome,
            who=asked.caller.who,
            origin=exchange.origin,
            detail=answer.detail,
        )
        return self._replies.write(door, caller, message.header, answer, now)

    def _understood(self, asked: Asked, exchange: Exchange, depth: int = 0) -> tuple[Answer, Asked]:
        """The answer, and the message that it answers: the inner one of a nested one."""
        talk.check_header(asked.message, asked.settings, asked.now)
        if asked.message.kind is not Body.NESTED:
            found = self._answers.get(asked.message.kind)
            if found is None:
                raise cmp.bad("no such message is answered here", "cmp.body")
            return found(asked), asked
        inner = nesting.unwrap(asked)
        if depth == nesting.MAX_DEPTH:
            raise cmp.bad(f"messages nested more than {nesting.MAX_DEPTH} deep", "cmp.nested")
        if nesting.adds_protection(asked.message, inner):
            caller = nesting.vouched(self._guard, asked, inner[0])
            within = replace(asked, message=inner[0], caller=caller)
            answer, within = self._understood(within, exchange, depth + 1)
            nonce = inner[0].header.sender_nonce
            return replace(answer, recipient_nonce=answer.recipient_nonce or nonce), within
        if any(one.kind is Body.NESTED for one in inner):
            raise cmp.bad("a batch inside a batch", "cmp.nested")
        parts = [self._one_of_batch(asked, one, exchange) for one in inner]
        return Answer(Body.NESTED, der.sequence(*parts)), asked

    def _one_of_batch(self, asked: Asked, message: Message, exchange: Exchange) -> bytes:
        """A message that was collected with others: protected, and refused, by itself."""
        caller: Caller | None = asked.caller
        try:
            caller = nesting.vouched(self._guard, asked, message)
            within = replace(asked, message=message, caller=caller)
            answer, _ = self._understood(within, exchange, nesting.MAX_DEPTH)
        except CAError as error:
            self._seen(asked.door, exchange, message.kind.name.lower(), error, caller)
            answer = _refusal(message, error)
        return self._replies.write(asked.door, caller, message.header, answer, asked.now)

    def _seen(
        self,
        door: Door,
        exchange: Exchange,
        operation: str,
        error: CAError,
        caller: Caller | None = None,
    ) -> None:
        self._desk.seen(
            door,
            operation,
            error.rule or type(error).__name__,
            who=caller.who if caller is not None else "",
            origin=exchange.origin,
            detail=str(error),
        )


def _refusal(message: Message, error: CAError) -> Answer:
    """No, in the words of the body that was expected, once it is the body that is at fault."""
    kind = ANSWERS.get(message.kind)
    if _of_the_message(error):
        return _error(error)
    if kind is not None:
        failure, text = failures.failure_of(error), failures.text_of(error)
        number = wishes.request_id_of(message)
        return Answer(kind, enrolling.refusal(number, failure, text))
    if message.kind is Body.RR:
        return Answer(Body.RP, revoking.refused(error))
    return _error(error)


_OF_THE_MESSAGE: Final = ("cmp.", "mac.", "transaction.")
_OF_ITS_SENDER: Final = frozenset(
    {
        "certificate.holder",
        "credential.proof",
        "credential.rate",
        "credential.valid",
        "internal",
        "signature.algorithm",
    }
)


def _of_the_message(error: CAError) -> bool:
    """Whether it is about protection and header, rather than about what is asked for."""
    rule = error.rule or ""
    return rule.startswith(_OF_THE_MESSAGE) or rule in _OF_ITS_SENDER


def _error(error: CAError) -> Answer:
    failure = Failure.SYSTEM_FAILURE if error.rule == "internal" else failures.failure_of(error)
    status = cmp_bodies.rejection(failure, failures.text_of(error))
    return Answer(Body.ERROR, cmp_bodies.encode_error(status))


def _reply(body: bytes, status: int = 200) -> Reply:
    return Reply(status, (("Content-Type", MEDIA_TYPE), ("Cache-Control", "no-store")), body)


def _plain(status: int, text: str, *more: tuple[str, str]) -> Reply:
    return Reply(
        status, (("Content-Type", "text/plain; charset=utf-8"), *more), f"{text}\n".encode()
    )
