"""A sample certificate of a profile, for the linter to judge before the profile counts."""

import time
from collections.abc import Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.dn_profile import DnProfile, ValueSource
from chancery.domain.names import SHORT_NAMES, Attribute, DistinguishedName, GeneralName, NameKind
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.ports import Linter, Store
from chancery.wire import documents
from chancery.wire.names import encode_name, parse_text
from chancery.wire.tbs import IssuerContext, assemble, certificate, compile_profile
from chancery.wire.twin import twin_signature

_VALUES = {"C": "DE", "DC": "example", "emailAddress": "sample@example.org", "CN": "example.org"}
_NAMES = {
    NameKind.DNS: "example.org",
    NameKind.EMAIL: "sample@example.org",
    NameKind.IP: "192.0.2.1",
    NameKind.URI: "https://example.org/",
    NameKind.UPN: "sample@example.org",
}
_ISSUER = "CN=Sample Issuing CA,O=Example,C=DE"


class ProfileLint:
    """Calls a full linter on a sample of a profile that is not in use yet."""

    def __init__(self, store: Store, linter: Linter) -> None:
        self._store = store
        self._linter = linter

    def __call__(self, profile: ExtensionProfile) -> Sequence[str]:
        with self._store.read() as session:
            dn_profile = session.profiles.dn(profile.dn_profile)
        return self._linter(sample(profile, dn_profile))


def sample(profile: ExtensionProfile, dn_profile: DnProfile | None) -> bytes:
    """A DER certificate as *profile* would make it, signed by a key that is thrown away."""
    now = int(time.time())
    algorithm = SignatureAlgorithm.ECDSA_SHA256
    issuer = IssuerContext(
        name="sample",
        subject_der=encode_name(parse_text(_ISSUER)),
        key_identifier=bytes(range(20)),
        signature_algorithm=algorithm,
        not_after=now + 40 * 365 * 86_400,
        http="http://pki.example.org",
    )
    version = ProfileVersion(profile, 1, documents.sha256(profile), now, "sample")
    tbs = compile_profile(version, issuer).build(
        serial=int.from_bytes(bytes(range(1, 17))),
        subject=_subject(dn_profile),
        spki=_key(profile.key_algorithms[0]),
        names=tuple(
            GeneralName(rule.kind, _NAMES[rule.kind]) for rule in profile.san if rule.kind in _NAMES
        ),
        extensions=(),
        lasting_s=profile.validity_s,
    )
    return certificate(
        assemble(tbs, *tbs.validity.starting(now)), algorithm, twin_signature(algorithm)
    )


def _subject(dn_profile: DnProfile | None) -> DistinguishedName:
    rules = dn_profile.attributes if dn_profile else ()
    return DistinguishedName(
        tuple(
            (Attribute(rule.oid, _sample_value(rule.oid, rule.value), rule.syntax),)
            for rule in rules
            if rule.required or rule.source is ValueSource.FIXED
        )
    )


def _sample_value(oid: str, fixed: str | None) -> str:
    return fixed or _VALUES.get(SHORT_NAMES.get(oid, ""), "Sample")


def _key(name: str) -> bytes:
    """A public key of the kind *name*, DER."""
    key: (
        rsa.RSAPrivateKey
        | ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | mldsa.MLDSA44PrivateKey
    )
    if name.startswith("rsa"):
        key = rsa.generate_private_key(65537, 2048)
    elif name == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif name.startswith("ml-dsa"):
        key = mldsa.MLDSA44PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
