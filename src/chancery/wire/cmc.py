"""CMC, Certificate Management over CMS (RFC 5272, 6402): what EST's fullcmc needs of it.

Content only: the SignedData around it is the business of ``cms``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeVar

from chancery.domain.errors import BadRequest
from chancery.wire import der

PKI_DATA: Final = "1.3.6.1.5.5.7.12.2"
PKI_RESPONSE: Final = "1.3.6.1.5.5.7.12.3"

_CMC: Final = "1.3.6.1.5.5.7.7."
DATA_RETURN: Final = _CMC + "4"
TRANSACTION_ID: Final = _CMC + "5"
SENDER_NONCE: Final = _CMC + "6"
RECIPIENT_NONCE: Final = _CMC + "7"
REVOKE_REQUEST: Final = _CMC + "17"
REG_INFO: Final = _CMC + "18"
QUERY_PENDING: Final = _CMC + "21"
STATUS_INFO_V2: Final = _CMC + "25"

MAX_PARTS: Final = 16  # controls, and requests
_MAX_ID: Final = 4_294_967_295  # bodyIdMax
_TCR: Final = der.CONTEXT | der.CONSTRUCTED
_CRM: Final = _TCR | 1
_Part = TypeVar("_Part")


class Status(IntEnum):
    """CMCStatus, RFC 5272 §6.1.3."""

    SUCCESS = 0
    FAILED = 2
    PENDING = 3
    NO_SUPPORT = 4


class Fail(IntEnum):
    """CMCFailInfo, RFC 5272 §6.1.4."""

    BAD_ALG = 0
    BAD_MESSAGE_CHECK = 1
    BAD_REQUEST = 2
    BAD_CERT_ID = 4
    BAD_IDENTITY = 7
    POP_FAILED = 9
    INTERNAL_CA_ERROR = 11
    TRY_LATER = 12
    AUTH_DATA_FAIL = 13


@dataclass(frozen=True, slots=True)
class Control:
    """A TaggedAttribute; *values* are DER."""

    body_id: int
    oid: str
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A TaggedRequest: DER of a PKCS#10, or of a CertReqMsg with its own tag."""

    body_id: int
    request: bytes


