"""One EST request on its way through the door, and the answers it may get."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.door import Door
from chancery.protocols.est.settings import EstSettings
from chancery.protocols.exchange import Exchange, Reply
from chancery.wire import est

CERTS_ONLY: Final = "application/pkcs7-mime; smime-type=certs-only"
_BASE64: Final = ("Content-Transfer-Encoding", "base64")


@dataclass(slots=True)
class Call:
    """What is asked, at which door.  *who* is filled in as soon as it is known, for the record."""

    door: Door
    settings: EstSettings
    exchange: Exchange
    operation: str
    who: str = ""

    def reply(self, kind: str, der: bytes) -> Reply:
        """200 with the base64 of *der*."""
        headers = (("Content-Type", kind), _BASE64)
        return Reply(200, headers, est.encode(der, wrap=self.wrapped))

    @property
    def wrapped(self) -> bool:
        """libest reads base64 in lines alone; others insist on none."""
        return "libest" in self.exchange.headers.get("user-agent", "").lower()


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, and what the record says of it: ``ok``, ``pending``, or the rule that was broken."""

    reply: Reply
    outcome: str = "ok"
    detail: str = ""


def waiting(seconds: int) -> Answered:
    """Ask again with the same request: 202 without a body, which some clients would trip over."""
    return Answered(Reply(202, (("Retry-After", str(seconds)),)), "pending")


def refusal(status: int, text: str, *more: tuple[str, str]) -> Reply:
    """What a person reads (RFC 7030 §4.2.3)."""
    headers = (("Content-Type", "text/plain; charset=utf-8"), *more)
    return Reply(status, headers, f"{text}\n".encode())
