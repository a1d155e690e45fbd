"""CRLs that are longer than a frame: they travel in parts, and are signed once whole.

``BeginCrl`` says how long it is, ``CrlPart`` brings the next octets, and the
answer to the last part is the signature.  All on one connection, which does
nothing else meanwhile.
"""

from collections.abc import Callable, Iterator
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadRequest, TooLarge
from chancery.signer.message import Message

WHOLE: Final = 8 * 1024 * 1024
"""Octets of a CRL up to which it travels in one frame: some 160,000 entries."""

PART: Final = 4 * 1024 * 1024
MAX_CRL: Final = 1024 * 1024 * 1024
"""Octets of a CRL at most: some 20 million entries."""


class BeginCrl(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    size: int


class CrlPart(Message, frozen=True):
    data: bytes


LongRequest = BeginCrl | CrlPart

Sign = Callable[[str, SignatureAlgorithm, bytes], bytes]


def parts(tbs: bytes) -> Iterator[CrlPart]:
    for start in range(0, len(tbs), PART):
        yield CrlPart(tbs[start : start + PART])


class LongCrl:
    """What one connection has brought so far.

    The octets are kept as they come: what a peer only announces costs nothing.
    """

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self._begun: BeginCrl | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    def perform(self, request: LongRequest) -> bytes | None:
        """The signature after the last part, else None.  Any error ends what was begun."""
        if isinstance(request, BeginCrl):
            self._end()
            if not 0 < request.size <= MAX_CRL:
                raise TooLarge(
                    f"a CRL of {request.size} octets is more than the signer takes",
                    field="tbs",
                    rule="signer.crl-size",
                    remedy=f"at most {MAX_CRL} octets: use shards",
                )
            self._begun, self._missing = request, request.size
            return None
        return self._take(request.data)

    def _take(self, data: bytes) -> bytes | None:
        begun = self._begun
        if begun is None or not data or len(data) > self._missing:
            self._end()
            raise BadRequest("a part of no CRL", field="data", rule="signer.crl-part")
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing:
            return None
        tbs = b"".join(self._parts)
        self._end()
        return self._sign(begun.key_id, begun.algorithm, tbs)

    def _end(self) -> None:
        self._begun, self._parts, self._missing = None, [], 0
