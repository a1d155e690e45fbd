"""What a certificate would say, in words an approver can read.

The decoder is not the encoder: it reads the very bytes that will be signed,
through another implementation, so that an error of ours shows.
"""

from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from chancery.domain.algorithms import SignatureAlgorithm, key_family
from chancery.domain.errors import BadRequest
from chancery.domain.name_syntax import UPN_OID
from chancery.domain.names import SHORT_NAMES, DistinguishedName
from chancery.domain.profile import EKU_NAMES
from chancery.domain.request import ToBeSigned
from chancery.wire import pkcs10
from chancery.wire.der import OID, SEQUENCE, Reader, decode_oid
from chancery.wire.tbs import assemble, certificate

_EPOCH: Final = (0, 1)
_SHORT: Final = {x509.ObjectIdentifier(oid): name for oid, name in SHORT_NAMES.items()}
_OUTER: Final = SignatureAlgorithm.ED25519  # never verified: only the TBS is read


def describe(tbs: ToBeSigned) -> dict[str, object]:
    """Decode *tbs* into JSON-ready values: names, key, extensions, and the validity rule."""
    parsed = x509.load_der_x509_certificate(certificate(assemble(tbs, *_EPOCH), _OUTER, bytes(64)))
    rule = tbs.validity
    return describe_certificate(parsed) | {
        "validity": {
            "lasting_s": rule.lasting_s,
            "backdate_s": rule.backdate_s,
            "latest": rule.latest,
            "after_issuer": rule.after_issuer.value,
        }
    }


def describe_certificate(parsed: x509.Certificate) -> dict[str, object]:
    """Serial, names, key and extensions of a certificate."""
    key = parsed.public_key()
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "serial": f"{parsed.serial_number:x}",
        "issuer": _name(parsed.issuer),
        "subject": _name(parsed.subject),
        "key": {"algorithm": key_family(key), "spki": spki.hex()},
        "extensions": [
            {
                "oid": extension.oid.dotted_string,
                "name": _extension_name(extension.oid),
                "critical": extension.critical,
                "value": _value(extension.value),
            }
            for extension in parsed.extensions
        ],
    }


def describe_request(csr: pkcs10.CertificationRequest) -> dict[str, object]:
    """What a certification request asks for, in the same words as a certificate's."""
    signature = decode_oid(Reader(csr.signature_algorithm).enter(SEQUENCE).content(OID))
    return {
        "subject": [
            f"{SHORT_NAMES.get(a.oid, a.oid)}={a.value}" for rdn in csr.subject.rdns for a in rdn
        ],
        "names": [name.text for name in csr.names],
        "key": {"algorithm": key_family(csr.public_key), "sha256": csr.key_sha256},
        "signature_algorithm": _oid_name(signature),
        "challenge_password": csr.challenge_password is not None,
        "extensions": [
            {
                "oid": oid,
                "name": _oid_name(oid),
                "critical": critical,
                "value": _requested_value(csr.spki, oid, der),
            }
            for oid, critical, der in csr.extensions
        ],
    }


def _oid_name(dotted: str) -> str:
    try:
        return _extension_name(x509.ObjectIdentifier(dotted))
    except ValueError:  # longer than the library reads
        return dotted


def _requested_value(spki: bytes, oid: str, der: bytes) -> object:
    """Decode one extension, in a request of its own: a broken one must not spoil the others."""
    info = pkcs10.encode_info(DistinguishedName(), spki, [(oid, False, der)])
    try:
        parsed = x509.load_der_x509_csr(pkcs10.join(info, _OUTER, bytes(64)))
        return _value(next(iter(parsed.extensions)).value)
    except (ValueError, BadRequest):
        return {"der": der.hex()}


def _name(name: x509.Name) -> list[str]:
    """Attributes in DER order, ``short name=value``."""
    return [
        f"{SHORT_NAMES.get(a.oid.dotted_string, a.oid.dotted_string)}={a.value!s}" for a in name
    ]


def _extension_name(oid: x509.ObjectIdentifier) -> str:
    known = oid._name
    return oid.dotted_string if known == "Unknown OID" else known


