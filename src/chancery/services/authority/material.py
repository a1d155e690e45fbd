"""Key and certificates of an imported authority, read from the files people have."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
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
    _check_sources(new)
    if new.token_label is not None and (new.key is not None or new.pkcs12 is not None):
        raise BadRequest(
            "the key comes from the token, or from a file: not both",
            field="token_label",
            rule="import.one-source",
            remedy="leave the file out, or the label",
        )
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


def spki_of(pkcs8: bytes) -> bytes:
    """The DER SubjectPublicKeyInfo of an unencrypted DER PKCS#8 key."""
    public = load_der_private_key(pkcs8, None).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_sources(new: ImportedAuthority) -> None:
    """A key that is given is used, and its absence is meant: neither happens in silence."""
    given = new.key is not None or new.pkcs12 is not None or new.token_label is not None
    if new.offline and given:
        raise BadRequest(
            "an offline authority's key does not come here",
            field="offline",
            rule="import.offline-key",
            remedy="leave the key out, or offline",
        )
    if not new.offline and not given:
        raise BadRequest(
            "the key is missing",
            field="key",
            rule="import.key-missing",
            remedy="send the key, or say that the authority is offline",
        )


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
    except TypeError as error:
        raise _secret_wanted(given=secret is not None) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unreadable("key") from error


def _secret_wanted(*, given: bool) -> BadRequest:
    """What pyca reports as TypeError: a passphrase without encryption, or the reverse."""
    if given:
        return BadRequest(
            "the key is not encrypted, yet a passphrase came with it",
            field="passphrase",
            rule="import.passphrase",
            remedy="leave the passphrase out",
        )
    return BadRequest(
        "the key is encrypted",
        field="key",
        rule="import.encrypted",
        remedy="decrypt it first (openssl pkcs8 -in KEY -out PLAIN), or import a PKCS#12",
    )


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
