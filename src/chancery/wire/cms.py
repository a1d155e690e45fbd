"""CMS messages (RFC 5652) that clients send: SignedData and EnvelopedData, read leniently.

One signer, RSA or ECDSA; recipients by RSA key transport.  Certificates are
taken out as they stand.  ``cms_writing`` makes what we answer.
"""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.errors import BadRequest
from chancery.domain.keys import KeyTransport
from chancery.wire import ber, der
from chancery.wire import cms_algorithms as alg
from chancery.wire.algorithms import load_key

MAX_CERTIFICATES: Final = 16
MAX_RECIPIENTS: Final = 16
MAX_ATTRIBUTES: Final = 32

DATA: Final = "1.2.840.113549.1.7.1"
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
ENVELOPED_DATA: Final = "1.2.840.113549.1.7.3"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"

_CONTEXT_0: Final = der.CONTEXT | der.CONSTRUCTED
_CONTEXT_1: Final = _CONTEXT_0 | 1
_BARE: Final = der.CONTEXT
_RSA_WITH: Final = {
    "1.2.840.113549.1.1.5": alg.Digest.SHA1,
    "1.2.840.113549.1.1.11": alg.Digest.SHA256,
    "1.2.840.113549.1.1.12": alg.Digest.SHA384,
    "1.2.840.113549.1.1.13": alg.Digest.SHA512,
}
_ECDSA_WITH: Final = {
    "1.2.840.10045.4.1": alg.Digest.SHA1,
    "1.2.840.10045.4.3.2": alg.Digest.SHA256,
    "1.2.840.10045.4.3.3": alg.Digest.SHA384,
    "1.2.840.10045.4.3.4": alg.Digest.SHA512,
}

