"""Is our PKCS#7 what OpenSSL, GnuTLS and Java expect, and do we read theirs?"""

import shutil
import subprocess
from pathlib import Path

import pytest
from issuing import Issuer

from chancery.domain.algorithms import KeyAlgorithm
from chancery.wire import pem, pkcs7

pytestmark = pytest.mark.interop

CERTIFICATES = [
    Issuer(kind).certificate
    for kind in (KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048, KeyAlgorithm.ED25519)
]


def run(*command: str | Path) -> str:
    """Run one foreign program; return what it printed."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    finished = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_openssl_prints_every_certificate(tmp_path: Path, form: str) -> None:
    path, made = tmp_path / "chain.p7b", pkcs7.certs_only(CERTIFICATES)
    path.write_bytes(made if form == "DER" else pem.encode("PKCS7", made).encode())
    printed = run("openssl", "pkcs7", "-inform", form, "-in", path, "-print_certs")
    assert printed.count("subject=C = DE, O = Example, CN = Example Root CA") == 3
    assert pkcs7.certificates(printed.encode()) == sorted(CERTIFICATES)


def test_openssl_cms_reads_it_too(tmp_path: Path) -> None:
    path = tmp_path / "chain.p7b"
    path.write_bytes(pkcs7.certs_only(CERTIFICATES))
    printed = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", path)
    assert printed.count("d.certificate") == 3
    assert "signerInfos:\n      <EMPTY>" in printed


def test_certtool_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "chain.p7b"
    path.write_bytes(pkcs7.certs_only(CERTIFICATES))
    printed = run("certtool", "--p7-info", "--inder", "--infile", path)
    assert "Number of certificates: 3" in printed


def test_keytool_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "chain.p7b"
    path.write_bytes(pkcs7.certs_only(CERTIFICATES))
    printed = run("keytool", "-printcert", "-file", path)
    assert "Certificate[3]:" in printed


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_we_read_what_openssl_makes(tmp_path: Path, form: str) -> None:
    bundle, path = tmp_path / "bundle.pem", tmp_path / "chain.p7b"
    bundle.write_text("".join(pem.encode("CERTIFICATE", c) for c in CERTIFICATES))
    run("openssl", "crl2pkcs7", "-nocrl", "-certfile", bundle, "-outform", form, "-out", path)
    # OpenSSL keeps the order it was given; so do we.
    assert pkcs7.certificates(path.read_bytes()) == CERTIFICATES
