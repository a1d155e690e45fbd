"""The digests, ciphers and key transports of CMS messages (RFC 3370, 3560, 5754).

MD5 and single DES have names here only so that their refusal can say what
they are; nothing computes them.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher as Engine
from cryptography.hazmat.primitives.ciphers import CipherAlgorithm, algorithms, modes

from chancery.domain.errors import BadRequest
from chancery.domain.keys import KeyTransport
from chancery.wire import ber, der

RSA: Final = "1.2.840.113549.1.1.1"
_OAEP: Final = "1.2.840.113549.1.1.7"
_MGF1: Final = "1.2.840.113549.1.1.8"


class Digest(StrEnum):
    """A hash; SHA-1 for those who may."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class ContentCipher(StrEnum):
    """A block cipher in CBC mode; 3DES for those who may."""

    TRIPLE_DES = "des-ede3-cbc"
    AES_128 = "aes-128-cbc"
    AES_192 = "aes-192-cbc"
    AES_256 = "aes-256-cbc"


DIGESTS: Final = {
    "1.3.14.3.2.26": Digest.SHA1,
    "2.16.840.1.101.3.4.2.1": Digest.SHA256,
    "2.16.840.1.101.3.4.2.2": Digest.SHA384,
    "2.16.840.1.101.3.4.2.3": Digest.SHA512,
}
_DIGEST_OIDS: Final = {digest: oid for oid, digest in DIGESTS.items()}
_HASHES: Final[dict[Digest, type[hashes.HashAlgorithm]]] = {
    Digest.SHA1: hashes.SHA1,
    Digest.SHA256: hashes.SHA256,
    Digest.SHA384: hashes.SHA384,
    Digest.SHA512: hashes.SHA512,
}
_CIPHERS: Final = {
    "1.2.840.113549.3.7": ContentCipher.TRIPLE_DES,
    "2.16.840.1.101.3.4.1.2": ContentCipher.AES_128,
    "2.16.840.1.101.3.4.1.22": ContentCipher.AES_192,
    "2.16.840.1.101.3.4.1.42": ContentCipher.AES_256,
}
_CIPHER_OIDS: Final = {cipher: oid for oid, cipher in _CIPHERS.items()}
_SIZES: Final = {  # octets of key and of block
    ContentCipher.TRIPLE_DES: (24, 8),
    ContentCipher.AES_128: (16, 16),
    ContentCipher.AES_192: (24, 16),
    ContentCipher.AES_256: (32, 16),
}
_NEVER: Final = {
    "1.2.840.113549.2.5": "MD5",
    "1.2.840.113549.2.2": "MD2",
    "1.3.14.3.2.7": "single DES",
    "1.2.840.113549.3.2": "RC2",
    "1.2.840.113549.3.4": "RC4",
}
_OAEP_OF: Final = {
    Digest.SHA1: KeyTransport.OAEP_SHA1,
    Digest.SHA256: KeyTransport.OAEP_SHA256,
    Digest.SHA384: KeyTransport.OAEP_SHA384,
    Digest.SHA512: KeyTransport.OAEP_SHA512,
}
_HASH_OF: Final = {transport: digest for digest, transport in _OAEP_OF.items()}


def refused(what: str, rule: str) -> BadRequest:
    """The error for an algorithm that is not taken; its rules begin with ``cms.algorithm``."""
    return BadRequest(
        f"{what} is not accepted",
        field="message",
        rule=f"cms.algorithm.{rule}",
        remedy="use SHA-256, AES-128-CBC and RSA, which every SCEP client of this decade knows",
    )


def name_of(oid: str) -> str:
    """What people call an algorithm that we refuse."""
    return _NEVER.get(oid, oid)


def identifier(encoded: ber.Reader) -> tuple[str, bytes]:
    """(OID, encoded parameters or nothing) of the inside of an AlgorithmIdentifier."""
    oid = der.decode_oid(encoded.content(der.OID))
    parameters = encoded.raw() if encoded else b""
    encoded.finish()
    return oid, parameters


def digest_named(oid: str) -> Digest:
    """The digest with that OID.  Raises BadRequest."""
    found = DIGESTS.get(oid)
    if found is None:
        raise refused(f"digest {name_of(oid)}", "digest")
    return found


def hash_of(digest: Digest) -> hashes.HashAlgorithm:
    """pyca's object for it."""
    return _HASHES[digest]()


def digest_of(digest: Digest, data: bytes) -> bytes:
    """The hash itself."""
    return hashlib.new(digest.value, data, usedforsecurity=False).digest()


