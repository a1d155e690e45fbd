"""Golden vectors for certification requests, and the properties that bytes cannot show."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain.algorithms import SignatureAlgorithm, key_family
from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import der, pem, pkcs10
from chancery.wire.names import parse_text

DIRECTORY = Path(__file__).parents[1] / "vectors" / "pkcs10"
# iterdir, not glob("*.toml"): a misspelt vector must break the run, not leave it.
VECTORS = {path.stem: tomllib.loads(path.read_text()) for path in sorted(DIRECTORY.iterdir())}
GOOD = {name: v for name, v in VECTORS.items() if "reject" not in v}
BAD = {name: v for name, v in VECTORS.items() if "reject" in v}
GOOD_DER = {
    name: pem.decode(v["pem"].encode(), pkcs10.LABELS, 65_536)[1] for name, v in GOOD.items()
}


@pytest.mark.parametrize("vector", GOOD.values(), ids=GOOD)
def test_reads_and_verifies(vector: dict[str, Any]) -> None:
    csr = pkcs10.decode(vector["pem"].encode())
    pkcs10.check_signature(csr)

    assert csr.subject.text == vector["subject"]
    assert [name.text for name in csr.names] == vector["names"]
    assert key_family(csr.public_key) == vector["key"]
    assert csr.challenge_password == vector.get("challenge_password")


@pytest.mark.parametrize("der_csr", GOOD_DER.values(), ids=GOOD_DER)
def test_der_and_pem_are_one(der_csr: bytes) -> None:
    csr = pkcs10.decode(der_csr)
    assert csr.der == der_csr
    assert pkcs10.decode(pem.encode("NEW CERTIFICATE REQUEST", der_csr).encode()).der == der_csr
    assert csr.info in der_csr
    assert csr.spki in csr.info


def _take(data: bytes) -> None:
    pkcs10.check_signature(pkcs10.decode(data))


@pytest.mark.parametrize("vector", BAD.values(), ids=BAD)
def test_refuses(vector: dict[str, Any]) -> None:
    data = vector["pem"].encode()
    with pytest.raises(BadRequest) as refused:
        _take(data)
    assert refused.value.rule == vector["reject"]
    assert refused.value.field in ("csr", "key")
    assert refused.value.remedy
    if vector["stage"] == "signature":
        pkcs10.decode(data)  # an unproven request can still be looked at


def test_agrees_with_another_reader() -> None:
    """Where pyca reads a request too, both must see the same in it."""
    agreed = 0
    for encoded in GOOD_DER.values():
        try:
            theirs = x509.load_der_x509_csr(encoded)
            extensions = tuple(
                (e.oid.dotted_string, e.critical, e.value.public_bytes()) for e in theirs.extensions
            )
        except ValueError:
            continue  # what pyca refuses and clients send: attributes out of order, and so on
        ours = pkcs10.decode(encoded)
        assert ours.extensions == extensions
        assert ours.info == theirs.tbs_certrequest_bytes
        assert ours.signature == theirs.signature
        assert ours.spki == theirs.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        agreed += 1
    assert agreed >= 15


def test_keeps_every_requested_extension() -> None:
    csr = pkcs10.decode(GOOD["challenge-password"]["pem"].encode())
    assert [(oid, critical) for oid, critical, _ in csr.extensions] == [
        ("2.5.29.15", True),
        ("2.5.29.17", False),
    ]


def test_the_key_is_named_by_the_hash_of_its_spki() -> None:
    digest = hashes.Hash(hashes.SHA256())
    csr = pkcs10.decode(GOOD_DER["ec-p256"])
    digest.update(csr.spki)
    assert csr.key_sha256 == digest.finalize().hex()


def test_makes_requests_that_another_reader_verifies() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    subject = parse_text("CN=Issuing CA,O=Example,C=DE")
    constraints = ("2.5.29.19", True, bytes.fromhex("30030101ff"))

    info = pkcs10.encode_info(subject, spki, [constraints])
    made = pkcs10.join(
        info, SignatureAlgorithm.ECDSA_SHA256, key.sign(info, ec.ECDSA(hashes.SHA256()))
    )

    theirs = x509.load_der_x509_csr(made)
    assert theirs.is_signature_valid
    assert theirs.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    ours = pkcs10.decode(made)
    pkcs10.check_signature(ours)
    assert (ours.subject, ours.extensions, ours.info) == (subject, (constraints,), info)


def test_a_request_without_extensions_has_empty_attributes() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = pkcs10.encode_info(parse_text("CN=x"), spki)
    assert info.endswith(b"\xa0\x00")
    made = pkcs10.join(info, SignatureAlgorithm.ED25519, key.sign(info))
    assert x509.load_der_x509_csr(made).is_signature_valid


def test_a_long_input_is_not_read_at_all() -> None:
    with pytest.raises(TooLarge) as refused:
        pkcs10.decode(b"\x30" * (pkcs10.MAX_OCTETS + 1))
    assert refused.value.rule == "csr.size"


def request_with(*attributes: bytes) -> bytes:
    """An unsigned request with these attributes, in this order."""
    csr = pkcs10.decode(GOOD_DER["ec-p256"])
    listed = der.implicit(0, b"".join(attributes), constructed=True)
    info = der.sequence(der.integer(0), der.sequence(), csr.spki, listed)
    return der.sequence(info, csr.signature_algorithm, der.bit_string(csr.signature))


def attribute(oid: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(*values))


def test_attributes_are_bounded() -> None:
    made = [attribute(f"1.2.3.{n}") for n in range(pkcs10.MAX_ATTRIBUTES + 1)]
    pkcs10.decode(request_with(*made[1:]))
    with pytest.raises(BadRequest) as refused:
        pkcs10.decode(request_with(*made))
    assert refused.value.rule == "csr.attributes"


def test_extensions_are_bounded() -> None:
    made = [
        der.sequence(der.oid(f"1.2.3.{n}"), der.octet_string(der.NULL))
        for n in range(pkcs10.MAX_EXTENSIONS + 1)
    ]
    oid = "1.2.840.113549.1.9.14"
    csr = pkcs10.decode(request_with(attribute(oid, der.sequence(*made[1:]))))
    assert len(csr.extensions) == pkcs10.MAX_EXTENSIONS
    with pytest.raises(BadRequest) as refused:
        pkcs10.decode(request_with(attribute(oid, der.sequence(*made))))
    assert refused.value.rule == "csr.extensions"


CHALLENGES = {
    "UTF8String": (b"\x0c\x04p\xc3\xa4x", "p\u00e4x"),
    "PrintableString": (b"\x13\x03abc", "abc"),
    "TeletexString": (b"\x14\x03a\xe4b", "a\u00e4b"),
    "IA5String": (b"\x16\x03abc", "abc"),
    "BMPString": (b"\x1e\x04\x00a\x00b", "ab"),
    "UniversalString": (b"\x1c\x04\x00\x00\x00a", "a"),
}


@pytest.mark.parametrize(("value", "text"), CHALLENGES.values(), ids=CHALLENGES)
def test_challenge_passwords_come_in_every_string_type(value: bytes, text: str) -> None:
    csr = pkcs10.decode(request_with(attribute("1.2.840.113549.1.9.7", value)))
    assert csr.challenge_password == text


@pytest.mark.parametrize(
    "value", [b"\x0c\x01\xff", b"\x13\x01\xe4", b"\x1e\x01a", der.tlv(0x0C, b"x" * 256)]
)
def test_broken_challenge_passwords(value: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        pkcs10.decode(request_with(attribute("1.2.840.113549.1.9.7", value)))
    assert refused.value.rule == "csr.challenge-password"


def test_a_private_key_gets_a_warning_of_its_own() -> None:
    with pytest.raises(BadRequest, match="private key") as refused:
        pkcs10.decode(BAD["reject-private-key"]["pem"].encode())
    assert refused.value.remedy is not None
    assert "compromised" in refused.value.remedy
