"""What every full linter promises."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from issuing import Issuer, dn, spki

from chancery.adapters.lint import PkiLinter
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, SanRule
from chancery.ports import Linter

TLS = ExtensionProfile(
    "tls", extended_key_usage=(EKU_NAMES["serverAuth"],), san=(SanRule(NameKind.DNS),)
)
NAMES = (GeneralName(NameKind.DNS, "www.example.org"),)


@pytest.fixture(scope="module", params=[PkiLinter])
def linter(request: pytest.FixtureRequest) -> Linter:
    made: Linter = request.param()
    return made


@pytest.fixture(scope="module")
def leaf() -> bytes:
    subject = dn(("CN", "www.example.org"))
    return Issuer().issue(TLS, subject=subject, spki=spki(KeyAlgorithm.EC_P256), names=NAMES)


def test_finds_nothing_in_good_certificates(linter: Linter, leaf: bytes) -> None:
    assert not linter(leaf)
    assert not linter(Issuer().certificate)


def test_says_severity_and_code(linter: Linter, leaf: bytes) -> None:
    """A version 1 certificate must not have extensions (RFC 5280 §4.1.2.9)."""
    broken = leaf.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)
    findings = linter(broken)
    assert findings
    for finding in findings:
        severity, _, rest = finding.partition(" ")
        assert severity in ("FATAL", "ERROR", "WARNING")
        assert ": " in rest


def test_a_negative_serial_number_is_found(linter: Linter, leaf: bytes) -> None:
    serial = leaf.index(b"\x02\x10\x7a")
    broken = leaf[: serial + 2] + b"\xfa" + leaf[serial + 3 :]
    assert any(f.startswith("ERROR") and "serial" in f for f in linter(broken))


def named(name: str) -> bytes:
    """A certificate for *name*, whatever our own rules say of it."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1 << 100)
        .not_valid_before(day)
        .not_valid_after(day + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "name", ["localhost", "Intranet", "*.example.org", "a.b", "www.example.org"]
)
def test_a_host_name_needs_no_public_ending(linter: Linter, name: str) -> None:
    """RFC 5280 §4.2.1.6 asks for the syntax of RFC 1034 §3.5, and for no more."""
    assert not [f for f in linter(named(name)) if "domain_name" in f]


@pytest.mark.parametrize(
    "name", ["-a.example.org", "a..b", "10.0.0.1", "a b", "w*.example.org", "localhost.", "x.123"]
)
def test_what_is_no_host_name_is_found(linter: Linter, name: str) -> None:
    assert any(f.startswith("ERROR pkix.invalid_domain_name_syntax") for f in linter(named(name)))


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x00", bytes(100), b"-----BEGIN"])
def test_what_cannot_be_read_is_a_finding(linter: Linter, data: bytes) -> None:
    assert linter(data)


def test_never_raises(linter: Linter, leaf: bytes) -> None:
    for at in range(0, len(leaf), 17):
        linter(leaf[:at] + bytes((leaf[at] ^ 0x55,)) + leaf[at + 1 :])


def test_pkilint_is_loaded_by_the_first_call_only() -> None:
    program = "import sys, chancery.adapters.lint; sys.exit('pkilint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
