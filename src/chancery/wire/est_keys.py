"""A private key on its way to whom it was made for (RFC 7030 §4.4.2, RFC 5958 §4).

An AsymmetricKeyPackage, signed, in an EnvelopedData: for a certificate by RSA
or by ECDH (RFC 5753), or for a key that both ends hold (RFC 5652 §6.2.3).
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain.errors import BadKey, BadRequest
from chancery.domain.keys import KeyTransport
from chancery.wire import cms, der
from chancery.wire import cms_algorithms as alg
from chancery.wire.cms_writing import content_info

KEY_PACKAGE: Final = "2.16.840.1.101.2.1.2.78.5"
KEY_OCTETS: Final = 32
"""Length of a key that both ends hold."""

Entropy = Callable[[int], bytes]

_CIPHERS: Final = {
    "2.16.840.1.101.3.4.1.2": alg.ContentCipher.AES_128,
    "2.16.840.1.101.3.4.1.22": alg.ContentCipher.AES_192,
    "2.16.840.1.101.3.4.1.42": alg.ContentCipher.AES_256,
}
_AES_256_WRAP: Final = der.sequence(der.oid("2.16.840.1.101.3.4.1.45"))
_ECDH_SHA256: Final = "1.3.132.1.11.1"  # dhSinglePass-stdDH-sha256kdf-scheme
_EC: Final = der.oid("1.2.840.10045.2.1")
_PBKDF2: Final = "1.2.840.113549.1.5.12"
_HMAC_SHA256: Final = der.sequence(der.oid("1.2.840.113549.2.9"), der.NULL)
_SALT: Final = 16
PASSWORD_ITERATIONS: Final = 10_000
"""The secrets are random: they need no stretching, and clients are small."""


def package(pkcs8: bytes) -> bytes:
    """DER AsymmetricKeyPackage of one key."""
    return der.sequence(pkcs8)


def cipher_for(capabilities: Sequence[str]) -> alg.ContentCipher:
    """The first cipher of the client's that is good; BadRequest if it has none."""
    if not capabilities:
        return alg.ContentCipher.AES_256
    for oid in capabilities:
        if oid in _CIPHERS:
            return _CIPHERS[oid]
    raise BadRequest(
        "none of the request's SMIMECapabilities is AES in CBC mode",
        field="csr",
        rule="est.capabilities",
        remedy="name aes128-CBC or aes256-CBC, or leave SMIMECapabilities out",
    )


def for_key(
    signed: bytes, key_id: bytes, key: bytes, cipher: alg.ContentCipher, entropy: Entropy
) -> bytes:
    """ContentInfo with EnvelopedData of *signed*, a ContentInfo, under the shared AES-256 *key*."""
    content_key = entropy(alg.key_size(cipher))
    info = der.implicit(
        2,  # kekri
        der.integer(4)
        + der.sequence(der.octet_string(key_id))
        + _AES_256_WRAP
        + der.octet_string(keywrap.aes_key_wrap(key, content_key)),
        constructed=True,
    )
    return _enveloped(signed, 2, info, content_key, cipher, entropy)


def for_password(
    signed: bytes, password: bytes, cipher: alg.ContentCipher, entropy: Entropy
) -> bytes:
    """The same for who knows *password* (RFC 5652 §6.2.4, RFC 9483 §4.1.6.3)."""
    salt, content_key = entropy(_SALT), entropy(alg.key_size(cipher))
    wrapping = hashlib.pbkdf2_hmac("sha256", password, salt, PASSWORD_ITERATIONS, KEY_OCTETS)
    derivation = der.sequence(
        der.octet_string(salt), der.integer(PASSWORD_ITERATIONS), _HMAC_SHA256
    )
    info = der.implicit(
        3,  # pwri
        der.integer(0)
        + der.implicit(0, der.oid(_PBKDF2) + derivation, constructed=True)
        + _AES_256_WRAP
        + der.octet_string(keywrap.aes_key_wrap(wrapping, content_key)),
        constructed=True,
    )
    return _enveloped(signed, 3, info, content_key, cipher, entropy)


