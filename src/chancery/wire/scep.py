"""SCEP messages (RFC 8894 §3): the signed attributes that make one of a CMS SignedData."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.wire import cms, der
from chancery.wire import cms_algorithms as alg
from chancery.wire import cms_writing as writing

MAX_OCTETS: Final = 256 * 1024
"""Of one message: the largest request that is read has 64 KiB, and is encrypted and signed."""
MAX_TRANSACTION: Final = 255
NONCE: Final = 16
"""Octets of a nonce (RFC 8894 §3.2.1.5)."""

_ARC: Final = "2.16.840.1.113733.1.9."
_KIND, _STATUS, _FAIL, _SENDER, _RECIPIENT, _TRANSACTION = (f"{_ARC}{n}" for n in range(2, 8))
_FAIL_TEXT: Final = "1.3.6.1.5.5.7.24.1"  # id-scep-failInfoText (RFC 8894 §3.2.1.4)
_NUMBER: Final = re.compile(r"0|[1-9][0-9]?")
_TEXT: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
_STRINGS: Final = {der.PRINTABLE_STRING, der.UTF8_STRING, der.IA5_STRING}
_MAX_FAIL_TEXT: Final = 255


class Kind(IntEnum):
    """messageType; every other number is refused by name (RFC 8894 §3.2.1.2)."""

    CERT_REP = 3
    RENEWAL_REQ = 17
    PKCS_REQ = 19
    CERT_POLL = 20
    GET_CERT = 21
    GET_CRL = 22


class Status(StrEnum):
    """pkiStatus."""

    SUCCESS = "0"
    FAILURE = "2"
    PENDING = "3"


class FailInfo(StrEnum):
    """failInfo."""

    BAD_ALG = "0"
    BAD_MESSAGE_CHECK = "1"
    BAD_REQUEST = "2"
    BAD_TIME = "3"
    BAD_CERT_ID = "4"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the attributes of a message say.  None: not there, twice there, or not readable."""

    kind: int | None
    transaction: str | None
    sender_nonce: bytes | None

    def demand(self) -> "Whole":
        """All of them.  Raises BadRequest for a message that lacks one, or has one twice."""
        if self.kind is None or self.transaction is None or self.sender_nonce is None:
            raise BadRequest(
                "a SCEP message has exactly one messageType, transactionID and senderNonce",
                field="message",
                rule="scep.attributes",
                remedy="send each once, as RFC 8894 section 3.2.1 says",
            )
        return Whole(self.kind, self.transaction, self.sender_nonce)


@dataclass(frozen=True, slots=True)
class Whole:
    """The three attributes that every request has."""

    kind: int
    transaction: str
    sender_nonce: bytes


def attributes(signed: cms.Signed) -> Attributes:
    """Read what is readable: a refusal names the transaction where there is one."""
    kind = _text(signed, _KIND)
    transaction = _text(signed, _TRANSACTION)
    nonce = _one(signed, _SENDER)
    good_kind = kind is not None and _NUMBER.fullmatch(kind) is not None
    good_nonce = nonce is not None and nonce[0] == der.OCTET_STRING and len(nonce[1]) == NONCE
    return Attributes(
        int(kind or "") if good_kind else None,
        transaction,
        nonce[1] if nonce is not None and good_nonce else None,
    )


def _one(signed: cms.Signed, oid: str) -> tuple[int, bytes] | None:
    values = signed.attributes.get(oid, ())
    return values[0] if len(values) == 1 else None


def _text(signed: cms.Signed, oid: str) -> str | None:
    value = _one(signed, oid)
    if value is None or value[0] not in _STRINGS or len(value[1]) > MAX_TRANSACTION:
        return None
    try:
        text = value[1].decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if _TEXT.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A CertRep: *content* is an EnvelopedData with SUCCESS, and None else."""

    status: Status
    transaction: str
    recipient_nonce: bytes
    content: bytes | None = None
    fail_info: FailInfo | None = None
    fail_text: str | None = None


def cert_rep(
    answer: Answer,
    signer: cms.Certificate,
    digest: alg.Digest,
    sign: writing.Sign,
    nonce: bytes,
    certificates: Sequence[bytes] = (),
) -> bytes:
    """DER of the answer, signed by the door's own key."""
    fields = [
        (_KIND, _printable(str(Kind.CERT_REP.value))),
        (_STATUS, _printable(answer.status.value)),
        (_TRANSACTION, _printable(answer.transaction)),
        (_SENDER, der.octet_string(nonce)),
        (_RECIPIENT, der.octet_string(answer.recipient_nonce)),
    ]
    if answer.fail_info is not None:
        fields.append((_FAIL, _printable(answer.fail_info.value)))
    if answer.fail_text is not None:
        text = answer.fail_text[:_MAX_FAIL_TEXT].encode()
        fields.append((_FAIL_TEXT, der.tlv(der.UTF8_STRING, text)))
    # RFC 8894 §3.2 would leave an absent content out; OpenSSL then cannot verify the answer, so
    # certmonger would never learn why it was refused.  Everybody reads an empty one.
    return writing.signed(
        answer.content or b"", fields, signer, digest, sign, certificates=certificates
    )


def _printable(text: str) -> bytes:
    return der.tlv(der.PRINTABLE_STRING, text.encode("ascii"))
