"""One HTTP request and its answer, as an enrolment protocol sees them: no framework, no sockets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Exchange:
    """*path* is percent-decoded; *tail* what follows the protocol's prefix, without its slash.

    *headers* have lower-case names; a repeated one is joined by commas (RFC 9110 §5.3).
    *certificate* is the DER of the client's, its chain verified by TLS against
    the CAs the listener trusts.  *base* is ``https://host[:port]`` as the
    client wrote it.
    """

    method: str
    path: str
    tail: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    origin: str
    secure: bool
    certificate: bytes | None
    tls_unique: bytes | None
    base: str


@dataclass(frozen=True, slots=True)
class Reply:
    """*headers* without Content-Length, which is added."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class DoorHandler(Protocol):
    """A protocol: bytes in, reply out.  Runs in a thread of the door's; never raises CAError."""

    @property
    def max_body(self) -> int:
        """Octets of a body; one that is longer comes in cut off one octet beyond."""
        ...

    def handle(self, exchange: Exchange) -> Reply: ...
