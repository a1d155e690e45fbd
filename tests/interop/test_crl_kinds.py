"""Every CRL we make, held by foreign programs: OpenSSL, GnuTLS and pkilint."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from judges import run

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CrlIdp
from chancery.domain.certificate import CertificateRecord, RevocationReason, RevokedEntry
from chancery.domain.crl import shard_of
from chancery.domain.identity import SYSTEM
from chancery.services.authority import AuthorityChange, NewAuthority
from chancery.wire import crl, pem
from chancery.wire.names import encode_name, parse_text
from services.pki import House, operator, signer
from support import issuing

pytestmark = pytest.mark.interop

SHARD = ("{http}/crl/{ca}/{shard}.crl",)
SHARDS = 2


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A root with every kind of CRL, and a CA below it."""
    directory = tmp_path_factory.mktemp("kinds")
    with signer(directory) as client:
        made = House(directory, client)
        made.authorities.create(SYSTEM, NewAuthority("root", "lab", "CN=Root"))
        made.authorities.create(SYSTEM, NewAuthority("sub", "lab", "CN=Sub", parent="root"))
        for name in ("root", "sub"):
            change = AuthorityChange(
                crl_idp=CrlIdp.FULL if name == "sub" else CrlIdp.NONE, crl_delta_every_s=3600, crl_shards=SHARDS, crl_ca_list=True,
                crl_keep_expired=name == "sub", crl_indirect=("sub",) if name == "root" else None,
            )  # fmt: skip
            made.authorities.edit(SYSTEM, name, change)
        made.status.run_due()
        yield made
        made.close()


def certificate(house: House, name: str) -> bytes:
    with house.store.read() as session:
        found = session.authorities.get(name)
    assert found is not None
    assert found.certificate is not None
    return found.certificate


def verify(house: House, leaf: CertificateRecord, lists: list[str], *words: str) -> str:
    """What ``openssl verify`` says with exactly these CRLs."""
    path = house.directory / "lists.pem"
    path.write_text(
        "".join(pem.encode("X509 CRL", house.status.latest_crl(name)) for name in lists)
    )
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", *words, "-CRLfile", path,
         "-CAfile", house.pem("root.pem", certificate(house, "root")),
         "-untrusted", house.pem("sub.pem", certificate(house, "sub")),
         house.pem("leaf.pem", leaf.der)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_openssl_follows_full_delta_and_shards(house: House) -> None:
    full = [house.leaf("sub", f"f{n}.example.org") for n in range(2)]
    sharded = [house.leaf("sub", f"s{n}.example.org", cdp=SHARD) for n in range(6)]
    whole = ["root", "root/delta", "sub", "sub/delta"]
    shards = ["root", *(f"sub/{index}" for index in range(SHARDS))]
    house.status.issue_crl(operator(), "sub")
    every = ("-crl_check_all", "-extended_crl", "-use_deltas")
    assert verify(house, full[0], whole, *every).endswith("leaf.pem: OK\n")
    for leaf in sharded:
        assert verify(house, leaf, shards, "-crl_check_all").endswith("leaf.pem: OK\n")
        wrong = ["root", f"sub/{1 - shard_of(leaf.serial, SHARDS)}"]
        assert "different CRL scope" in verify(house, leaf, wrong, "-crl_check_all")
    house.revoke(full[0], RevocationReason.superseded)
    house.revoke(sharded[0], RevocationReason.keyCompromise)
    base = house.status.latest_crl("sub")
    house.status.run_due()
    for lists, leaf in ((whole, full[0]), (shards, sharded[0])):
        assert "certificate revoked" in verify(house, leaf, lists, *every)
    assert verify(house, full[1], whole, *every).endswith("leaf.pem: OK\n")
    assert verify(house, sharded[1], shards, "-crl_check_all").endswith("leaf.pem: OK\n")
    # An old base with the new delta: what the delta is for.
    path = house.directory / "public" / "crl" / "sub.crl"
    path.write_bytes(base)
    house.status._crls.files._latest.clear()  # as another process would find it
    assert "certificate revoked" in verify(house, full[0], whole, *every)
    house.status.issue_crl(operator(), "sub")


def names(house: House) -> list[str]:
    with house.store.read() as session:
        return [one.name for ca in ("root", "sub") for one in session.crl_lists.of(ca)]


def test_gnutls_verifies_every_kind(house: House) -> None:
    for name in names(house):
        path = house.directory / "one.crl"
        path.write_bytes(house.status.latest_crl(name))
        ca = house.directory / "ca.der"
        ca.write_bytes(certificate(house, name.partition("/")[0]))
        said = run("certtool", "--verify-crl", "--load-ca-certificate", str(ca), "--inder",
                   "--infile", str(path))  # fmt: skip
        assert "Verified" in said, name


