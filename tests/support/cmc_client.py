"""A CMC client: PKIData by pyasn1's own types, signed by whom the test says, answers read by them."""

import subprocess
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1.type import univ
from pyasn1_alt_modules import rfc2986, rfc5652, rfc6402

SHA256 = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
RSA = "1.2.840.113549.1.1.1"


def pki_data(csr: bytes | None = None, controls: list[tuple[str, bytes]] | None = None) -> bytes:
    """DER PKIData: the request is part 1, controls are parts 10, 11 ..."""
    data = rfc6402.PKIData()
    for name in ("controlSequence", "reqSequence", "cmsSequence", "otherMsgSequence"):
        data[name].clear()
    for number, (oid, value) in enumerate(controls or ()):
        control = rfc6402.TaggedAttribute()
        control["bodyPartID"] = 10 + number
        control["attrType"] = univ.ObjectIdentifier(oid)
        control["attrValues"].append(univ.Any(value))
        data["controlSequence"].append(control)
    if csr is not None:
        request, _ = decode(csr, asn1Spec=rfc2986.CertificationRequest())
        data["reqSequence"][0]["tcr"]["bodyPartID"] = 1
        data["reqSequence"][0]["tcr"]["certificationRequest"] = request
    return bytes(encode(data))


def signed(
    content: bytes, key: Any, certificate: x509.Certificate | None, spki_id: bytes = b"k"
) -> bytes:
    """ContentInfo with SignedData over PKIData; without *certificate* the signer is a key alone."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(content)
    kind = univ.ObjectIdentifier("1.3.6.1.5.5.7.12.2")
    attributes = univ.SetOf(componentType=rfc5652.Attribute())
    for oid, value in (
        (rfc5652.id_contentType, encode(kind)),
        (rfc5652.id_messageDigest, encode(univ.OctetString(digest.finalize()))),
    ):
        attribute = rfc5652.Attribute()
        attribute["attrType"] = oid
        attribute["attrValues"].append(univ.Any(value))
        attributes.append(attribute)
    attributes_der = encode(attributes)
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm, signature = RSA, key.sign(attributes_der, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        algorithm, signature = ECDSA_SHA256, key.sign(attributes_der, ec.ECDSA(hashes.SHA256()))
    info = rfc5652.SignerInfo()
    info["version"] = 1 if certificate else 3
    if certificate is not None:
        info["sid"]["issuerAndSerialNumber"]["issuer"], _ = decode(
            certificate.issuer.public_bytes(),
            asn1Spec=info["sid"]["issuerAndSerialNumber"]["issuer"],
        )
        info["sid"]["issuerAndSerialNumber"]["serialNumber"] = certificate.serial_number
    else:
        info["sid"]["subjectKeyIdentifier"] = spki_id
    info["digestAlgorithm"]["algorithm"] = univ.ObjectIdentifier(SHA256)
    info["signedAttrs"].extend(list(attributes))
    info["signatureAlgorithm"]["algorithm"] = univ.ObjectIdentifier(algorithm)
    info["signature"] = signature
    data = rfc5652.SignedData()
    data["version"] = 3
    data["digestAlgorithms"][0]["algorithm"] = univ.ObjectIdentifier(SHA256)
    data["encapContentInfo"]["eContentType"] = kind
    data["encapContentInfo"]["eContent"] = content
    if certificate is not None:
        choice, _ = decode(
            certificate.public_bytes(Encoding.DER),
            asn1Spec=rfc5652.CertificateChoices()["certificate"],
        )
        data["certificates"][0]["certificate"] = choice
    data["signerInfos"].append(info)
    outer = rfc5652.ContentInfo()
    outer["contentType"] = rfc5652.id_signedData
    outer["content"] = univ.Any(encode(data))
    return bytes(encode(outer))


def answer(
    body: bytes, anchors: Path, scratch: Path
) -> tuple[dict[str, Any], list[x509.Certificate]]:
    """(status, controls by OID) and certificates of a full PKI response that ``openssl cms`` verified."""
    (scratch / "answer.der").write_bytes(body)
    subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-binary", "-in", str(scratch / "answer.der"),
         "-CAfile", str(anchors), "-purpose", "any", "-out", str(scratch / "answer.content"),
         "-certsout", str(scratch / "answer.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    found, rest = decode((scratch / "answer.content").read_bytes(), asn1Spec=rfc6402.PKIResponse())
    assert not rest
    controls = {str(c["attrType"]): bytes(c["attrValues"][0]) for c in found["controlSequence"]}
    info, _ = decode(controls[str(rfc6402.id_cmc_statusInfoV2)], asn1Spec=rfc6402.CMCStatusInfoV2())
    told: dict[str, Any] = {
        "status": int(info["cMCStatus"]),
        "bodies": [int(one["bodyPartID"]) for one in info["bodyList"]],
        "text": str(info["statusString"]) if info["statusString"].hasValue() else "",
        "controls": controls,
    }
    if info["otherInfo"].hasValue():
        told[info["otherInfo"].getName()] = info["otherInfo"].getComponent()
    return told, x509.load_pem_x509_certificates((scratch / "answer.pem").read_bytes())
