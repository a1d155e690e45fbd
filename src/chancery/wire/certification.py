"""What a certification request says, whichever way it was written: PKCS#10 or CRMF."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.errors import BadCSR
from chancery.domain.names import DistinguishedName, GeneralName
from chancery.wire import der
from chancery.wire.general_names import decode_san

MAX_OCTETS: Final = 65_536
MAX_NAMES: Final = 200
MAX_EXTENSIONS: Final = 64

_SAN: Final = "2.5.29.17"

RequestedExtension = tuple[str, bool, bytes]
"""(dotted OID, critical, DER value)."""


@dataclass(frozen=True, slots=True)
class CertificationRequest:
    """A parsed request.  Nothing in it is believed until ``check_signature`` returns.

    *der* is the whole request, *info* the signed part of it, *spki* the
    SubjectPublicKeyInfo, *signature_algorithm* the AlgorithmIdentifier.
    *key_sha256* is lower-case hex over *spki*.  *names* is the requested SAN.
    """

    der: bytes
    info: bytes
    subject: DistinguishedName
    spki: bytes
    public_key: PublicKeyTypes
    key_sha256: str
    names: tuple[GeneralName, ...]
    extensions: tuple[RequestedExtension, ...]
    challenge_password: str | None
    signature_algorithm: bytes
    signature: bytes


def encode_extension(oid: str, critical: bool, value: bytes) -> bytes:
    """DER Extension."""
    flag = der.boolean(value=True) if critical else b""
    return der.sequence(der.oid(oid), flag, der.octet_string(value))


def decode_extensions(reader: der.Reader) -> tuple[RequestedExtension, ...]:
    """Read the content of Extensions; an extension may not stand there twice."""
    found: list[RequestedExtension] = []
    while reader:
        if len(found) == MAX_EXTENSIONS:
            raise bad(f"more than {MAX_EXTENSIONS} extensions", "csr.extensions")
        extension = reader.enter(der.SEQUENCE)
        oid = read_oid(extension.content(der.OID))
        # An explicit FALSE breaks DER but is common, and harmless: we do not copy it.
        flag = extension.optional(der.BOOLEAN)
        value = extension.content(der.OCTET_STRING)
        extension.finish()
        der.single(value)
        found.append((oid, flag is not None and der.decode_boolean(flag), value))
    if len({extension[0] for extension in found}) != len(found):
        raise bad("an extension is requested twice", "csr.duplicate-extension")
    return tuple(found)


def requested_names(extensions: tuple[RequestedExtension, ...]) -> tuple[GeneralName, ...]:
    """The subject alternative names that are asked for."""
    for oid, _, value in extensions:
        if oid == _SAN:
            _count_names(value)
            return decode_san(value)
    return ()


def _count_names(san: bytes) -> None:
    """Refuse a long list before any name in it is decoded."""
    _, at, end = der.header(san, 0, len(san))
    count = 0
    while at < end:
        _, _, at = der.header(san, at, end)
        count += 1
    if count > MAX_NAMES:
        raise bad(f"{count} names; at most {MAX_NAMES} are accepted", "csr.names")


@lru_cache(maxsize=1024)
def read_oid(content: bytes) -> str:
    """Requests repeat the same few OIDs; reading one arc by arc costs more than all else."""
    return der.decode_oid(content)


def bad(what: str, rule: str) -> BadCSR:
    """What to raise."""
    return BadCSR(
        what, field="csr", rule=rule, remedy="make the request again with up-to-date software"
    )