def digest_identifier(digest: Digest) -> bytes:
    """DER AlgorithmIdentifier, without parameters (RFC 5754 §2)."""
    return der.sequence(der.oid(_DIGEST_OIDS[digest]))


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a content is encrypted: cipher and initialisation vector."""

    cipher: ContentCipher
    iv: bytes

    @classmethod
    def read(cls, encoded: ber.Reader) -> "Encryption":
        """From the inside of an AlgorithmIdentifier.  Raises BadRequest."""
        oid, parameters = identifier(encoded)
        cipher = _CIPHERS.get(oid)
        if cipher is None:
            raise refused(f"cipher {name_of(oid)}", "cipher")
        iv = ber.Reader(parameters).octets()
        if len(iv) != _SIZES[cipher][1]:
            raise ber.malformed("an initialisation vector of the wrong length", "cms.iv")
        return cls(cipher, iv)

    def identifier(self) -> bytes:
        """DER AlgorithmIdentifier."""
        return der.sequence(der.oid(_CIPHER_OIDS[self.cipher]), der.octet_string(self.iv))

    def encrypt(self, key: bytes, plain: bytes) -> bytes:
        """Padded as RFC 5652 §6.3 says."""
        padder = padding.PKCS7(_SIZES[self.cipher][1] * 8).padder()
        engine = Engine(_engine(self.cipher, key), modes.CBC(self.iv)).encryptor()
        return engine.update(padder.update(plain) + padder.finalize()) + engine.finalize()

    def decrypt(self, key: bytes, encrypted: bytes) -> bytes:
        """Raises ValueError for what was encrypted with another key, in this way or that.

        *key* may be what stands for a key that did not come out: it is made to fit.
        """
        size, block = _SIZES[self.cipher]
        fitted = key if len(key) == size else hashlib.sha256(key).digest()[:size]
        if not encrypted or len(encrypted) % block:
            raise ValueError("not a whole number of blocks")
        engine = Engine(_engine(self.cipher, fitted), modes.CBC(self.iv)).decryptor()
        unpadder = padding.PKCS7(block * 8).unpadder()
        padded = engine.update(encrypted) + engine.finalize()
        return unpadder.update(padded) + unpadder.finalize()


def key_size(cipher: ContentCipher) -> int:
    """Octets of a key."""
    return _SIZES[cipher][0]


def block_size(cipher: ContentCipher) -> int:
    """Octets of a block, and of an initialisation vector."""
    return _SIZES[cipher][1]


def _engine(cipher: ContentCipher, key: bytes) -> CipherAlgorithm:
    if cipher is ContentCipher.TRIPLE_DES:
        from cryptography.hazmat.decrepit.ciphers.algorithms import (  # noqa: PLC0415 - rarely
            TripleDES,
        )

        return TripleDES(key)
    return algorithms.AES(key)


def read_transport(encoded: ber.Reader) -> KeyTransport:
    """From the inside of a keyEncryptionAlgorithm.  Raises BadRequest."""
    oid, parameters = identifier(encoded)
    if oid == RSA:
        return KeyTransport.PKCS1
    if oid != _OAEP:
        raise refused(f"key transport {name_of(oid)}", "key-transport")
    return _OAEP_OF[_oaep_hash(parameters)]


def _oaep_hash(parameters: bytes) -> Digest:
    """RSAES-OAEP-params (RFC 4055 §4.1): one hash for both its uses, and no label."""
    reader = ber.single(parameters, der.SEQUENCE) if parameters else ber.Reader(b"")
    main = mask = Digest.SHA1
    if (field := reader.optional(0xA0)) is not None:
        main = digest_named(identifier(field.enter(der.SEQUENCE))[0])
    if (field := reader.optional(0xA1)) is not None:
        oid, inner = identifier(field.enter(der.SEQUENCE))
        if oid != _MGF1:
            raise refused(f"mask generation {oid}", "key-transport")
        mask = digest_named(identifier(ber.single(inner, der.SEQUENCE))[0])
    if reader or main is not mask:
        raise refused("RSA-OAEP with two hashes or a label", "key-transport")
    return main


def transport_identifier(transport: KeyTransport) -> bytes:
    """DER AlgorithmIdentifier."""
    if transport is KeyTransport.PKCS1:
        return der.sequence(der.oid(RSA), der.NULL)
    digest = _HASH_OF[transport]
    if digest is Digest.SHA1:  # every field has its default (X.690 §11.5)
        return der.sequence(der.oid(_OAEP), der.sequence())
    name = der.sequence(der.oid(_DIGEST_OIDS[digest]), der.NULL)
    mask = der.sequence(der.oid(_MGF1), name)
    fields = der.sequence(der.explicit(0, name), der.explicit(1, mask))
    return der.sequence(der.oid(_OAEP), fields)


def seal_key(transport: KeyTransport, public: rsa.RSAPublicKey, key: bytes) -> bytes:
    """Encrypt a content-encryption key to its recipient."""
    if transport is KeyTransport.PKCS1:
        return public.encrypt(key, rsa_padding.PKCS1v15())
    digest = hash_of(_HASH_OF[transport])
    return public.encrypt(key, rsa_padding.OAEP(rsa_padding.MGF1(digest), digest, None))