def test_pkilint_finds_nothing(house: House) -> None:
    for name in names(house):
        if name.endswith("/indirect"):
            continue  # BR and PKIX profiles of the linter know none
        path = house.directory / "lint.pem"
        path.write_text(pem.encode("X509 CRL", house.status.latest_crl(name)))
        said = run(str(Path(sys.executable).parent / "lint_crl"), "lint", "-t", "CRL", "-p",
                   "PKIX", str(path))  # fmt: skip
        assert not said.strip(), f"{name}: {said}"


def test_openssl_reads_the_indirect_one(house: House) -> None:
    leaf = house.leaf("sub", "i.example.org")
    house.revoke(leaf, RevocationReason.superseded)
    house.status.run_due()
    house.status.issue_crl(operator(), "root")
    path = house.directory / "indirect.crl"
    path.write_bytes(house.status.latest_crl("root/indirect"))
    text = run("openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", str(path))
    assert "Indirect CRL" in text
    assert "X509v3 Certificate Issuer: critical" in text
    assert leaf.serial.upper() in text.replace(":", "")


def test_openssl_follows_a_crl_issuer(house: House) -> None:
    """The root's indirect CRL alone speaks for what the CA below it issued (§6.3.3 (f))."""
    good, bad = (
        house.leaf("sub", f"{name}.example.org", cdp=("{indirect}",)) for name in ("good", "bad")
    )
    house.revoke(bad, RevocationReason.superseded)
    house.status.run_due()
    house.status.issue_crl(operator(), "root")
    command = ("openssl", "x509", "-inform", "DER", "-noout", "-ext", "crlDistributionPoints")
    shown = run(*command, der=good.der)
    assert "CRL Issuer:" in shown
    assert "CN = Root" in shown
    lists = ["root/indirect"]
    assert "OK" in verify(house, good, lists, "-crl_check", "-extended_crl")
    assert "revoked" in verify(house, bad, lists, "-crl_check", "-extended_crl")
    assert "OK" not in verify(house, good, lists, "-crl_check")  # those that are not told so


@pytest.mark.parametrize("now", [2_524_607_000, 2_524_608_000], ids=["2049", "2050"])
def test_openssl_under_a_moved_clock(tmp_path: Path, now: int) -> None:
    """UTCTime through 2049, GeneralizedTime after: thisUpdate, nextUpdate and the entries."""
    algorithm, key = SignatureAlgorithm.ECDSA_SHA256, issuing.key(KeyAlgorithm.EC_P256)
    body = crl.tbs(
        issuer=encode_name(parse_text("CN=Root")),
        key_identifier=b"k" * 20,
        algorithm=algorithm,
        number=1,
        this_update=now,
        next_update=now + 1200,
        entries=[
            crl.entry(RevokedEntry(f"{n:x}", now - 60 * n, RevocationReason.superseded, None))
            for n in range(1, 40)
        ],
    )
    path = tmp_path / "one.crl"
    path.write_bytes(crl.join(body, algorithm, issuing.sign(key, algorithm, body)))
    text = run("openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", str(path))
    year = "2050" if now >= 2_524_608_000 else "2049"
    assert f"Last Update: {'Jan  1' if year == '2050' else 'Dec 31'}" in text
    assert year in text
    assert "2049" in text
    asn1 = run("openssl", "asn1parse", "-inform", "DER", "-in", str(path))
    assert "GENERALIZEDTIME" in asn1, "nextUpdate lies in 2050"
    assert "UTCTIME" in asn1, "some entries lie in 2049"


def test_a_crl_lapses_when_the_clock_says_so(house: House) -> None:
    """faketime across nextUpdate: OpenSSL refuses, and so does what would publish it."""
    leaf = house.leaf("sub", "late.example.org")
    path = house.directory / "lists.pem"
    path.write_text(
        "".join(pem.encode("X509 CRL", house.status.latest_crl(n)) for n in ("root", "sub"))
    )
    words = ["openssl", "verify", "-crl_check_all", "-CRLfile", path,
             "-CAfile", house.pem("root.pem", certificate(house, "root")),
             "-untrusted", house.pem("sub.pem", certificate(house, "sub")),
             house.pem("leaf.pem", leaf.der)]  # fmt: skip
    for ahead, wanted in (("+6d", "OK"), ("+8d", "CRL has expired")):
        done = subprocess.run(
            ["faketime", "-f", ahead, *words], capture_output=True, text=True, check=False
        )
        assert wanted in done.stdout + done.stderr
