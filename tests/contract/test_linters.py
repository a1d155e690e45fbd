"""What every full linter promises."""

import subprocess
import sys

import pytest
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


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x00", bytes(100), b"-----BEGIN"])
def test_what_cannot_be_read_is_a_finding(linter: Linter, data: bytes) -> None:
    assert linter(data)


def test_never_raises(linter: Linter, leaf: bytes) -> None:
    for at in range(0, len(leaf), 17):
        linter(leaf[:at] + bytes((leaf[at] ^ 0x55,)) + leaf[at + 1 :])


def test_pkilint_is_loaded_by_the_first_call_only() -> None:
    program = "import sys, chancery.adapters.lint; sys.exit('pkilint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
