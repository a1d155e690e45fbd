"""CMS messages (RFC 5652) that we answer with: DER, one signer, one recipient."""

from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from chancery.domain.errors import BadKey
from chancery.domain.keys import KeyTransport
from chancery.wire import cms, der
from chancery.wire import cms_algorithms as alg

Sign = Callable[[bytes], bytes]
"""Signs the DER signed attributes with the signer's RSA key, PKCS#1 v1.5."""

Attribute = tuple[str, bytes]
"""(dotted OID, one DER value)."""

_EMPTY_SET: Final = der.set_of()


def content_info(content_type: str, content: bytes) -> bytes:
    """DER ContentInfo."""
    return der.sequence(der.oid(content_type), der.explicit(0, content))


def signed(
    content: bytes,
    attributes: Sequence[Attribute],
    signer: cms.Certificate,
    digest: alg.Digest,
    sign: Sign,
    *,
    certificates: Sequence[bytes] = (),
    content_type: str = cms.DATA,
) -> bytes:
    """ContentInfo with SignedData over *content*.

    *certificates* go along; readers that look for the signer's must find it among them.
    """
    hashed = alg.digest_of(digest, content)
    every = [
        (cms.CONTENT_TYPE, der.oid(content_type)),
        (cms.MESSAGE_DIGEST, der.octet_string(hashed)),
        *attributes,
    ]
    signed_attributes = der.set_of(
        *(der.sequence(der.oid(oid), der.set_of(value)) for oid, value in every)
    )
    identifier = alg.digest_identifier(digest)
    info = der.sequence(
        der.integer(1),
        _issuer_and_serial(signer),
        identifier,
        der.tlv(0xA0, signed_attributes[_head_length(signed_attributes) :]),
        der.sequence(der.oid(alg.RSA), der.NULL),
        der.octet_string(sign(signed_attributes)),
    )
    inner = der.explicit(0, der.octet_string(content))
    along = b"".join(sorted(certificates))
    signed_data = der.sequence(
        der.integer(1 if content_type == cms.DATA else 3),  # RFC 5652 §5.1
        der.set_of(identifier),
        der.sequence(der.oid(content_type), inner),
        der.implicit(0, along, constructed=True) if along else b"",
        der.set_of(info),
    )
    return content_info(cms.SIGNED_DATA, signed_data)


def enveloped(
    content: bytes,
    recipient: cms.Certificate,
    transport: KeyTransport,
    cipher: alg.ContentCipher,
    entropy: Callable[[int], bytes],
) -> bytes:
    """ContentInfo with EnvelopedData for *recipient*.  Raises BadKey unless its key is RSA."""
    public = recipient.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise BadKey(
            "an answer can be encrypted to RSA keys only",
            field="key",
            rule="cms.recipient-key",
            remedy="use an RSA key, or EST or CMP",
        )
    key = entropy(alg.key_size(cipher))
    how = alg.Encryption(cipher, entropy(alg.block_size(cipher)))
    info = der.sequence(
        der.integer(0),
        _issuer_and_serial(recipient),
        alg.transport_identifier(transport),
        der.octet_string(alg.seal_key(transport, public, key)),
    )
    inner = der.sequence(
        der.oid(cms.DATA), how.identifier(), der.implicit(0, how.encrypt(key, content))
    )
    return content_info(cms.ENVELOPED_DATA, der.sequence(der.integer(0), der.set_of(info), inner))


def degenerate(certificates: Sequence[bytes] = (), crls: Sequence[bytes] = ()) -> bytes:
    """ContentInfo with SignedData that nobody signed: certificates and CRLs (RFC 8894 §3.4)."""
    signed_data = der.sequence(
        der.integer(1),
        _EMPTY_SET,
        der.sequence(der.oid(cms.DATA)),
        der.implicit(0, b"".join(sorted(certificates)), constructed=True) if certificates else b"",
        der.implicit(1, b"".join(sorted(crls)), constructed=True) if crls else b"",
        _EMPTY_SET,
    )
    return content_info(cms.SIGNED_DATA, signed_data)


def _issuer_and_serial(certificate: cms.Certificate) -> bytes:
    return der.sequence(certificate.issuer, der.tlv(der.INTEGER, certificate.serial))


def _head_length(encoded: bytes) -> int:
    return der.header(encoded, 0, len(encoded))[1]
