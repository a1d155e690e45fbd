"""Do the profiles we ship make certificates that nobody else finds fault with?

Judges: pkilint (RFC 5280), OpenSSL and GnuTLS.  The distribution's OpenSSL
and GnuTLS may not know ML-DSA; they must still parse what carries it.
"""

import ssl
from pathlib import Path

import pytest
from issuing import CA_NAME, Issuer, dn, spki, version
from judges import findings, run

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.names import DistinguishedName, GeneralName, NameKind
from chancery.domain.profile import ExtensionProfile
from chancery.domain.san_rules import select_names
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.domain.subject import build_subject
from chancery.wire import general_names
from chancery.wire.lint import compile_lint

pytestmark = pytest.mark.interop

RSA = KeyAlgorithm.RSA_2048
KEYS = [
    RSA,
    KeyAlgorithm.EC_P256,
    KeyAlgorithm.EC_P521,
    KeyAlgorithm.ED25519,
    KeyAlgorithm.ML_DSA_65,
]
ISSUERS = [
    KeyAlgorithm.RSA_2048,
    KeyAlgorithm.EC_P384,
    KeyAlgorithm.ED25519,
    KeyAlgorithm.ML_DSA_44,
]
ASKED: dict[str, tuple[str, ...]] = {  # what a typical CSR would ask for
    "tls-server": ("dns:www.example.org", "ip:192.0.2.1", "ip:2001:db8::1"),
    "tls-client": ("dns:client.example.org", "email:billing@example.org"),
    "tls-server-client": ("dns:db1.example.org", "ip:10.1.2.3"),
    "user": ("email:alice@example.org", "upn:alice@corp.example.org"),
    "device": ("dns:printer-7.example.org",),
}
COMMON_NAMES = {"tls-server": "www.example.org", "tls-server-client": "db1.example.org"}
BY_NAME = {profile.name: profile for profile in DN_PROFILES}


def subject_of(profile: str) -> DistinguishedName:
    """The subject of a typical CSR; its mailbox reaches only the names that have room for it."""
    return dn(
        ("C", "DE"),
        ("ST", "Bayern"),
        ("L", "München"),
        ("O", "Example"),
        ("OU", "Research"),
        ("CN", COMMON_NAMES.get(profile, "Alice Example")),
        ("emailAddress", "alice@example.org"),
    )


def make(profile: ExtensionProfile, key: KeyAlgorithm, issuer: Issuer) -> bytes:
    """Run the whole way a submission takes: DN profile, SAN rules, TBSCertificate."""
    subject: DistinguishedName = build_subject(
        BY_NAME[profile.dn_profile], subject_of(profile.name), (), may_override=False
    )
    asked: tuple[GeneralName, ...] = tuple(map(general_names.parse, ASKED.get(profile.name, ())))
    names = select_names(profile, asked, (), subject)
    return issuer.issue(profile, subject=subject, spki=spki(key), names=names)


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        pytest.param(profile, key, id=f"{profile.name}-{key}")
        for profile in PROFILES
        for key in KEYS
        if key in profile.key_algorithms or (key is RSA and "rsa" in profile.key_algorithms)
    ],
)
def test_a_certificate_of_each_profile(profile: ExtensionProfile, key: KeyAlgorithm) -> None:
    der = make(profile, key, Issuer())

    assert findings(der, "NOTICE") == []
    assert compile_lint(version(profile))(der) == ()
    text = run("openssl", "x509", "-inform", "DER", "-noout", "-text", der=der)
    assert "Version: 3 (0x2)" in text
    assert "<Not Supported>" not in text
    assert run("openssl", "asn1parse", "-inform", "DER", der=der)
    assert "X.509 Certificate Information" in run("certtool", "-i", "--inder", der=der)


@pytest.mark.parametrize("algorithm", ISSUERS)
def test_issuers_of_every_kind(algorithm: KeyAlgorithm) -> None:
    issuer = Issuer(algorithm)

    assert findings(issuer.certificate, "NOTICE") == []
    for profile in PROFILES:
        key = KeyAlgorithm.EC_P256 if KeyAlgorithm.EC_P256 in profile.key_algorithms else RSA
        assert findings(make(profile, key, issuer), "NOTICE") == []


@pytest.mark.parametrize(
    ("profile", "purpose"),
    [
        ("tls-server", "sslserver"),
        ("tls-client", "sslclient"),
        ("tls-server-client", "sslserver"),
        ("tls-server-client", "sslclient"),
        ("user", "smimesign"),
        ("user", "smimeencrypt"),
        ("user", "sslclient"),
        ("device", "sslclient"),
        ("code-signing", "any"),
        ("ocsp-signer", "ocsphelper"),
        ("timestamping", "timestampsign"),
        ("subordinate-ca", "crlsign"),
    ],
)
@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA_2048, KeyAlgorithm.ED25519])
def test_openssl_accepts_its_purpose(
    tmp_path: Path, profile: str, purpose: str, algorithm: KeyAlgorithm
) -> None:
    issuer = Issuer(algorithm)
    root, leaf = tmp_path / "root.pem", tmp_path / "leaf.pem"
    root.write_text(ssl.DER_cert_to_PEM_cert(issuer.certificate))
    chosen = next(p for p in PROFILES if p.name == profile)
    leaf.write_text(ssl.DER_cert_to_PEM_cert(make(chosen, KeyAlgorithm.RSA_2048, issuer)))

    said = run(
        *("openssl", "verify", "-x509_strict", "-purpose", purpose, "-attime", "1780000001"),
        *("-CAfile", str(root), str(leaf)),
    )

    assert said.endswith(": OK\n")


def test_the_subject_of_the_root_is_the_issuer_of_the_leaf() -> None:
    der = make(PROFILES[0], KeyAlgorithm.EC_P256, Issuer())
    text = run(
        "openssl", "x509", "-inform", "DER", "-noout", "-issuer", "-nameopt", "RFC2253", der=der
    )
    assert text == f"issuer={CA_NAME.text}\n"


def test_the_linter_is_awake() -> None:
    """pkilint takes no wildcards; had it nothing to say, its silence would prove nothing."""
    name = GeneralName(NameKind.DNS, "*.example.org")
    der = Issuer().issue(
        PROFILES[0], subject=CA_NAME, spki=spki(KeyAlgorithm.EC_P256), names=(name,)
    )
    assert any("pkix.invalid_domain_name_syntax" in found for found in findings(der))
