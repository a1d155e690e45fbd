"""An offline root from its ceremony to a leaf that OpenSSL trusts."""

import subprocess
from pathlib import Path

import pytest

from chancery.ceremony import init_root, open_ceremony
from chancery.ceremony.commands import crl, sign_subordinate
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest, Conflict, SignerRefused, Unavailable
from chancery.domain.identity import SYSTEM
from chancery.services.authority import ImportedAuthority, NewAuthority
from chancery.wire import ca_certificate, pem
from chancery.wire import crl as crl_format
from services.pki import HTTP, House, signer

pytestmark = pytest.mark.interop


def verify(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["openssl", "verify", "-x509_strict", *(str(w) for w in words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_offline_root_and_an_issuing_ca_of_the_server(tmp_path: Path) -> None:
    vault = tmp_path / "ceremony"
    root = init_root(
        vault, subject="CN=Example Root,O=Example,C=DE", algorithm=KeyAlgorithm.EC_P384,
        years=20, operators=("ada", "grace"), path_length=1, name="offline-root", http=HTTP,
    )  # fmt: skip
    (tmp_path / "server").mkdir()
    with signer(tmp_path / "server") as client:
        house = House(tmp_path / "server", client)
        imported = house.authorities.import_authority(
            SYSTEM, ImportedAuthority("offline-root", "lab", certificate=root, offline=True)
        )
        assert imported.offline
        assert imported.key_id is None
        house.authorities.create(
            SYSTEM, NewAuthority("issuing", "lab", "CN=Issuing,O=Example,C=DE", external=True)
        )
        csr = tmp_path / "issuing.csr"
        csr.write_text(pem.encode("CERTIFICATE REQUEST", house.authorities.csr(SYSTEM, "issuing")))
        chain = tmp_path / "issuing-chain.pem"
        sign_subordinate(
            vault, csr=csr, out=chain, path_length=0, years=5, operator=("ada", "grace")
        )
        issuing = house.authorities.upload_certificate(SYSTEM, "issuing", chain.read_bytes())
        assert issuing.state == "active"
        assert issuing.parent == "offline-root"
        list_path = tmp_path / "root.crl"
        crl(vault, out=list_path, operator=("ada", "grace"))
        house.status.accept_crl(SYSTEM, "offline-root", list_path.read_bytes())

        leaf = house.pem("leaf.pem", house.leaf("issuing", "www.example.org").der)
        crls = house.directory / "crls.pem"
        crls.write_text(
            "".join(
                pem.encode("X509 CRL", house.status.latest_crl(name))
                for name in ("offline-root", "issuing")
            )
        )
        arguments = ("-crl_check_all", "-CRLfile", crls, "-CAfile", vault / "root.pem",
                     "-untrusted", chain, leaf)  # fmt: skip
        assert verify(*arguments).returncode == 0, verify(*arguments).stderr

        serial = ca_certificate.decode(issuing.certificate or b"").serial
        crl(vault, out=list_path, revoke=serial, reason="cACompromise", operator=("ada", "grace"))
        house.status.accept_crl(SYSTEM, "offline-root", list_path.read_bytes())
        crls.write_text(
            "".join(
                pem.encode("X509 CRL", house.status.latest_crl(name))
                for name in ("offline-root", "issuing")
            )
        )
        assert "certificate revoked" in verify(*arguments).stderr
        house.close()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("office") / "root"
    init_root(
        directory, subject="CN=R", algorithm=KeyAlgorithm.EC_P256, years=10,
        operators=("ada", "grace"),
    )  # fmt: skip
    return directory


def test_as_many_people_as_at_the_beginning(office: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=Sub",
         "-addext", "basicConstraints=critical,CA:TRUE",
         "-keyout", tmp_path / "k", "-out", tmp_path / "csr"],
        check=True, capture_output=True,
    )  # fmt: skip
    csr = (tmp_path / "csr").read_bytes()
    with open_ceremony(office, operators=("ada",)) as one, pytest.raises(SignerRefused):
        one.sign_subordinate(csr, path_length=0, years=2)
    with open_ceremony(office, operators=("ada", "grace")) as two:
        der = two.sign_subordinate(csr, path_length=None, years=2)
        with pytest.raises(BadRequest) as caught:
            two.sign_subordinate(csr, path_length=None, years=12)
        assert caught.value.rule == "validity.within-issuer"
    assert ca_certificate.decode(der).path_length == 0, "no CA below unless somebody says so"


def test_a_servers_request_does_not_make_a_ca(office: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=a.example.org",
         "-addext", "subjectAltName=DNS:a.example.org",
         "-keyout", tmp_path / "k", "-out", tmp_path / "csr"],
        check=True, capture_output=True,
    )  # fmt: skip
    csr = (tmp_path / "csr").read_bytes()
    with (
        open_ceremony(office, operators=("ada", "grace")) as ceremony,
        pytest.raises(BadRequest) as caught,
    ):
        ceremony.sign_subordinate(csr, path_length=None, years=2)
    assert caught.value.rule == "csr.ca"


def test_a_root_that_cannot_be_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        init_root(
            tmp_path / "bad", subject="CN=R", algorithm=KeyAlgorithm.EC_P256, years=10,
            operators=("ada",), path_length=-2,
        )  # fmt: skip
    assert caught.value.rule == "authority.path_length"
    assert not (tmp_path / "bad").exists()


def test_files_are_replaced_whole(office: Path, tmp_path: Path) -> None:
    """Never written over: a power cut leaves the old one or the new one."""
    out, kept = tmp_path / "root.crl", tmp_path / "kept.crl"
    crl(office, out=out, operator=("ada", "grace"))
    before = out.read_bytes()
    kept.hardlink_to(out)
    crl(office, out=out, operator=("ada", "grace"))
    assert out.read_bytes() != before
    assert kept.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_only_what_was_signed_is_revoked_and_once(office: Path) -> None:
    serial = ca_certificate.decode((office / "root.cer").read_bytes()).serial
    with open_ceremony(office, operators=("ada", "grace")) as ceremony:
        with pytest.raises(Conflict):
            ceremony.revoke("1234", RevocationReason.superseded)
        ceremony.revoke(serial, RevocationReason.superseded)
        with pytest.raises(Conflict):
            ceremony.revoke(serial, RevocationReason.superseded)


def test_crl_numbers_rise_over_ceremonies(office: Path) -> None:
    numbers = []
    for _ in range(2):
        with open_ceremony(office, operators=("ada", "grace")) as ceremony:
            numbers.append(crl_format.decode(ceremony.crl(lifetime_days=90)).number)
    assert numbers[0] < numbers[1]


def test_a_changed_register_is_noticed(office: Path) -> None:
    register = office / "register.jsonl"
    kept = register.read_bytes()
    register.write_bytes(kept.replace(b'"ada"', b'"eve"', 1))
    try:
        with (
            pytest.raises(Unavailable, match="was changed"),
            open_ceremony(office, operators=("ada", "grace")),
        ):
            pass
    finally:
        register.write_bytes(kept)
