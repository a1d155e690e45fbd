"""nested: a registration authority passes on what others sent it (RFC 9483 §5.2.2)."""

from dataclasses import replace
from typing import Final

from chancery.domain.errors import NotAuthenticated, NotPermitted
from chancery.protocols.cmp.protection import Guard
from chancery.protocols.cmp.talk import Asked, Caller
from chancery.wire import cmp, der
from chancery.wire.cmp import Message
from chancery.wire.cmp_kinds import Body

MAX_BATCH: Final = 20
MAX_DEPTH: Final = 3
_UNKNOWN: Final = ("credential.valid", "certificate.holder")


def unwrap(asked: Asked) -> tuple[Message, ...]:
    """The messages inside; the one whom the door trusts must have put them there."""
    if not asked.caller.trusted:
        raise NotPermitted(
            "messages are passed on by a registration authority that this door trusts alone",
            field="message",
            rule="cmp.nested",
            remedy="name its certificate in the settings of the door, or send them by themselves",
        )
    reader = der.Reader(der.single(asked.message.content, der.SEQUENCE)[1])
    found: list[Message] = []
    while reader:
        if len(found) == MAX_BATCH:
            raise cmp.bad(f"more than {MAX_BATCH} messages in one", "cmp.nested")
        found.append(cmp.decode(reader.read(der.SEQUENCE)[2]))
    if not found:
        raise cmp.bad("no message inside", "cmp.nested")
    return tuple(found)


def adds_protection(outer: Message, inner: tuple[Message, ...]) -> bool:
    """One message of the same transaction: it is answered as if it had come by itself."""
    return len(inner) == 1 and inner[0].header.transaction == outer.header.transaction


def vouched(guard: Guard, asked: Asked, inner: Message) -> Caller:
    """The inner message's sender, vouched for by the authority around it.

    Protection that we can verify must be right.  What is protected by a
    secret or a certificate that only the authority knows is believed to it.
    """
    outer = asked.caller
    if inner.header.protection is None or inner.kind is Body.NESTED:
        return outer
    try:
        own = guard.verify(asked.door, asked.settings, inner, asked.origin, asked.now)
    except NotAuthenticated as error:
        if error.rule not in _UNKNOWN:
            raise
        return outer
    return replace(own, secret=None, certificate=outer.certificate, trusted=True)
