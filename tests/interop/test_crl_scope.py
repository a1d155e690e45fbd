"""CRLs that say where they are found: held by OpenSSL against what certificates point to."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from judges import run

from chancery.ceremony import commands
from chancery.domain.authority import CrlIdp
from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import SYSTEM
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.domain.registration import RegistrationAuthority
from chancery.services.authority import AuthorityChange, ImportedAuthority, NewAuthority
from chancery.wire import crl, documents, pem
from services.pki import HTTP, House, signer

pytestmark = pytest.mark.interop

FULL = AuthorityChange(crl_idp=CrlIdp.FULL)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with signer(tmp_path) as client:
        made = House(tmp_path, client)
        made.authorities.create(SYSTEM, NewAuthority("root", "lab", "CN=Root"))
        yield made
        made.close()


def crl_check(house: House, leaf: CertificateRecord, ca: str = "root") -> str:
    """What ``openssl verify -crl_check`` prints."""
    with house.store.read() as session:
        authority = session.authorities.get(ca)
    assert authority is not None
    assert authority.certificate is not None
    list_ = house.directory / "list.pem"
    list_.write_text(pem.encode("X509 CRL", house.status.latest_crl(ca)))
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", list_,
         "-CAfile", house.pem("ca.pem", authority.certificate), house.pem("leaf.pem", leaf.der)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_certificate_is_valid_where_its_pointer_meets_the_crl(house: House) -> None:
    pointing = house.leaf("root", "www.example.org")
    elsewhere = house.leaf("root", "b.example.org", cdp=("http://other.example.org/{ca}.crl",))
    nowhere = house.leaf("root", "c.example.org", cdp=())
    for leaf in (pointing, elsewhere, nowhere):
        assert crl_check(house, leaf).endswith("leaf.pem: OK\n")
    house.authorities.edit(SYSTEM, "root", FULL)
    assert [record.authority for record in house.status.run_due()] == ["root"]
    assert crl_check(house, pointing).endswith("leaf.pem: OK\n")
    for leaf in (elsewhere, nowhere):
        assert "different CRL scope" in crl_check(house, leaf)
    house.revoke(pointing, RevocationReason.superseded)
    house.status.run_due()
    assert "certificate revoked" in crl_check(house, pointing)


def test_a_crl_may_be_found_in_several_places(house: House) -> None:
    urls = ("http://cdn.example.org/{ca}.crl", "{http}/crl/{ca}.crl")
    house.authorities.edit(SYSTEM, "root", AuthorityChange(crl_idp=CrlIdp.FULL, crl_urls=urls))
    house.status.run_due()
    for pointer in urls:
        assert crl_check(house, house.leaf("root", "a.example.org", cdp=(pointer,))).endswith(
            "OK\n"
        )


def test_others_read_it(house: House) -> None:
    house.authorities.edit(SYSTEM, "root", FULL)
    house.status.run_due()
    der = house.directory / "root.crl"
    der.write_bytes(house.status.latest_crl("root"))
    text = run("openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", str(der))
    assert "X509v3 Issuing Distribution Point: critical" in text
    assert f"URI:{HTTP}/crl/root.crl" in text
    assert "Only" not in text
    assert ":X509v3 Issuing Distribution Point" in run(
        "openssl", "asn1parse", "-inform", "DER", "-in", str(der)
    )
    assert "2.5.29.28" in run("certtool", "--crl-info", "--inder", "--infile", str(der))


def test_a_new_key_says_its_own_place(house: House) -> None:
    house.authorities.edit(SYSTEM, "root", FULL)
    house.authorities.renew(SYSTEM, "root", new_key=True)
    for label in ("root", "root.2"):
        scope = crl.decode(house.status.latest_crl(label)).scope
        assert scope == crl.Scope((f"{HTTP}/crl/{label}.crl",))
    assert crl_check(house, house.leaf("root", "a.example.org"), "root").count("OK") == 0
    leaf = house.leaf("root", "a.example.org")
    list_ = house.directory / "list.pem"
    list_.write_text(pem.encode("X509 CRL", house.status.latest_crl("root.2")))
    with house.store.read() as session:
        authority = session.authorities.get("root")
    assert authority is not None
    ca = house.pem("ca.pem", authority.certificate or b"")
    words = ("openssl", "verify", "-crl_check", "-CRLfile", str(list_), "-CAfile", str(ca))
    assert run(*words, str(house.pem("leaf.pem", leaf.der))).endswith("OK\n")


def test_it_is_refused_where_a_profile_points_elsewhere(house: House) -> None:
    profile = ExtensionProfile(name="odd", cdp=("http://other.example.org/x.crl",))
    version = ProfileVersion(profile, 1, documents.sha256(profile), 1, "test")
    ra = RegistrationAuthority("main", ("odd",), ("root",), "officers", 0, anonymous=False)
    house.store.write(lambda s: (s.profiles.add(version), s.registrations.put(ra)))
    with pytest.raises(Conflict, match="points to http://other") as caught:
        house.authorities.edit(SYSTEM, "root", FULL)
    assert caught.value.rule == "crl.pointers"
    urls = ("{http}/crl/{ca}.crl", "http://other.example.org/x.crl")
    changed = house.authorities.edit(
        SYSTEM, "root", AuthorityChange(crl_idp=CrlIdp.FULL, crl_urls=urls)
    )
    assert changed.crl_urls == urls


@pytest.fixture
def office(tmp_path: Path) -> Path:
    directory = tmp_path / "office"
    commands.init_root(
        directory, subject="CN=Far,O=Example", name="far", http=HTTP, crl_idp=CrlIdp.FULL
    )
    return directory


def test_a_ceremony_can_say_it_too(house: House, office: Path) -> None:
    root = (office / "root.cer").read_bytes()
    house.authorities.import_authority(
        SYSTEM, ImportedAuthority("far", "lab", certificate=root, offline=True)
    )
    list_ = house.directory / "far.crl"
    commands.crl(office, out=list_)
    house.status.accept_crl(SYSTEM, "far", list_.read_bytes())
    decoded = crl.decode(house.status.latest_crl("far"))
    assert decoded.scope == crl.Scope((f"{HTTP}/crl/far.crl",))
    assert "Issuing Distribution Point: critical" in run(
        "openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", str(list_)
    )
    commands.crl(office, out=list_, crl_idp=CrlIdp.NONE)
    house.status.accept_crl(SYSTEM, "far", list_.read_bytes())
    assert crl.decode(house.status.latest_crl("far")).scope is None


def test_a_crl_for_another_place_is_not_published(house: House, office: Path) -> None:
    root = (office / "root.cer").read_bytes()
    house.authorities.import_authority(
        SYSTEM, ImportedAuthority("near", "lab", certificate=root, offline=True)
    )
    list_ = house.directory / "far.crl"
    commands.crl(office, out=list_)
    with pytest.raises(BadRequest, match="not at http://pki") as caught:
        house.status.accept_crl(SYSTEM, "near", list_.read_bytes())
    assert caught.value.rule == "crl.scope"
    house.authorities.edit(
        SYSTEM, "near", AuthorityChange(crl_urls=("{http}/crl/far.crl", "{http}/crl/{ca}.crl"))
    )
    house.status.accept_crl(SYSTEM, "near", list_.read_bytes())


def test_a_root_without_a_place_cannot_say_one(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        commands.init_root(tmp_path / "office", subject="CN=R", crl_idp=CrlIdp.FULL)
    assert caught.value.rule == "crl.place"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (AuthorityChange(), "authority.edit"),
        (AuthorityChange(crl_urls=()), "crl.urls"),
        (AuthorityChange(crl_urls=("{http}/a", "{http}/a")), "crl.urls"),
        (AuthorityChange(crl_urls=("javascript:x",)), "crl.urls"),
        (AuthorityChange(crl_every_s=500_000), "crl.schedule"),
    ],
)
def test_choices_that_cannot_be_kept(house: House, change: AuthorityChange, rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        house.authorities.edit(SYSTEM, "root", change)
    assert caught.value.rule == rule


def test_an_offline_authority_chooses_in_its_ceremony(house: House, office: Path) -> None:
    root = (office / "root.cer").read_bytes()
    house.authorities.import_authority(
        SYSTEM, ImportedAuthority("far", "lab", certificate=root, offline=True)
    )
    with pytest.raises(BadRequest) as caught:
        house.authorities.edit(SYSTEM, "far", FULL)
    assert caught.value.rule == "crl.offline"
    assert house.authorities.edit(SYSTEM, "far", AuthorityChange(region="eu")).region == "eu"
