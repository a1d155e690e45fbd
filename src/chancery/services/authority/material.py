"""Key and certificates of an imported authority, read from the files people have."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from chancery.domain.errors import BadRequest, TooLarge
from chancery.services.authority.specification import ImportedAuthority
from chancery.wire.pkcs7 import certificates as read_certificates

_MAX_KEY = 64 * 1024
"""Octets of a key file: PKCS#12 brings its chain along."""


def contents(new: ImportedAuthority) -> tuple[bytes | None, list[bytes]]:
    """(unencrypted PKCS#8 or None, certificates in any order)."""
    ders = read_certificates(new.chain) if new.chain else []
    if new.pkcs12 is not None:
        if new.key is not None or new.certificate is not None:
            raise BadRequest(
                "a PKCS#12 file brings its own key and certificate",
                field="pkcs12",
                rule="import.one-source",
                remedy="leave key and certificate out",
            )
        key, own = _from_pkcs12(new.pkcs12, new.passphrase)
        return key, [*own, *ders]
    if new.certificate is None:
        raise BadRequest("the certificate is missing", field="certificate", rule="import.missing")
    ders = [*read_certificates(new.certificate), *ders]
    return (None if new.key is None else _from_pkcs8(new.key, new.passphrase)), ders


def _from_pkcs12(data: bytes, passphrase: str | None) -> tuple[bytes, list[bytes]]:
    _check_size(data, "pkcs12")
    try:
        bag = load_pkcs12(data, None if passphrase is None else passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable("pkcs12") from error
    if bag.key is None or bag.cert is None:
        raise BadRequest("no key and certificate in it", field="pkcs12", rule="import.missing")
    pkcs8 = bag.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    parts = [bag.cert, *bag.additional_certs]
    return pkcs8, [part.certificate.public_bytes(Encoding.DER) for part in parts]


def _from_pkcs8(data: bytes, passphrase: str | None) -> bytes:
    _check_size(data, "key")
    secret = None if passphrase is None else passphrase.encode()
    try:
        load = load_pem_private_key if data.lstrip().startswith(b"-----") else load_der_private_key
        key = load(data, secret)
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable("key") from error


def _check_size(data: bytes, field: str) -> None:
    if len(data) > _MAX_KEY:
        raise TooLarge(f"a key file is at most {_MAX_KEY} octets", field=field, rule="import.size")


def _unreadable(field: str) -> BadRequest:
    return BadRequest(
        "it cannot be read: not such a file, or the passphrase is wrong",
        field=field,
        rule="import.unreadable",
        remedy="check file and passphrase",
    )