Values = tuple[tuple[int, bytes], ...]
"""The values of one attribute: (tag, content) each."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """As much of a certificate as CMS needs: even a poor self-signed one has it.

    *issuer*, *subject* and *spki* are DER, *serial* the content of its INTEGER.
    """

    der: bytes
    issuer: bytes
    subject: bytes
    serial: bytes
    spki: bytes

    def public_key(self) -> PublicKeyTypes:
        """Raises BadKey."""
        return load_key(self.spki)


@dataclass(frozen=True, slots=True)
class Signed:
    """A SignedData with one signer.  Nothing in it is believed until ``verify`` returns.

    *attributes*: the signed ones, each OID with every value it came with, in
    order, whether they stood in one attribute or in two.
    """

    content_type: str
    content: bytes
    certificates: tuple[Certificate, ...]
    issuer: bytes
    serial: bytes
    key_identifier: bytes | None
    digest_oid: str
    attributes: dict[str, Values]
    attributes_der: bytes
    signature_oid: str
    signature: bytes

    @property
    def digest(self) -> alg.Digest:
        """Raises BadRequest for one that we do not compute."""
        return alg.digest_named(self.digest_oid)

    def signer(self) -> Certificate:
        """The signer's certificate, which came along.  Raises BadRequest."""
        for one in self.certificates:
            if self.key_identifier is None and (one.issuer, one.serial) == (
                self.issuer,
                self.serial,
            ):
                return one
        if self.key_identifier is not None and len(self.certificates) == 1:
            return self.certificates[0]
        raise _bad("the signer's certificate does not come with it", "cms.signer")

    def verify(self, signer: Certificate) -> None:
        """Raises BadRequest unless *signer* signed these attributes and they this content."""
        digest = self.digest
        if self.attributes.get(CONTENT_TYPE) != ((der.OID, der.oid(self.content_type)[2:]),):
            raise _bad("the signed content type is another", "cms.content-type")
        hashed = (der.OCTET_STRING, alg.digest_of(digest, self.content))
        if self.attributes.get(MESSAGE_DIGEST) != (hashed,):
            raise _bad("the content is not what was signed", "cms.message-digest")
        key = signer.public_key()
        # Some sign the attributes in DER's order, as they should, and send them in another.
        for order in dict.fromkeys((self.attributes_der, _in_order(self.attributes_der))):
            try:
                self._check(key, digest, order)
            except (InvalidSignature, UnsupportedAlgorithm, ValueError):
                continue
            return
        raise _bad("the signature does not verify", "cms.signature")

    def _check(self, key: PublicKeyTypes, digest: alg.Digest, signed: bytes) -> None:
        oid, hashed = self.signature_oid, alg.hash_of(digest)
        if isinstance(key, rsa.RSAPublicKey):
            if oid != alg.RSA and _RSA_WITH.get(oid) is not digest:
                raise alg.refused(f"signature {oid}", "signature")
            key.verify(self.signature, signed, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if _ECDSA_WITH.get(oid) is not digest:
                raise alg.refused(f"signature {oid}", "signature")
            key.verify(self.signature, signed, ec.ECDSA(hashed))
        else:
            raise alg.refused("a signature by this kind of key", "signature")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who can open it: the certificate's issuer and serial, or its key identifier."""

    issuer: bytes
    serial: bytes
    key_identifier: bytes | None
    transport_algorithm: bytes
    encrypted_key: bytes

    @property
    def transport(self) -> KeyTransport:
        """Raises BadRequest for one that is not taken."""
        return alg.read_transport(ber.Reader(self.transport_algorithm))


@dataclass(frozen=True, slots=True)
class Enveloped:
    """An EnvelopedData; *recipients* are those by key transport."""

    recipients: tuple[Recipient, ...]
    algorithm: bytes
    encrypted: bytes

    @property
    def encryption(self) -> alg.Encryption:
        """Raises BadRequest for one that is not taken."""
        return alg.Encryption.read(ber.Reader(self.algorithm))

    def recipient(self, issuer: bytes, serial: bytes) -> Recipient:
        """The one with that certificate.  Raises BadRequest."""
        for one in self.recipients:
            if one.key_identifier is None and (one.issuer, one.serial) == (issuer, serial):
                return one
        raise _bad("it is encrypted to somebody else", "cms.recipient")


def read_signed(data: bytes) -> Signed:
    """Read a ContentInfo with SignedData in it.  Raises BadRequest."""
    body = _content_info(data, SIGNED_DATA)
    body.content(der.INTEGER)
    body.content(der.SET)
    inner = body.enter(der.SEQUENCE)
    content_type = der.decode_oid(inner.content(der.OID))
    explicit = inner.optional(_CONTEXT_0)
    content = b"" if explicit is None else explicit.octets()
    certificates = _certificates(body)
    if body.peek() == _CONTEXT_1:
        body.read()
    signers = body.enter(der.SET)
    body.finish()
    one = signers.enter(der.SEQUENCE)
    if signers:
        raise _bad("it has more than one signer", "cms.signers")
    return _signer_info(one, content_type, content, certificates)


def _signer_info(
    one: ber.Reader, content_type: str, content: bytes, certificates: tuple[Certificate, ...]
) -> Signed:
    one.content(der.INTEGER)
    issuer, serial, key_identifier = _identified(one)
    digest_oid, _ = alg.identifier(one.enter(der.SEQUENCE))
    _, signed, _ = one.read(_CONTEXT_0)
    attributes = _attributes(ber.Reader(signed, one.budget))
    signature_oid, _ = alg.identifier(one.enter(der.SEQUENCE))
    return Signed(
        content_type=content_type,
        content=content,
        certificates=certificates,
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest_oid=digest_oid,
        attributes=attributes,
        # Signed as a SET, sent as [0] (RFC 5652 §5.4); a length is made definite again.
        attributes_der=der.tlv(der.SET, signed),
        signature_oid=signature_oid,
        signature=one.octets(),
    )


def read_enveloped(data: bytes) -> Enveloped:
    """Read a ContentInfo with EnvelopedData in it.  Raises BadRequest."""
    body = _content_info(data, ENVELOPED_DATA)
    body.content(der.INTEGER)
    if body.peek() == _CONTEXT_0:
        body.read()  # the originator's certificates
    recipients = body.enter(der.SET)
    found: list[Recipient] = []
    while recipients:
        if len(found) == MAX_RECIPIENTS:
            raise _bad(f"more than {MAX_RECIPIENTS} recipients", "cms.recipients")
        tag, content, _ = recipients.read()
        if tag == der.SEQUENCE:  # the others are by key agreement, a shared key or a password
            found.append(_recipient(ber.Reader(content, body.budget)))
    inner = body.enter(der.SEQUENCE)
    inner.content(der.OID)
    algorithm = inner.content(der.SEQUENCE)
    return Enveloped(tuple(found), algorithm, inner.octets(_BARE))


def _recipient(one: ber.Reader) -> Recipient:
    one.content(der.INTEGER)
    issuer, serial, key_identifier = _identified(one)
    algorithm = one.content(der.SEQUENCE)
    return Recipient(issuer, serial, key_identifier, algorithm, one.octets())


def read_certificate(raw: bytes, budget: ber.Budget | None = None) -> Certificate:
    """Take from a certificate what CMS needs.  Raises BadRequest."""
    tbs = ber.single(raw, der.SEQUENCE, budget=budget).enter(der.SEQUENCE)
    if tbs.peek() == _CONTEXT_0:
        tbs.read()
    serial = tbs.content(der.INTEGER)
    tbs.content(der.SEQUENCE)
    issuer = tbs.raw(der.SEQUENCE)
    tbs.content(der.SEQUENCE)
    return Certificate(raw, issuer, tbs.raw(der.SEQUENCE), serial, tbs.raw(der.SEQUENCE))


def read_issuer_and_serial(data: bytes) -> tuple[bytes, bytes]:
    """(DER Name, content of the serial's INTEGER) of an IssuerAndSerialNumber."""
    both = ber.single(data, der.SEQUENCE)
    return both.raw(der.SEQUENCE), both.content(der.INTEGER)


def read_issuer_and_subject(data: bytes) -> tuple[bytes, bytes]:
    """(issuer, subject), DER Names, of SCEP's IssuerAndSubject (RFC 8894 §3.3.3)."""
    both = ber.single(data, der.SEQUENCE)
    return both.raw(der.SEQUENCE), both.raw(der.SEQUENCE)


def _content_info(data: bytes, wanted: str) -> ber.Reader:
    outer = ber.single(data, der.SEQUENCE)
    if der.decode_oid(outer.content(der.OID)) != wanted:
        raise _bad("its content is of another type", "cms.type")
    return outer.enter(_CONTEXT_0).enter(der.SEQUENCE)


def _certificates(body: ber.Reader) -> tuple[Certificate, ...]:
    choices = body.optional(_CONTEXT_0)
    found: list[Certificate] = []
    while choices:
        if len(found) == MAX_CERTIFICATES:
            raise _bad(f"more than {MAX_CERTIFICATES} certificates", "cms.certificates")
        tag, _, raw = choices.read()
        if tag == der.SEQUENCE:
            found.append(read_certificate(raw, body.budget))
    return tuple(found)


def _identified(one: ber.Reader) -> tuple[bytes, bytes, bytes | None]:
    """(issuer, serial, key identifier) of a SignerIdentifier or RecipientIdentifier."""
    if one.peek() == der.SEQUENCE:
        both = one.enter(der.SEQUENCE)
        return both.raw(der.SEQUENCE), both.content(der.INTEGER), None
    return b"", b"", one.octets(_BARE)


def _in_order(attributes: bytes) -> bytes:
    reader = ber.single(attributes, der.SET)
    parts = []
    while reader:
        parts.append(reader.raw())
    return der.set_of(*parts)


def _attributes(reader: ber.Reader) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for _ in range(MAX_ATTRIBUTES):
        if not reader:
            return found
        attribute = reader.enter(der.SEQUENCE)
        oid = der.decode_oid(attribute.content(der.OID))
        values = attribute.enter(der.SET)
        read: list[tuple[int, bytes]] = []
        while values:
            read.append(values.read()[:2])
        found[oid] = found.get(oid, ()) + tuple(read)
    raise _bad(f"more than {MAX_ATTRIBUTES} attributes", "cms.attributes")


def _bad(what: str, rule: str) -> BadRequest:
    return BadRequest(
        f"not a usable CMS message: {what}",
        field="message",
        rule=rule,
        remedy="send the unmodified output of the program that made it",
    )