def _value(value: x509.ExtensionType) -> object:
    for kind, render in _RENDER.items():
        if isinstance(value, kind):
            return render(value)
    if isinstance(value, x509.UnrecognizedExtension):
        return {"der": value.value.hex()}
    return {"der": value.public_bytes().hex()}


def _general_name(name: x509.GeneralName) -> str:
    """A name in the words of ``GeneralName.text``: to be held against what was asked."""
    if isinstance(name, x509.DirectoryName):
        return "directory:" + name.value.rfc4514_string(_SHORT)
    if isinstance(name, x509.OtherName):
        if name.type_id.dotted_string == UPN_OID and (upn := _text(name.value)) is not None:
            return f"upn:{upn}"
        return f"other:{name.type_id.dotted_string};{name.value.hex()}"
    kinds = {
        x509.DNSName: "dns",
        x509.RFC822Name: "email",
        x509.IPAddress: "ip",
        x509.UniformResourceIdentifier: "uri",
        x509.RegisteredID: "registered-id",
    }
    value = name.value
    shown = value.dotted_string if isinstance(value, x509.ObjectIdentifier) else str(value)
    return f"{kinds[type(name)]}:{shown}"


def _text(der: bytes) -> str | None:
    """The text of a string value; None for anything else."""
    try:
        tag, content, _ = Reader(der).read()
        return content.decode() if tag in (0x0C, 0x13, 0x16) else None
    except (BadRequest, UnicodeDecodeError):
        return None


def _key_usage(value: x509.KeyUsage) -> list[str]:
    bits = {
        "digitalSignature": value.digital_signature,
        "contentCommitment": value.content_commitment,
        "keyEncipherment": value.key_encipherment,
        "dataEncipherment": value.data_encipherment,
        "keyAgreement": value.key_agreement,
        "keyCertSign": value.key_cert_sign,
        "cRLSign": value.crl_sign,
        "encipherOnly": value.key_agreement and value.encipher_only,
        "decipherOnly": value.key_agreement and value.decipher_only,
    }
    return [name for name, on in bits.items() if on]


def _eku(value: x509.ExtendedKeyUsage) -> list[str]:
    names = {oid: name for name, oid in EKU_NAMES.items()}
    return [names.get(oid.dotted_string, oid.dotted_string) for oid in value]


def _points(value: x509.CRLDistributionPoints | x509.FreshestCRL) -> list[str]:
    return [_general_name(name) for point in value for name in point.full_name or ()]


def _access(value: x509.AuthorityInformationAccess) -> list[dict[str, str]]:
    return [
        {
            "method": _extension_name(access.access_method),
            "location": _general_name(access.access_location),
        }
        for access in value
    ]


def _policies(value: x509.CertificatePolicies) -> list[dict[str, object]]:
    return [
        {
            "oid": policy.policy_identifier.dotted_string,
            "qualifiers": [
                q if isinstance(q, str) else q.explicit_text for q in policy.policy_qualifiers or ()
            ],
        }
        for policy in value
    ]


def _constraints(value: x509.NameConstraints) -> dict[str, list[str]]:
    return {
        "permitted": [_general_name(n) for n in value.permitted_subtrees or ()],
        "excluded": [_general_name(n) for n in value.excluded_subtrees or ()],
    }


_RENDER: Final[dict[type[x509.ExtensionType], Callable[[Any], object]]] = {
    x509.BasicConstraints: lambda v: {"ca": v.ca, "path_length": v.path_length},
    x509.KeyUsage: _key_usage,
    x509.ExtendedKeyUsage: _eku,
    x509.SubjectAlternativeName: lambda v: [_general_name(n) for n in v],
    x509.SubjectKeyIdentifier: lambda v: v.digest.hex(),
    x509.AuthorityKeyIdentifier: lambda v: (v.key_identifier or b"").hex(),
    x509.CRLDistributionPoints: _points,
    x509.FreshestCRL: _points,
    x509.AuthorityInformationAccess: _access,
    x509.CertificatePolicies: _policies,
    x509.NameConstraints: _constraints,
    x509.OCSPNoCheck: lambda _: True,
}