@dataclass(frozen=True, slots=True)
class PkiData:
    """A full PKI request."""

    controls: tuple[Control, ...]
    requests: tuple[Asked, ...]

    def control(self, oid: str) -> Control | None:
        """The control of that type; BadRequest if there are two."""
        found = [one for one in self.controls if one.oid == oid]
        if len(found) > 1:
            raise _bad(f"control {oid} stands there twice", "cmc.duplicate-control")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Revocation:
    """RevokeRequest, RFC 5272 §6.11: DER of the issuer's name, serial, CRLReason."""

    issuer: bytes
    serial: int
    reason: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went for the parts *bodies*: a failure has *fail*, a wait *token* and *until*."""

    status: Status
    bodies: tuple[int, ...]
    text: str = ""
    fail: Fail | None = None
    token: bytes = b""
    until: int = 0


def read(data: bytes) -> PkiData:
    """Read a DER PKIData.  Raises BadRequest."""
    reader = der.Reader(der.single(data, der.SEQUENCE)[1])
    controls = _each(reader, _control)
    requests = _each(reader, _request)
    for what in ("messages in messages", "other messages"):
        if reader.enter(der.SEQUENCE):
            raise _bad(f"it holds {what}", "cmc.unsupported")
    reader.finish()
    ids = [one.body_id for one in controls] + [one.body_id for one in requests]
    if len(set(ids)) < len(ids):
        raise _bad("two parts have one number", "cmc.body-id")
    return PkiData(tuple(controls), tuple(requests))


def _each(reader: der.Reader, read_one: Callable[[der.Reader], _Part]) -> list[_Part]:
    inner = reader.enter(der.SEQUENCE)
    found: list[_Part] = []
    while inner:
        if len(found) == MAX_PARTS:
            raise _bad(f"more than {MAX_PARTS} parts of a kind", "cmc.parts")
        found.append(read_one(inner))
    return found


def _control(reader: der.Reader) -> Control:
    attribute = reader.enter(der.SEQUENCE)
    body_id = _body_id(attribute)
    oid = der.decode_oid(attribute.content(der.OID))
    values = attribute.enter(der.SET)
    attribute.finish()
    found: list[bytes] = []
    while values:
        found.append(values.read()[2])
    return Control(body_id, oid, tuple(found))


def _request(reader: der.Reader) -> Asked:
    tag, content, _ = reader.read()
    inner = der.Reader(content)
    if tag == _TCR:
        body_id = _body_id(inner)
        request = inner.read(der.SEQUENCE)[2]
        inner.finish()
        return Asked(body_id, request)
    if tag == _CRM:  # the part's number is the certReqId (RFC 5272 §3.2.1.2.2)
        return Asked(_body_id(inner.enter(der.SEQUENCE)), der.tlv(der.SEQUENCE, content))
    raise _bad("a request that is neither PKCS#10 nor CRMF", "cmc.unsupported")


def _body_id(reader: der.Reader) -> int:
    found = der.decode_integer(reader.content(der.INTEGER))
    if not 0 <= found <= _MAX_ID:
        raise _bad("the number of a part is out of bounds", "cmc.body-id")
    return found


def read_revocation(control: Control) -> Revocation:
    """What a control REVOKE_REQUEST asks for.  Raises BadRequest."""
    reader = der.Reader(der.single(_one(control), der.SEQUENCE)[1])
    issuer = reader.read(der.SEQUENCE)[2]
    serial = der.decode_integer(reader.content(der.INTEGER))
    reason = der.decode_integer(reader.content(der.ENUMERATED))
    return Revocation(issuer, serial, reason)  # date, passphrase and comment are not used


def read_token(control: Control) -> bytes:
    """The pendToken of a control QUERY_PENDING.  Raises BadRequest."""
    return der.single(_one(control), der.OCTET_STRING)[1]


def _one(control: Control) -> bytes:
    if len(control.values) != 1:
        raise _bad(f"control {control.oid} has not one value", "cmc.control")
    return control.values[0]


def response(outcome: Outcome, request: PkiData | None, nonce: bytes) -> bytes:
    """DER PKIResponse.  Transaction, nonces and returned data are those of *request*.

    *nonce* becomes our sender's nonce where the client sent one.
    """
    numbered: list[tuple[str, tuple[bytes, ...]]] = [(STATUS_INFO_V2, (_status(outcome),))]
    for one in request.controls if request else ():
        if one.oid in (TRANSACTION_ID, DATA_RETURN):
            numbered.append((one.oid, one.values))
        elif one.oid == SENDER_NONCE:
            numbered.append((RECIPIENT_NONCE, one.values))
            numbered.append((SENDER_NONCE, (der.octet_string(nonce),)))
    controls = [
        _encode(Control(number, oid, values)) for number, (oid, values) in enumerate(numbered, 1)
    ]
    empty = der.sequence()
    return der.sequence(der.sequence(*controls), empty, empty)


def _encode(control: Control) -> bytes:
    return der.sequence(
        der.integer(control.body_id), der.oid(control.oid), der.set_of(*control.values)
    )


def _status(outcome: Outcome) -> bytes:
    """CMCStatusInfoV2, RFC 5272 §6.1.1."""
    text = der.tlv(der.UTF8_STRING, outcome.text.encode()) if outcome.text else b""
    more = b""
    if outcome.fail is not None:
        more = der.integer(outcome.fail)
    elif outcome.status is Status.PENDING:
        more = der.sequence(der.octet_string(outcome.token), _time(outcome.until))
    bodies = der.sequence(*map(der.integer, outcome.bodies))
    return der.sequence(der.integer(outcome.status), bodies, text, more)


def _time(moment: int) -> bytes:
    text = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(moment))
    return der.tlv(der.GENERALIZED_TIME, text.encode())


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        f"not a usable CMC request: {what}",
        field="message",
        rule=rule,
        remedy="send a PKIData with one request, signed",
    )
