"""Trees, CRLs and OCSP of every kind of CA key, judged by OpenSSL, GnuTLS and pkilint."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.certificate import RevocationReason
from chancery.domain.identity import SYSTEM
from chancery.services.authority import Extensions, NewAuthority
from chancery.wire import ca_certificate, pem
from services.pki import House, signer

pytestmark = pytest.mark.interop

LINTERS = Path(sys.executable).parent

PKCS1 = (KeyAlgorithm.RSA_3072, SignatureAlgorithm.RSA_PKCS1_SHA256)
PSS = (KeyAlgorithm.RSA_3072, SignatureAlgorithm.RSA_PSS_SHA384)
P256 = (KeyAlgorithm.EC_P256, None)
P384 = (KeyAlgorithm.EC_P384, None)
P521 = (KeyAlgorithm.EC_P521, None)
ED25519 = (KeyAlgorithm.ED25519, None)
CLASSICAL = {
    "rsa": PKCS1, "pss": PSS, "p256": P256, "p384": P384, "p521": P521, "ed25519": ED25519,
}  # fmt: skip
POST_QUANTUM = [KeyAlgorithm.ML_DSA_44, KeyAlgorithm.ML_DSA_65, KeyAlgorithm.ML_DSA_87]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    with signer(directory) as vault:
        house = House(directory, vault)
        yield house
        house.close()


def run(*words: str | Path) -> str:
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
    return done.stdout + done.stderr


def grow(house: House, kind: str) -> tuple[Path, Path, Path]:
    """Make a tree of depth four and a leaf, revoke another leaf; files of roots, CAs and CRLs."""
    key, signature = CLASSICAL[kind]
    parent = None
    names = [f"{kind}-root", f"{kind}-policy", f"{kind}-issuing"]
    for depth, name in enumerate(names):
        house.authorities.create(
            SYSTEM,
            NewAuthority(
                name,
                "lab",
                f"CN={name},O=Example,C=DE",
                parent=parent,
                key_algorithm=key,
                signature_algorithm=signature,
                extensions=Extensions(days=3650 - depth * 100),
            ),
        )
        parent = name
    for subject in ("good", "bad"):
        record = house.leaf(names[-1], f"{subject}.example.org")
        house.pem(f"{kind}-{subject}.pem", record.der)
    house.revoke(record, RevocationReason.keyCompromise)
    assert [crl.authority for crl in house.status.run_due()] == [names[-1]]
    ders = [house.authorities.show(SYSTEM, name).certificate or b"" for name in names]
    crls = house.directory / f"{kind}-crls.pem"
    crls.write_text(
        "".join(pem.encode("X509 CRL", house.status.latest_crl(name)) for name in names)
    )
    return (
        house.pem(f"{kind}-root.pem", ders[0]),
        house.pem(f"{kind}-chain.pem", *ders[1:]),
        crls,
    )


Grown = Callable[[str], tuple[Path, Path, Path]]


@pytest.fixture(scope="module")
def grown(house: House) -> Grown:
    """The tree of a kind, grown when first asked for."""
    return cache(lambda kind: grow(house, kind))


@pytest.mark.parametrize("kind", CLASSICAL)
def test_openssl_walks_the_tree_and_believes_the_crls(
    house: House, grown: Grown, kind: str
) -> None:
    root, chain, crls = grown(kind)
    verify = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", crls,
              "-CAfile", root, "-untrusted", chain]  # fmt: skip
    assert ": OK" in run(*verify, house.directory / f"{kind}-good.pem")
    refused = subprocess.run(
        [str(w) for w in (*verify, house.directory / f"{kind}-bad.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "certificate revoked" in refused.stderr


@pytest.mark.parametrize("kind", CLASSICAL)
def test_openssl_reads_the_crl(house: House, grown: Grown, kind: str) -> None:
    grown(kind)
    path = house.directory / "public" / "crl" / f"{kind}-issuing.crl"
    text = run("openssl", "crl", "-inform", "DER", "-in", path, "-noout", "-text")
    assert "Version 2" in text
    assert "Key Compromise" in text
    assert "X509v3 CRL Number" in text
    chain = house.directory / f"{kind}-chain.pem"
    assert "verify OK" in run(
        "openssl", "crl", "-inform", "DER", "-in", path, "-noout", "-CAfile", chain
    )


@pytest.mark.parametrize("kind", CLASSICAL)
@pytest.mark.skipif(shutil.which("certtool") is None, reason="gnutls-bin is not installed")
def test_gnutls_reads_the_crl(house: House, grown: Grown, kind: str) -> None:
    grown(kind)
    path = house.directory / "public" / "crl" / f"{kind}-issuing.crl"
    text = run("certtool", "--inder", "--crl-info", "--infile", path)
    assert "Revoked certificates (1)" in text
    issuer = house.directory / "public" / "ca" / f"{kind}-issuing.cer"
    verdict = run(
        "certtool", "--inder", "--verify-crl", "--infile", path, "--load-ca-certificate", issuer
    )
    assert "Verification output: Verified. The certificate is trusted." in verdict.replace(
        "CRL is", "certificate is"
    ), verdict


@pytest.mark.parametrize("kind", CLASSICAL)
@pytest.mark.parametrize("level", ["root", "policy", "issuing"])
def test_pkilint_finds_nothing_in_the_crl(
    house: House, grown: Grown, kind: str, level: str
) -> None:
    grown(kind)
    path = house.directory / "public" / "crl" / f"{kind}-{level}.crl"
    assert (
        run(LINTERS / "lint_crl", "lint", "-t", "CRL", "-p", "PKIX", "-s", "WARNING", path).strip()
        == ""
    )


@pytest.mark.parametrize("kind", CLASSICAL)
def test_pkilint_finds_nothing_in_ca_certificates_and_responders(
    house: House, grown: Grown, kind: str
) -> None:
    grown(kind)
    for level in ("root", "policy", "issuing"):
        authority = house.authorities.show(SYSTEM, f"{kind}-{level}")
        assert authority.ocsp_certificate is not None
        for der in (authority.certificate or b"", authority.ocsp_certificate):
            path = house.pem(f"lint-{kind}-{level}.pem", der)
            assert run(LINTERS / "lint_pkix_cert", "lint", "-s", "WARNING", path).strip() == ""


@pytest.mark.parametrize("key", POST_QUANTUM)
def test_post_quantum_trees_hold(house: House, key: KeyAlgorithm) -> None:
    """OpenSSL 3.0 knows no ML-DSA: pyca's own OpenSSL does."""
    house.authorities.create(
        SYSTEM, NewAuthority(f"{key}-root", "lab", f"CN={key} root", key_algorithm=key)
    )
    child = house.authorities.create(
        SYSTEM,
        NewAuthority(
            f"{key}-ca", "lab", f"CN={key} CA", parent=f"{key}-root", key_algorithm=key,
            extensions=Extensions(days=1000),
        ),
    )  # fmt: skip
    root = ca_certificate.decode(child.chain[0])
    assert ca_certificate.decode(child.certificate or b"").signed_by(root)
    crl = x509.load_der_x509_crl(house.status.latest_crl(f"{key}-root"))
    issuer = x509.load_der_x509_certificate(child.chain[0])
    assert crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
