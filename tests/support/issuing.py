"""Certificates made by our own wire code, for tests that judge them."""

from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm
from chancery.domain.names import ATTRIBUTES, Attribute, DistinguishedName, GeneralName
from chancery.domain.profile import (
    DAY_S,
    BasicConstraints,
    ExtensionProfile,
    KeyUsage,
    ProfileVersion,
)
from chancery.domain.request import ToBeSigned
from chancery.wire import tbs
from chancery.wire.names import encode_name

NOW = 1_780_000_000  # 2026-05-28T20:26:40Z
SERIAL = 0x7A5B_0102_0304_0506_0708_090A_0B0C_0D0E

_CURVES = {
    KeyAlgorithm.EC_P256: ec.SECP256R1(),
    KeyAlgorithm.EC_P384: ec.SECP384R1(),
    KeyAlgorithm.EC_P521: ec.SECP521R1(),
}
_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def key(algorithm: KeyAlgorithm, number: int = 0):
    """A private key, the same for the same arguments."""
    return _key(algorithm, number)


@cache
def _key(algorithm: KeyAlgorithm, number: int):
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm is KeyAlgorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm is KeyAlgorithm.ML_DSA_44:
        return mldsa.MLDSA44PrivateKey.generate()
    if algorithm is KeyAlgorithm.ML_DSA_65:
        return mldsa.MLDSA65PrivateKey.generate()
    if algorithm is KeyAlgorithm.ML_DSA_87:
        return mldsa.MLDSA87PrivateKey.generate()
    return rsa.generate_private_key(65537, int(algorithm.value.removeprefix("rsa-")))


def spki(algorithm: KeyAlgorithm, number: int = 0) -> bytes:
    return (
        key(algorithm, number)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def sign(private_key, algorithm: SignatureAlgorithm, data: bytes) -> bytes:
    """Sign with pyca."""
    family, _, name = algorithm.value.rpartition("-")
    if family == "rsa-pkcs1":
        return private_key.sign(data, padding.PKCS1v15(), _HASHES[name])
    if family == "rsa-pss":
        method = _HASHES[name]
        pss = padding.PSS(padding.MGF1(method), method.digest_size)
        return private_key.sign(data, pss, method)
    if family == "ecdsa":
        return private_key.sign(data, ec.ECDSA(_HASHES[name]))
    return private_key.sign(data)


def dn(*pairs: tuple[str, str]) -> DistinguishedName:
    """A name of single-valued RDNs, from (short name, value) pairs."""
    rdns = tuple((Attribute(ATTRIBUTES[n][0], v, ATTRIBUTES[n][1]),) for n, v in pairs)
    return DistinguishedName(rdns)


CA_NAME = dn(("C", "DE"), ("O", "Example"), ("CN", "Example Root CA"))

ROOT = ExtensionProfile(
    name="root",
    validity_s=20 * 365 * DAY_S,
    max_validity_s=25 * 365 * DAY_S,
    key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN),
    basic_constraints=BasicConstraints(ca=True),
    cdp=(),
    aia_ocsp=(),
    aia_issuers=(),
)


def version(profile: ExtensionProfile) -> ProfileVersion:
    return ProfileVersion(profile, 1, "0" * 64, NOW, "test")


class Issuer:
    """A CA with a key of *algorithm*, signing with *signature* (default: the first it can)."""

    def __init__(
        self,
        algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256,
        signature: SignatureAlgorithm | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.signature = signature or SIGNATURES_OF[algorithm][0]
        self.key = key(algorithm, 1)
        self.spki = spki(algorithm, 1)
        self.context = tbs.IssuerContext(
            name="root",
            subject_der=encode_name(CA_NAME),
            key_identifier=tbs.key_identifier(self.spki),
            signature_algorithm=self.signature,
            not_after=NOW + 20 * 365 * DAY_S,
            http="http://pki.example.org",
        )

    def compiled(self, profile: ExtensionProfile) -> tbs.CompiledProfile:
        return tbs.compile_profile(version(profile), self.context)

    def finish(self, made: ToBeSigned, now: int = NOW) -> bytes:
        """Assemble and sign."""
        data = tbs.assemble(made, *made.validity.starting(now))
        return tbs.certificate(data, self.signature, sign(self.key, self.signature, data))

    def issue(
        self,
        profile: ExtensionProfile,
        *,
        subject: DistinguishedName,
        spki: bytes,
        names: tuple[GeneralName, ...] = (),
        extensions: tuple[tuple[str, bytes], ...] = (),
        now: int = NOW,
    ) -> bytes:
        """A DER certificate."""
        made = self.compiled(profile).build(
            serial=SERIAL,
            subject=subject,
            spki=spki,
            names=names,
            extensions=extensions,
            lasting_s=profile.validity_s,
        )
        return self.finish(made, now)

    @property
    def certificate(self) -> bytes:
        """Its own, self-signed."""
        return self.issue(ROOT, subject=CA_NAME, spki=self.spki)
