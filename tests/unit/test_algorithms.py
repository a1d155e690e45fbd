"""AlgorithmIdentifiers against pyca's, and signatures by each algorithm."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from issuing import key, sign, spki

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import BadCSR, BadKey, BadRequest
from chancery.wire import der
from chancery.wire.algorithms import (
    algorithm_identifier,
    load_key,
    signature_algorithm_of,
    verify,
)

KEY_FOR = {
    signature: next(k for k, able in SIGNATURES_OF.items() if signature in able)
    for signature in SignatureAlgorithm
}


@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_identifiers_survive_the_round_trip(algorithm: SignatureAlgorithm) -> None:
    assert signature_algorithm_of(algorithm_identifier(algorithm)) is algorithm


@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_pyca_writes_the_same_identifier(algorithm: SignatureAlgorithm) -> None:
    family, _, name = algorithm.value.rpartition("-")
    method = getattr(hashes, name.upper())() if name.startswith("sha") else None
    pss = padding.PSS(padding.MGF1(method), method.digest_size) if family == "rsa-pss" else None
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.sign(key(KEY_FOR[algorithm]), method, rsa_padding=pss)
    body = der.Reader(csr.public_bytes(Encoding.DER)).enter(der.SEQUENCE)
    body.read(der.SEQUENCE)

    assert body.read(der.SEQUENCE)[2] == algorithm_identifier(algorithm)


@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_verifies(algorithm: SignatureAlgorithm) -> None:
    public = spki(KEY_FOR[algorithm])
    signature = sign(key(KEY_FOR[algorithm]), algorithm, b"data")

    verify(public, algorithm, signature, b"data")
    with pytest.raises(BadCSR):
        verify(public, algorithm, signature, b"other data")
    with pytest.raises(BadCSR):
        verify(public, algorithm, b"", b"data")


@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_refuses_a_key_of_another_kind(algorithm: SignatureAlgorithm) -> None:
    other = KeyAlgorithm.RSA_2048 if "rsa" not in algorithm.value else KeyAlgorithm.ED25519
    with pytest.raises(BadCSR):
        verify(spki(other), algorithm, b"signature", b"data")


def test_understands_absent_parameters() -> None:
    """RFC 4055 §5: implementations MUST accept them absent as well as present."""
    bare = der.sequence(der.oid("1.2.840.113549.1.1.11"))
    assert signature_algorithm_of(bare) is SignatureAlgorithm.RSA_PKCS1_SHA256


@pytest.mark.parametrize(
    "identifier",
    [
        der.sequence(der.oid("1.2.840.113549.1.1.5"), der.NULL),  # SHA-1
        der.sequence(der.oid("1.2.840.113549.1.1.10")),  # PSS with its default, SHA-1
        der.sequence(der.oid("1.3.101.112"), der.NULL),  # RFC 8410 §3: no parameters
        b"",
        b"\x30\x00",
        b"\x05\x00",
    ],
)
def test_refuses_other_algorithms(identifier: bytes) -> None:
    with pytest.raises(BadRequest):
        signature_algorithm_of(identifier)


def test_refuses_what_is_no_key() -> None:
    with pytest.raises(BadKey):
        load_key(b"\x30\x00")
