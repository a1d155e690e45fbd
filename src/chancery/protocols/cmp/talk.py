"""One CMP message that came in, who sent it, and what is answered."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chancery.domain.certificate import CertificateRecord
from chancery.domain.door import Door
from chancery.domain.enrolment import Credential
from chancery.domain.errors import BadRequest
from chancery.ports import Entropy
from chancery.protocols.cmp.settings import CmpSettings
from chancery.wire import cmp
from chancery.wire.cmp import Message
from chancery.wire.cmp_kinds import Body
from chancery.wire.cmp_mac import Method

MIN_NONCE: Final = 16  # octets, RFC 9810 §5.1.1
_VERSIONS: Final = (2, 3)
_TAG: Final = 16
SEED: Final = "seed"
"""Of a transaction's data: what its nonces are made from, and whether it is the one begun now."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A shared secret that proved itself: *method* and its stretched *key* protect the answer."""

    method: Method
    key: bytes


@dataclass(frozen=True, slots=True)
class Caller:
    """Who protected a message.  Either *secret* or *certificate*, which is DER, is there.

    *record* is the certificate's, if it is one of ours; *trusted*: it is a
    registration authority's that the door names.
    """

    who: str
    credential: Credential | None = None
    secret: Secret | None = None
    certificate: bytes | None = None
    record: CertificateRecord | None = None
    trusted: bool = False

    @property
    def identity(self) -> str:
        """By which whoever began a transaction is known again."""
        if self.certificate is not None:
            return f"certificate:{hashlib.sha256(self.certificate).hexdigest()}"
        return f"secret:{self.credential.id}" if self.credential is not None else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message whose protection was verified."""

    door: Door
    settings: CmpSettings
    message: Message
    caller: Caller
    origin: str
    now: int

    @property
    def transaction(self) -> str:
        """How the record calls the client's transaction."""
        return (self.message.header.transaction or b"").hex()


@dataclass(frozen=True, slots=True)
class Answer:
    """*content* is the DER of the body's value; *outcome* what the record says of it."""

    kind: Body
    content: bytes
    outcome: str = "ok"
    nonce: bytes | None = None
    info: tuple[cmp.Info, ...] = ()
    certificates: tuple[bytes, ...] = ()
    version: int = 2
    recipient_nonce: bytes | None = None
    detail: str = ""


def check_header(message: Message, settings: CmpSettings, now: int) -> None:
    """What holds for every message (RFC 9483 §3.5)."""
    header = message.header
    if header.version not in _VERSIONS:
        raise cmp.bad(f"version {header.version}; 2 and 3 are spoken here", "cmp.version")
    if not header.transaction:
        raise cmp.bad("no transactionID", "cmp.transaction")
    if len(header.sender_nonce or b"") < MIN_NONCE:
        raise cmp.bad(f"a senderNonce of less than {MIN_NONCE} octets", "cmp.sender-nonce")
    skew = settings.clock_skew_s
    if skew and header.time is not None and abs(header.time - now) > skew:
        raise cmp.bad(
            f"the message's time is {abs(header.time - now)} seconds away from ours", "cmp.time"
        )


def new_nonce(entropy: Entropy, data: Mapping[str, object]) -> bytes:
    """Half chance, half a MAC under the transaction's seed: any node knows it again."""
    chance = entropy(_TAG)
    return chance + hmac.digest(_seed(data), chance, "sha256")[:_TAG]


def check_nonce(nonce: bytes | None, data: Mapping[str, object]) -> None:
    """Raise BadRequest unless the client repeats a nonce of ours from this transaction."""
    given = nonce or b""
    expected = hmac.digest(_seed(data), given[:_TAG], "sha256")[:_TAG]
    if len(given) != 2 * _TAG or not hmac.compare_digest(given[_TAG:], expected):
        raise cmp.bad("recipNonce is not a senderNonce of ours", "cmp.recipient-nonce")


def _seed(data: Mapping[str, object]) -> bytes:
    seed = data.get(SEED)
    if not isinstance(seed, str):
        raise BadRequest("the transaction is of another protocol", field="message")
    return bytes.fromhex(seed)