def for_certificate(
    signed: bytes, certificate: bytes, cipher: alg.ContentCipher, entropy: Entropy
) -> bytes:
    """The same for who holds *certificate* (DER).

    BadKey unless its key, and its usage, can take it (RFC 7030 §4.4.1.2).
    """
    recipient = cms.read_certificate(certificate)
    public = check_recipient(certificate)
    content_key = entropy(alg.key_size(cipher))
    if isinstance(public, rsa.RSAPublicKey):
        transport = KeyTransport.OAEP_SHA256
        info = der.sequence(
            der.integer(0),
            _identified(recipient),
            alg.transport_identifier(transport),
            der.octet_string(alg.seal_key(transport, public, content_key)),
        )
        return _enveloped(signed, 0, info, content_key, cipher, entropy)
    info = _agreed(recipient, public, content_key)
    return _enveloped(signed, 2, info, content_key, cipher, entropy)


def check_recipient(certificate: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """The key of a certificate that a key can be encrypted for; BadKey for any other."""
    public = cms.read_certificate(certificate).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        _check_usage(certificate, "key_encipherment")
        return public
    if isinstance(public, ec.EllipticCurvePublicKey):
        _check_usage(certificate, "key_agreement")
        return public
    raise _unfit("its key can neither decrypt nor agree")


def _agreed(
    recipient: cms.Certificate, public: ec.EllipticCurvePublicKey, content_key: bytes
) -> bytes:
    """KeyAgreeRecipientInfo with an ephemeral key of ours (RFC 5753 §3.1.1)."""
    ephemeral = ec.generate_private_key(public.curve)
    bits = der.octet_string((256).to_bytes(4))
    shared_info = der.sequence(_AES_256_WRAP, der.explicit(2, bits))
    kdf = X963KDF(hashes.SHA256(), KEY_OCTETS, shared_info)
    wrapping = kdf.derive(ephemeral.exchange(ec.ECDH(), public))
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = der.implicit(1, der.sequence(_EC) + der.bit_string(point), constructed=True)
    one = der.sequence(
        _identified(recipient), der.octet_string(keywrap.aes_key_wrap(wrapping, content_key))
    )
    return der.implicit(
        1,  # kari
        der.integer(3)
        + der.explicit(0, originator)
        + der.sequence(der.oid(_ECDH_SHA256), _AES_256_WRAP)
        + der.sequence(one),
        constructed=True,
    )


def _enveloped(
    signed: bytes,
    version: int,
    recipient: bytes,
    content_key: bytes,
    cipher: alg.ContentCipher,
    entropy: Entropy,
) -> bytes:
    how = alg.Encryption(cipher, entropy(alg.block_size(cipher)))
    outer = der.Reader(der.single(signed, der.SEQUENCE)[1])
    outer.read(der.OID)
    content = outer.content(der.CONTEXT | der.CONSTRUCTED)
    inner = der.sequence(
        der.oid(cms.SIGNED_DATA),
        how.identifier(),
        der.implicit(0, how.encrypt(content_key, content)),
    )
    return content_info(
        cms.ENVELOPED_DATA, der.sequence(der.integer(version), der.set_of(recipient), inner)
    )


def _identified(recipient: cms.Certificate) -> bytes:
    return der.sequence(recipient.issuer, der.tlv(der.INTEGER, recipient.serial))


def _check_usage(certificate: bytes, usage: str) -> None:
    try:
        found = x509.load_der_x509_certificate(certificate).extensions
        allowed: bool = getattr(found.get_extension_for_class(x509.KeyUsage).value, usage)
    except x509.ExtensionNotFound:
        return  # unrestricted
    if not allowed:
        raise _unfit(f"its keyUsage has no {usage.replace('_', ' ')}")


def _unfit(why: str) -> BadKey:
    return BadKey(
        f"a key cannot be encrypted for this certificate: {why}",
        field="certificate",
        rule="est.decrypt-key",
        remedy="use a certificate whose profile has keyEncipherment (RSA) or keyAgreement (EC)",
    )
