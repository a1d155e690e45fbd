"""What the signer and its clients say to each other: length-prefixed MessagePack frames.

A frame is a 4-octet big-endian length and that many octets.  Each request is
one tagged array, each answer too; unknown tags, missing fields and wrong types
end the connection.  There is no request to sign octets as such: every one
names what the octets are, and the signer looks.
"""

import socket
from typing import Final

import msgspec

from chancery.domain import errors
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import CAError, TooLarge, Unavailable
from chancery.domain.keys import (
    CaAuthorisation,
    CertificateOrder,
    KeyInfo,
    KeyPurpose,
    SignatureOnRecord,
)
from chancery.domain.vaults import SOFTWARE
from chancery.signer.door_messages import DoorRequest
from chancery.signer.long_messages import LongRequest
from chancery.signer.managed.messages import ManagedAnswer, ManagedRequest
from chancery.signer.message import Message
from chancery.signer.vault_messages import VaultAnswer, VaultRequest

MAX_FRAME: Final = 64 * 1024 * 1024
"""Octets of one frame: a CRL that is longer comes in parts (``long_messages``).

Only processes of the signer's own account are heard, and a frame's buffer
grows with what has arrived: a length alone costs nothing.
"""

_COPIED: Final = 1 << 20

MAX_SERIALS: Final = 2_000
"""Serials in one look-up, so that its answer fits a frame (ML-DSA-87: 4,627 octets each)."""


class Generate(Message, frozen=True):
    key_id: str
    algorithm: KeyAlgorithm
    purpose: KeyPurpose
    ca_approvals: int
    vault: str = SOFTWARE


class ImportKey(Message, frozen=True):
    key_id: str
    pkcs8: bytes
    purpose: KeyPurpose
    ca_approvals: int
    vault: str = SOFTWARE


class Describe(Message, frozen=True):
    key_id: str


class Bind(Message, frozen=True):
    key_id: str
    certificate: bytes
    ekus: tuple[str, ...] | None
    approvals: int


class SignCertificates(Message, frozen=True):
    orders: list[CertificateOrder]


class SignCaCertificate(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    tbs: bytes
    authorisation: CaAuthorisation


class SignCsr(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    info: bytes


class SignCrl(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    tbs: bytes


class SignOcsp(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    tbs: bytes


class SignOcspAll(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    tbss: list[bytes]


class SignCheckpoint(Message, frozen=True):
    key_id: str
    text: bytes


class ExportPkcs12(Message, frozen=True):
    key_id: str
    certificate: bytes
    chain: tuple[bytes, ...]
    passphrase: str

    def __repr__(self) -> str:
        return f"ExportPkcs12(key_id={self.key_id!r})"  # the passphrase stays out of tracebacks


class Destroy(Message, frozen=True):
    key_id: str


class LookUp(Message, frozen=True):
    key_id: str
    serials: tuple[str, ...]


class Alive(Message, frozen=True):
    """Asks for nothing but an answer."""


class Failure(Message, frozen=True):
    """A CAError on its way out of the signer."""

    kind: str
    message: str
    field: str | None
    rule: str | None
    remedy: str | None

    @classmethod
    def of(cls, error: CAError) -> "Failure":
        return cls(type(error).__name__, str(error), error.field, error.rule, error.remedy)

    def error(self) -> CAError:
        kind = _ERRORS.get(self.kind, CAError)
        return kind(self.message, field=self.field, rule=self.rule, remedy=self.remedy)


class Described(Message, frozen=True):
    info: KeyInfo


class Signed(Message, frozen=True):
    data: bytes


class Batch(Message, frozen=True):
    results: list[bytes | Failure]


class Found(Message, frozen=True):
    records: list[SignatureOnRecord]


class Done(Message, frozen=True):
    pass


ShortRequest = (
    Generate
    | ImportKey
    | Describe
    | Bind
    | SignCertificates
    | SignCaCertificate
    | SignCsr
    | SignCrl
    | SignOcsp
    | SignOcspAll
    | SignCheckpoint
    | ExportPkcs12
    | Destroy
    | LookUp
    | Alive
    | DoorRequest
    | ManagedRequest
    | VaultRequest
)
Request = ShortRequest | LongRequest
Answer = Described | Signed | Batch | Found | Done | Failure | ManagedAnswer | VaultAnswer

_ERRORS: Final[dict[str, type[CAError]]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, CAError)
}
_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_answers = msgspec.msgpack.Decoder(Answer)


class Garbled(Exception):
    """The other side does not speak this protocol; nothing it sent was acted upon."""


def encode(message: Request | Answer) -> bytes:
    """Return the frame's payload; TooLarge if it would not fit one."""
    payload = _encoder.encode(message)
    if len(payload) > MAX_FRAME:
        raise TooLarge(
            f"a message of {len(payload)} octets is more than the signer takes at once",
            field="orders",
            rule="signer.frame-size",
            remedy=f"stay below {MAX_FRAME} octets: send smaller batches",
        )
    return payload


def decode_request(payload: bytes | bytearray) -> Request:
    """Raises Garbled."""
    try:
        request: Request = _requests.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Garbled(str(error)) from None
    return request


def decode_answer(payload: bytes | bytearray) -> Answer:
    """Raises Garbled."""
    try:
        answer: Answer = _answers.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Garbled(str(error)) from None
    return answer


def frame(payload: bytes) -> bytes:
    """The octets of one frame."""
    return len(payload).to_bytes(4) + payload


def send(connection: socket.socket, payload: bytes) -> None:
    """Write one frame; one that is long is not copied for its four octets."""
    if len(payload) < _COPIED:
        connection.sendall(frame(payload))
        return
    connection.sendall(len(payload).to_bytes(4))
    connection.sendall(payload)


def receive(connection: socket.socket) -> bytearray | None:
    """Read one frame; None if the peer closed between frames.

    Raises Garbled for a frame too long, Unavailable for one cut short.
    """
    header = _exactly(connection, 4)
    if not header:
        return None
    if len(header) < 4:
        raise Unavailable("the connection ended inside a frame")
    length = int.from_bytes(header)
    if length > MAX_FRAME:
        raise Garbled(f"a frame of {length} octets, at most {MAX_FRAME} are taken")
    payload = _exactly(connection, length)
    if len(payload) < length:
        raise Unavailable("the connection ended inside a frame")
    return payload


def _exactly(connection: socket.socket, length: int) -> bytearray:
    """Read *length* octets, fewer only at the end of the stream.

    The buffer grows with what arrives, so a length alone costs the peer no
    memory of ours.
    """
    buffer = bytearray()
    while len(buffer) < length:
        part = connection.recv(min(length - len(buffer), 1 << 18))
        if not part:
            break
        buffer += part
    return buffer
