"""Do OpenSSL, GnuTLS and pkilint read every extension we can write, as we meant it?"""

import pytest
from issuing import Issuer, dn, spki
from judges import findings, run

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.names import Attribute, DistinguishedName, Syntax
from chancery.domain.profile import (
    EKU_NAMES,
    BasicConstraints,
    CertificatePolicy,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    MsTemplate,
    NameConstraints,
)
from chancery.domain.profile_rules import check_profile
from chancery.wire import general_names

pytestmark = pytest.mark.interop

LEAF = ExtensionProfile(
    name="leaf",
    extended_key_usage=(EKU_NAMES["clientAuth"], EKU_NAMES["smartcardLogon"]),
    freshest_crl=("{http}/crl/{ca}-delta.crl",),
    policies=(CertificatePolicy("1.2.3.5", "https://example.org/cps", "Nur für Prüfungen"),),
    ms_template=MsTemplate("1.3.6.1.4.1.311.21.8.1.2", 100, 2),
    custom=(CustomExtension("1.3.6.1.4.1.99999.1", der_hex="0c0161"),),
)
CA = ExtensionProfile(
    name="ca",
    key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN, KeyUsage.DIGITAL_SIGNATURE),
    basic_constraints=BasicConstraints(ca=True, path_length=3),
    policies=(CertificatePolicy("2.5.29.32.0"),),
    name_constraints=NameConstraints(
        ("dns:example.org", "ip:10.0.0.0/8", "email:.example.org", "directory:O=Example,C=DE"),
        ("ip:2001:db8::/32", "uri:.example.org"),
    ),
)
NAMES = (
    "dns:www.example.org",
    "dns:bücher.example",
    "email:alice@example.org",
    "ip:192.0.2.1",
    "ip:2001:db8::1",
    "uri:https://example.org/x",
    "upn:alice@corp.example.org",
    "directory:CN=Alice,O=Example",
    "registered-id:1.2.3.4",
)
SUBJECT = DistinguishedName(
    (
        (Attribute("2.5.4.6", "DE", Syntax.PRINTABLE),),
        (
            Attribute("2.5.4.3", "Zoë", Syntax.UTF8),
            Attribute("2.5.4.5", "007", Syntax.PRINTABLE),
        ),
    )
)
OPENSSL_LEAF = """\
Subject: C = DE, serialNumber = 007 + CN = Zo\\C3\\AB
X509v3 Basic Constraints: critical
CA:FALSE
X509v3 Key Usage: critical
Digital Signature
TLS Web Client Authentication, Microsoft Smartcard Login
DNS:www.example.org, DNS:xn--bcher-kva.example, email:alice@example.org, IP Address:192.0.2.1
URI:https://example.org/x, othername: UPN::alice@corp.example.org, DirName:
Registered ID:1.2.3.4
Policy: 1.2.3.5
CPS: https://example.org/cps
Explicit Text: Nur
URI:http://pki.example.org/crl/root.crl
X509v3 Freshest CRL:
URI:http://pki.example.org/crl/root-delta.crl
OCSP - URI:http://pki.example.org/ocsp/root
CA Issuers - URI:http://pki.example.org/ca/root.cer
1.3.6.1.4.1.311.21.7:
1.3.6.1.4.1.99999.1:
"""
OPENSSL_CA = """\
X509v3 Basic Constraints: critical
CA:TRUE, pathlen:3
Digital Signature, Certificate Sign, CRL Sign
Policy: X509v3 Any Policy
X509v3 Name Constraints: critical
Permitted:
DNS:example.org
IP:10.0.0.0/255.0.0.0
email:.example.org
DirName:C = DE, O = Example
Excluded:
IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0
URI:.example.org
"""
GNUTLS_LEAF = """\
TLS WWW Client.
DNSname: www.example.org
RFC822Name: alice@example.org
IPAddress: 192.0.2.1
IPAddress: 2001:db8::1
URI: https://example.org/x
"""


@pytest.fixture(scope="module")
def leaf() -> bytes:
    check_profile(LEAF)
    names = tuple(map(general_names.parse, NAMES))
    return Issuer().issue(LEAF, subject=SUBJECT, spki=spki(KeyAlgorithm.EC_P256), names=names)


@pytest.fixture(scope="module")
def ca() -> bytes:
    check_profile(CA)
    return Issuer().issue(CA, subject=dn(("CN", "Sub")), spki=spki(KeyAlgorithm.EC_P256))


def missing(expected: str, text: str) -> list[str]:
    return [line for line in expected.splitlines() if line not in text]


def test_openssl_prints_the_leaf(leaf: bytes) -> None:
    text = run("openssl", "x509", "-inform", "DER", "-noout", "-text", der=leaf)
    assert missing(OPENSSL_LEAF, text) == []


def test_openssl_prints_the_ca(ca: bytes) -> None:
    text = run("openssl", "x509", "-inform", "DER", "-noout", "-text", der=ca)
    assert missing(OPENSSL_CA, text) == []


def test_gnutls_prints_both(leaf: bytes, ca: bytes) -> None:
    assert missing(GNUTLS_LEAF, run("certtool", "-i", "--inder", der=leaf)) == []
    assert "Path Length Constraint: 3" in run("certtool", "-i", "--inder", der=ca)


@pytest.mark.parametrize("which", ["leaf", "ca"])
def test_openssl_parses_the_asn1(which: str, request: pytest.FixtureRequest) -> None:
    der: bytes = request.getfixturevalue(which)
    # What it cannot read it calls BAD OBJECT, BAD INTEGER ...: a hex dump may hold the letters alone.
    assert "BAD " not in run("openssl", "asn1parse", "-inform", "DER", der=der)


@pytest.mark.parametrize("which", ["leaf", "ca"])
def test_pkilint_finds_nothing(which: str, request: pytest.FixtureRequest) -> None:
    assert findings(request.getfixturevalue(which)) == []
