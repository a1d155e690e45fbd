"""What the CA tree promises, checked on the real store and the real signer."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import AuthorityCertificateKind, AuthorityState, SecurityLevel
from chancery.domain.errors import (
    AlreadyExists,
    BadKey,
    BadRequest,
    CAError,
    Conflict,
    NotFound,
    NotPermitted,
    Unavailable,
    WrongState,
)
from chancery.domain.identity import SYSTEM, Group, Role, RoleClass, anonymous
from chancery.domain.profile import DAY_S, NameConstraints
from chancery.services.authority import Extensions, ImportedAuthority, NewAuthority
from chancery.services.chains import chain_of
from chancery.wire import ca_certificate, pem, pkcs7
from services.pki import House, Wavering, away, operator, signer


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, house_url: str | None) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    with signer(directory) as vault:
        house = House(directory, vault, database=house_url)
        house.authorities.create(SYSTEM, new("root", None))
        yield house
        house.close()


def new(name: str, parent: str | None, /, **changes: object) -> NewAuthority:
    wanted = NewAuthority(
        name, "lab", f"CN={name},O=Example", parent=parent, key_algorithm=KeyAlgorithm.EC_P256,
        extensions=Extensions(days=3650 if parent is None else 1000),
    )  # fmt: skip
    return replace(wanted, **changes)  # type: ignore[arg-type]


def openssl(*words: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_new_authority_has_certificate_crl_and_responder_at_once(house: House) -> None:
    made = house.authorities.create(operator(), new("complete", "root"))
    assert made.state is AuthorityState.ACTIVE
    assert made.chain == (house.authorities.show(SYSTEM, "root").certificate,)
    assert made.ocsp_certificate is not None
    assert house.status.latest_crl("complete")
    assert house.status.authority_certificate("complete") == made.certificate


def test_the_certificate_of_a_subordinate_is_on_record_with_its_audit_leaf(house: House) -> None:
    made = house.authorities.create(operator("otto"), new("recorded", "root"))
    serial = ca_certificate.decode(made.certificate or b"").serial
    with house.store.read() as session:
        (record,) = session.certificates.by_serial(serial, "root")
        (leaf,) = session.audit.find(action="certificate.issued", subject_id=f"root/{serial}")
    assert (record.profile, record.requester) == ("authority-subordinate", "otto")
    assert leaf.event.details["approvers"] == ["otto"]
    assert leaf.event.details["sha256"] == record.sha256


def test_what_every_certificate_was_made_from_stays_on_record(house: House) -> None:
    house.authorities.create(SYSTEM, new("pinned-root", None))
    house.authorities.create(SYSTEM, new("pinned", "pinned-root"))
    house.authorities.renew(SYSTEM, "pinned")
    with house.store.read() as session:
        names = set()
        for record in session.certificates.iterate():
            if record.profile == "ocsp-signer":
                continue  # the catalogue's, which this house does not have
            version = session.profiles.version(record.profile_sha256)
            assert version is not None
            assert version.profile.name == record.profile
            names.add(record.profile)
        assert names >= {"authority-root", "authority-subordinate"}
        assert not session.profiles.all()  # and nobody can choose it


@pytest.mark.parametrize(
    ("changes", "kind", "rule"),
    [
        ({"name": "Bad Name"}, CAError, "name.slug"),
        ({"subject": ""}, CAError, "name.empty"),
        ({"parent": "nowhere"}, NotFound, "authority.known"),
        ({"container": "nowhere"}, NotFound, "container.known"),
        ({"external": True}, BadRequest, "authority.issuer"),
        ({"security_level": SecurityLevel.HIGH}, BadRequest, "level.vault"),
        ({"key_algorithm": KeyAlgorithm.RSA_2048}, BadKey, "level.key-size"),
        ({"signature_algorithm": SignatureAlgorithm.ED25519}, BadRequest, "signature.key"),
        ({"crl_every_s": 10}, BadRequest, "crl.schedule"),
        ({"extensions": Extensions(days=9999)}, BadRequest, "validity.within-issuer"),
        ({"extensions": Extensions(days=0)}, BadRequest, "authority.days"),
        ({"extensions": Extensions(days=99_999)}, BadRequest, "authority.days"),
        ({"extensions": Extensions(path_length=-2)}, BadRequest, "authority.path_length"),
        ({"extensions": Extensions(path_length=101)}, BadRequest, "authority.path_length"),
        (
            {"extensions": Extensions(name_constraints=NameConstraints(("dns:-",)))},
            BadRequest,
            "authority.name-constraint",
        ),
    ],
)
def test_refuses(house: House, changes: dict[str, object], kind: type[CAError], rule: str) -> None:
    with pytest.raises(kind) as caught:
        house.authorities.create(SYSTEM, new("refused", "root", **changes))
    assert caught.value.rule == rule
    assert caught.value.field
    assert caught.value.remedy


def test_a_refusal_comes_before_the_key_and_names_the_issuers_end(house: House) -> None:
    journal = sorted((house.directory / "journal").iterdir())
    before = [file.stat().st_size for file in journal]
    for extensions in (Extensions(days=9999), Extensions(path_length=-2)):
        with pytest.raises(BadRequest) as caught:
            house.authorities.create(SYSTEM, new("refused", None, parent="root",
                                                 extensions=extensions))  # fmt: skip
    assert [file.stat().st_size for file in journal] == before
    with pytest.raises(BadRequest) as caught:
        house.authorities.create(SYSTEM, new("refused", "root", extensions=Extensions(9999)))
    root = load_der_x509_certificate(house.authorities.show(SYSTEM, "root").certificate or b"")
    assert f"{root.not_valid_after_utc:%Y-%m-%d %H:%M:%S}" in str(caught.value)
    (most,) = re.findall(r"at most (\d+),", str(caught.value.remedy))
    assert most in {"3649", "3650"}
    longest = new("longest", "root", extensions=Extensions(int(most)))
    assert house.authorities.create(SYSTEM, longest).certificate


def test_without_days_a_subordinate_ends_with_its_issuer_at_the_latest(house: House) -> None:
    house.authorities.create(SYSTEM, new("usual", None, extensions=Extensions()))
    house.authorities.create(SYSTEM, new("usual-below", "usual", extensions=Extensions()))
    house.authorities.create(SYSTEM, new("short", "root", extensions=Extensions(100)))
    house.authorities.create(SYSTEM, new("short-below", "short", extensions=Extensions()))

    def ends(name: str) -> int:
        return ca_certificate.decode(
            house.authorities.show(SYSTEM, name).certificate or b""
        ).not_after

    now = house.clock.s()
    assert ends("usual") == pytest.approx(now + 7300 * DAY_S, abs=120)
    assert ends("usual-below") == pytest.approx(now + 3650 * DAY_S, abs=120)
    assert ends("short-below") == ends("short")
    again = house.authorities.renew(operator(), "short-below")
    assert ca_certificate.decode(again.certificate or b"").not_after == ends("short")
    shorter = house.authorities.renew(operator(), "usual-below", extensions=Extensions(days=30))
    assert ca_certificate.decode(shorter.certificate or b"").path_length is None
    assert ends("usual-below") == pytest.approx(now + 30 * DAY_S, abs=120)


def test_a_name_is_taken_once(house: House) -> None:
    with pytest.raises(AlreadyExists):
        house.authorities.create(SYSTEM, new("root", None))


def test_path_lengths_shrink_downwards(house: House) -> None:
    house.authorities.create(SYSTEM, new("two", "root", extensions=Extensions(900, 1)))
    below = house.authorities.create(SYSTEM, new("one", "two", extensions=Extensions(800)))
    assert ca_certificate.decode(below.certificate or b"").path_length == 0
    with pytest.raises(BadRequest) as caught:
        house.authorities.create(SYSTEM, new("none", "one", extensions=Extensions(700)))
    assert caught.value.rule == "path-length.parent"
    with pytest.raises(BadRequest):
        house.authorities.create(SYSTEM, new("long", "two", extensions=Extensions(700, 1)))


def test_name_constraints_bind(house: House, tmp_path: Path) -> None:
    extensions = Extensions(900, name_constraints=NameConstraints(("dns:example.com",)))
    made = house.authorities.create(SYSTEM, new("bounded", "root", extensions=extensions))
    leaf = house.pem("outside.pem", house.leaf("bounded", "www.example.org").der)
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", house.pem("nc-root.pem", *made.chain), "-untrusted",
         house.pem("nc.pem", made.certificate or b""), leaf],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "permitted subtree violation" in done.stderr


def test_a_container_belongs_to_its_group(house: House) -> None:
    group = Group(
        "keepers", "", frozenset({Role.CA_OPERATOR}), RoleClass.CA_OPERATIONS, frozenset()
    )
    house.store.write(lambda session: session.identities.add_group(group))
    house.authorities.create_container(SYSTEM, "vaulted", "keepers")
    with pytest.raises(NotPermitted) as caught:
        house.authorities.create(operator("olga"), new("kept", None, container="vaulted"))
    assert caught.value.rule == "container.owner"
    made = house.authorities.create(
        operator("karl", "keepers"), new("kept", None, container="vaulted")
    )
    assert made.container == "vaulted"


def test_nobody_in_particular_manages_nothing(house: House) -> None:
    with pytest.raises(CAError):
        house.authorities.create(anonymous("192.0.2.7"), new("sneaky", "root"))
    with pytest.raises(CAError):
        house.authorities.disable(anonymous("192.0.2.7"), "root")


def test_a_disabled_authority_issues_nothing_but_status(house: House) -> None:
    house.authorities.create(SYSTEM, new("asleep", "root"))
    assert house.authorities.disable(operator(), "asleep").state is AuthorityState.DISABLED
    with pytest.raises(WrongState):
        house.authorities.create(SYSTEM, new("orphan", "asleep", extensions=Extensions(10)))
    before = house.status.issue_crl(operator(), "asleep").number
    assert house.status.issue_crl(operator(), "asleep").number == before + 1
    assert house.authorities.enable(operator(), "asleep").state is AuthorityState.ACTIVE
    with pytest.raises(WrongState):
        house.authorities.enable(operator(), "asleep")


def test_renewal_with_the_same_key_keeps_everything_below_valid(
    house: House, tmp_path: Path
) -> None:
    house.authorities.create(SYSTEM, new("evergreen", "root"))
    house.authorities.create(SYSTEM, new("below", "evergreen", extensions=Extensions(100)))
    leaf = house.leaf("below", "www.example.org")
    before = house.authorities.show(SYSTEM, "evergreen")
    after = house.authorities.renew(operator(), "evergreen")
    assert after.certificate != before.certificate
    assert after.key_id == before.key_id
    assert house.authorities.show(SYSTEM, "below").chain[0] == after.certificate
    chain = house.authorities.export("below", "chain")
    (house.directory / "renewed.pem").write_bytes(chain.data)
    root = house.pem("renewed-root.pem", after.chain[0])
    openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted",
            house.directory / "renewed.pem", house.pem("renewed-leaf.pem", leaf.der))  # fmt: skip
    kept = house.authorities.certificates(SYSTEM, "evergreen")
    assert sorted(item.current for item in kept) == [False, True]


def test_a_new_key_gets_a_label_and_the_old_one_goes_on_for_its_certificates(house: House) -> None:
    house.authorities.create(SYSTEM, new("rolling", "root"))
    old = house.authorities.show(SYSTEM, "rolling")
    early = house.leaf("rolling", "early.example.org")
    new_one = house.authorities.renew(
        operator(), "rolling", new_key=True, key_algorithm=KeyAlgorithm.EC_P384
    )
    assert new_one.key_id != old.key_id
    assert new_one.key_algorithm is KeyAlgorithm.EC_P384
    late = house.leaf("rolling", "late.example.org")
    for label, authority, leaf in (("rolling", old, early), ("rolling.2", new_one, late)):
        crl = house.directory / f"{label}.crl.pem"
        crl.write_text(pem.encode("X509 CRL", house.status.latest_crl(label)))
        openssl("verify", "-crl_check", "-CRLfile", crl, "-partial_chain", "-trusted",
                house.pem(f"{label}.ca.pem", authority.certificate or b""),
                house.pem(f"{label}.leaf.pem", leaf.der))  # fmt: skip
    assert b"rolling.2.crl" in late.der
    assert b"rolling.crl" in early.der


def test_a_chain_leads_to_the_key_that_signed(house: House) -> None:
    house.authorities.create(SYSTEM, new("top", None))
    house.authorities.create(SYSTEM, new("turned", "top"))
    old, early = house.authorities.show(SYSTEM, "turned"), house.leaf("turned", "early.example.org")
    turned = house.authorities.renew(operator(), "turned", new_key=True)
    late = house.leaf("turned", "late.example.org")
    top = house.authorities.show(SYSTEM, "top").certificate or b""
    with house.store.read() as session:
        chains = {leaf.der: chain_of(session, "turned", leaf.der) for leaf in (early, late)}
        assert chain_of(session, "top", top) == ()
    assert [link.authority for link in chains[early.der]] == ["turned", "top"]
    assert [link.der for link in chains[early.der]] == [old.certificate, top]
    assert [link.der for link in chains[late.der]] == [turned.certificate, top]
    for leaf in (early, late):
        names = [house.pem(f"c{n}.pem", one.der) for n, one in enumerate(chains[leaf.der])]
        openssl("verify", "-CAfile", names[-1], "-untrusted", names[0],
                house.pem("c-leaf.pem", leaf.der))  # fmt: skip


def test_a_root_takes_a_new_key_too(house: House) -> None:
    house.authorities.create(SYSTEM, new("old-root", None))
    renewed = house.authorities.renew(operator(), "old-root", new_key=True)
    certificate = ca_certificate.decode(renewed.certificate or b"")
    assert certificate.signed_by(certificate)
    assert renewed.chain == ()


def test_cross_signing_a_sibling_joins_two_trees(house: House) -> None:
    house.authorities.create(SYSTEM, new("island", None))
    house.authorities.create(SYSTEM, new("village", "island"))
    leaf = house.leaf("village", "www.example.org")
    record = house.authorities.cross_sign(operator(), "root", b"island", Extensions(500))
    assert record is not None
    root = house.authorities.show(SYSTEM, "root").certificate or b""
    village = house.authorities.show(SYSTEM, "village").certificate or b""
    openssl("verify", "-x509_strict", "-CAfile", house.pem("x-root.pem", root), "-untrusted",
            house.pem("x-chain.pem", village, record.der), house.pem("x-leaf.pem", leaf.der))  # fmt: skip
    kinds = {c.kind for c in house.authorities.certificates(SYSTEM, "island")}
    assert kinds == {AuthorityCertificateKind.SELF_SIGNED, AuthorityCertificateKind.CROSS}
    # A cross-certificate never becomes the current one.
    assert house.authorities.show(SYSTEM, "island").chain == ()


def foreign_ca(directory: Path, name: str) -> tuple[Path, Path]:
    """A CA that OpenSSL made: key and certificate."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
    openssl("req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "3000", "-subj",
            f"/O=Elsewhere/CN={name}", "-keyout", key, "-out", certificate,
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    return key, certificate


def test_cross_signing_a_foreign_ca(house: House, tmp_path: Path) -> None:
    _, certificate = foreign_ca(tmp_path, "partner")
    record = house.authorities.cross_sign(operator(), "root", certificate.read_bytes())
    assert record is not None
    assert record.subject == "CN=partner,O=Elsewhere"
    with pytest.raises(BadRequest):
        house.authorities.cross_sign(operator(), "root", house.leaf("root", "no.ca").der)


def test_a_key_keeps_its_identifier(house: House, tmp_path: Path) -> None:
    """RFC 5280 §4.2.1.2: certificates below a foreign CA name its key as its own certificate does."""
    key, certificate = foreign_ca(tmp_path, "sha1-named")
    crossed = house.authorities.cross_sign(operator(), "root", certificate.read_bytes())
    assert crossed is not None
    imported = ImportedAuthority(
        "sha1-named", "lab", certificate=certificate.read_bytes(), key=key.read_bytes()
    )
    before = house.authorities.import_authority(operator(), imported)
    leaf = house.pem("sha1-leaf.pem", house.leaf("sha1-named", "www.example.org").der)
    root = house.authorities.show(SYSTEM, "root").certificate or b""
    openssl("verify", "-x509_strict", "-CAfile", house.pem("sha1-root.pem", root), "-untrusted",
            house.pem("sha1-cross.pem", crossed.der), leaf)  # fmt: skip
    after = house.authorities.renew(operator(), "sha1-named")
    assert after.certificate != before.certificate
    openssl("verify", "-x509_strict", "-CAfile",
            house.pem("sha1-renewed.pem", after.certificate or b""), leaf)  # fmt: skip
    fresh = house.authorities.renew(operator(), "sha1-named", new_key=True)
    identifiers = {
        ca_certificate.decode(one.certificate or b"").key_identifier
        for one in (before, after, fresh)
    }
    assert len(identifiers) == 2


@pytest.mark.parametrize(
    ("asks", "rule"),
    [
        ("subjectAltName=DNS:a.example.org", "csr.ca"),
        ("basicConstraints=critical,CA:FALSE", "csr.ca"),
        ("basicConstraints=critical,CA:TRUE,pathlen:3", None),
    ],
)
def test_only_a_csr_that_asks_for_a_ca_makes_one(
    house: House, tmp_path: Path, asks: str, rule: str | None
) -> None:
    csr = tmp_path / "csr"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=asks", "-keyout", tmp_path / "key", "-out", csr, "-addext", asks)  # fmt: skip
    if rule is None:
        record = house.authorities.cross_sign(operator(), "root", csr.read_bytes())
        assert record is not None
        assert ca_certificate.decode(record.der).path_length == 0
        return
    with pytest.raises(BadRequest) as caught:
        house.authorities.cross_sign(operator(), "root", csr.read_bytes())
    assert caught.value.rule == rule


def test_import_with_pkcs8_and_with_pkcs12(house: House, tmp_path: Path) -> None:
    key, certificate = foreign_ca(tmp_path, "moved")
    moved = house.authorities.import_authority(
        operator(),
        ImportedAuthority(
            "moved", "lab", certificate=certificate.read_bytes(), key=key.read_bytes()
        ),
    )
    assert moved.state is AuthorityState.ACTIVE
    openssl("verify", "-CAfile", certificate,
            house.pem("moved.pem", house.leaf("moved", "www.example.org").der))  # fmt: skip
    key, certificate = foreign_ca(tmp_path, "bagged")
    private = load_pem_private_key(key.read_bytes(), None)
    bag = pkcs12.serialize_key_and_certificates(
        b"x", private, load_pem_x509_certificate(certificate.read_bytes()), None,  # type: ignore[arg-type]
        BestAvailableEncryption(b"secret phrase"),
    )  # fmt: skip
    wanted = ImportedAuthority("bagged", "lab", pkcs12=bag, passphrase="wrong")
    with pytest.raises(BadRequest) as caught:
        house.authorities.import_authority(operator(), wanted)
    assert caught.value.rule == "import.unreadable"
    house.authorities.import_authority(operator(), replace(wanted, passphrase="secret phrase"))
    assert house.leaf("bagged", "www.example.org")


def test_one_key_is_one_authority(house: House, tmp_path: Path) -> None:
    key, certificate = foreign_ca(tmp_path, "twice")
    wanted = ImportedAuthority(
        "twice", "lab", certificate=certificate.read_bytes(), key=key.read_bytes()
    )
    house.authorities.import_authority(operator(), wanted)
    offline = replace(wanted, key=None, offline=True)
    for again in (replace(wanted, name="twice-2"), replace(offline, name="twice-3")):
        with pytest.raises(AlreadyExists) as caught:
            house.authorities.import_authority(operator(), again)
        assert caught.value.rule == "authority.key-taken"
        assert "exists: twice" in str(caught.value)


def test_import_says_what_it_makes_of_a_key(house: House, tmp_path: Path) -> None:
    key, certificate = foreign_ca(tmp_path, "sealed")
    locked = tmp_path / "locked.key"
    openssl("pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:long secret")
    wanted = ImportedAuthority("sealed", "lab", certificate=certificate.read_bytes())
    cases = [
        (replace(wanted, key=key.read_bytes(), offline=True), "import.offline-key"),
        (wanted, "import.key-missing"),
        (replace(wanted, key=locked.read_bytes()), "import.encrypted"),
        (replace(wanted, key=key.read_bytes(), passphrase="x"), "import.passphrase"),
        (replace(wanted, key=locked.read_bytes(), passphrase="wrong"), "import.unreadable"),
    ]
    for case, rule in cases:
        with pytest.raises(BadRequest) as caught:
            house.authorities.import_authority(operator(), case)
        assert caught.value.rule == rule
        assert caught.value.remedy
    good = replace(wanted, key=locked.read_bytes(), passphrase="long secret")
    assert house.authorities.import_authority(operator(), good).key_id


def test_an_authority_finds_the_one_above_it_later(house: House, tmp_path: Path) -> None:
    key, certificate = foreign_ca(tmp_path, "late-root")
    house.authorities.create(operator(), new("early", None, external=True))
    csr, out = tmp_path / "early.csr", tmp_path / "early.crt"
    csr.write_text(pem.encode("CERTIFICATE REQUEST", house.authorities.csr(operator(), "early")))
    openssl("x509", "-req", "-in", csr, "-CA", certificate, "-CAkey", key, "-days", "1000",
            "-copy_extensions", "copyall", "-out", out)  # fmt: skip
    house.authorities.upload_certificate(
        operator(), "early", out.read_bytes(), certificate.read_bytes()
    )
    assert house.authorities.show(SYSTEM, "early").parent is None
    house.authorities.import_authority(
        operator(),
        ImportedAuthority("late-root", "lab", certificate=certificate.read_bytes(), offline=True),
    )
    assert house.authorities.show(SYSTEM, "early").parent == "late-root"
    # It is still the other CA that renews it: its parent never signs here.
    assert house.authorities.renew(operator(), "early").csr


def test_import_refuses_a_key_that_does_not_belong(house: House, tmp_path: Path) -> None:
    key, _ = foreign_ca(tmp_path, "one")
    _, certificate = foreign_ca(tmp_path, "other")
    with pytest.raises(BadKey):
        house.authorities.import_authority(
            operator(),
            ImportedAuthority(
                "mixed", "lab", certificate=certificate.read_bytes(), key=key.read_bytes()
            ),
        )


def test_an_external_ca_signs_our_csr_and_renews_it(house: House, tmp_path: Path) -> None:
    key, certificate = foreign_ca(tmp_path, "outside")
    waiting = house.authorities.create(operator(), new("hosted", None, external=True))
    assert waiting.state is AuthorityState.AWAITING_CERTIFICATE

    def sign(name: str) -> bytes:
        csr, out = tmp_path / f"{name}.csr", tmp_path / f"{name}.crt"
        csr.write_text(
            pem.encode("CERTIFICATE REQUEST", house.authorities.csr(operator(), "hosted"))
        )
        openssl("x509", "-req", "-in", csr, "-CA", certificate, "-CAkey", key, "-days", "1000",
                "-copy_extensions", "copyall", "-out", out)  # fmt: skip
        return out.read_bytes()

    first = sign("first")
    with pytest.raises(BadRequest) as caught:
        house.authorities.upload_certificate(operator(), "hosted", first)
    assert caught.value.rule == "chain.missing"
    other = house.authorities.export("root", "pem").data
    with pytest.raises(BadRequest):
        house.authorities.upload_certificate(operator(), "hosted", other)
    active = house.authorities.upload_certificate(
        operator(), "hosted", first, certificate.read_bytes()
    )
    assert active.state is AuthorityState.ACTIVE
    assert active.csr is None
    house.leaf("hosted", "www.example.org")

    house.authorities.renew(operator(), "hosted", new_key=True)
    assert house.authorities.show(SYSTEM, "hosted").key_id == active.key_id
    again = house.authorities.upload_certificate(
        operator(), "hosted", sign("second"), certificate.read_bytes()
    )
    assert again.key_id != active.key_id
    assert house.status.latest_crl("hosted.2")


def test_an_offline_authority_never_signs_here(house: House, tmp_path: Path) -> None:
    _, certificate = foreign_ca(tmp_path, "far-away")
    wanted = ImportedAuthority(
        "far-away", "lab", certificate=certificate.read_bytes(), offline=True
    )
    assert house.authorities.import_authority(operator(), wanted).offline
    with pytest.raises(Conflict) as caught:
        house.authorities.create(SYSTEM, new("child", "far-away", extensions=Extensions(10)))
    assert caught.value.rule == "authority.offline"
    with pytest.raises(Conflict):
        house.status.issue_crl(operator(), "far-away")
    with pytest.raises(WrongState):
        house.authorities.renew(operator(), "far-away")


def test_only_what_never_had_a_certificate_is_removed(house: House) -> None:
    house.authorities.create(operator(), new("mistaken", None, external=True))
    house.authorities.remove(operator(), "mistaken")
    with pytest.raises(NotFound):
        house.authorities.show(SYSTEM, "mistaken")
    house.authorities.create(operator(), new("mistaken", "root"))
    with pytest.raises(WrongState) as caught:
        house.authorities.remove(operator(), "mistaken")
    assert caught.value.rule == "authority.certified"


def test_exports(house: House) -> None:
    house.authorities.create(SYSTEM, new("shown", "root"))
    made = house.authorities.show(SYSTEM, "shown")
    assert house.authorities.export("shown", "der").data == made.certificate
    assert house.authorities.export("shown", "pem").data.count(b"BEGIN CERT") == 1
    assert house.authorities.export("shown", "chain").data.count(b"BEGIN CERT") == 2
    p7 = pkcs7.certificates(house.authorities.export("shown", "p7").data)
    assert set(p7) == {made.certificate, *made.chain}
    with pytest.raises(BadRequest):
        house.authorities.export("shown", "docx")


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[House]:
    """A house that claims to have an HSM, so that level high is possible."""
    with signer(tmp_path) as vault:
        house = House(tmp_path, vault, vault_kind="pkcs11")
        yield house
        house.close()


def test_level_high_wants_two_people_and_the_very_content(strict: House) -> None:
    wanted = new("guarded", None, security_level=SecurityLevel.HIGH,
                 key_algorithm=KeyAlgorithm.EC_P384)  # fmt: skip
    made = strict.authorities.create(operator("olga"), wanted)
    assert made.state is AuthorityState.AWAITING_CERTIFICATE
    (pending,) = strict.authorities.pending(operator())
    assert (pending.approvers, pending.approvals_needed) == (("olga",), 2)
    with pytest.raises(Conflict):
        strict.authorities.approve(operator("olga"), pending.id, pending.tbs_sha256)
    for halves in (("otto", "olga"), ("olga", "otto")):  # nor as half of two
        together = replace(operator(halves[0]), partner=halves[1])
        with pytest.raises(Conflict) as caught:
            strict.authorities.approve(together, pending.id, pending.tbs_sha256)
        assert caught.value.rule == "approval.distinct"
    with pytest.raises(Conflict):
        strict.authorities.approve(operator("otto"), pending.id, "00" * 32)
    record = strict.authorities.approve(operator("otto"), pending.id, pending.tbs_sha256)
    assert record is not None
    assert strict.authorities.show(SYSTEM, "guarded").state is AuthorityState.ACTIVE
    assert not strict.authorities.pending(operator())
    assert strict.status.latest_crl("guarded")


def test_a_rejected_certificate_is_given_up(strict: House) -> None:
    wanted = new("doubted", None, security_level=SecurityLevel.HIGH,
                 key_algorithm=KeyAlgorithm.EC_P384)  # fmt: skip
    strict.authorities.create(operator("olga"), wanted)
    (pending,) = strict.authorities.pending(operator())
    with pytest.raises(WrongState) as caught:
        strict.authorities.remove(operator("otto"), "doubted")
    assert caught.value.rule == "authority.pending"
    strict.authorities.reject(operator("otto"), pending.id, "wrong name")
    with pytest.raises(NotFound):
        strict.authorities.show(SYSTEM, "doubted")
    assert not strict.authorities.pending(operator())
    with pytest.raises(NotFound):
        strict.authorities.approve(operator("otto"), pending.id, pending.tbs_sha256)


class PowerCut(Exception):
    """The process ends here."""


@pytest.mark.parametrize(("step", "when"), [("sign_ca_certificate", "after"), ("bind", "before")])
def test_a_crash_in_the_middle_is_made_good_at_the_next_start(
    tmp_path: Path, step: str, when: str
) -> None:
    """Signed and not recorded, or recorded and not bound: nothing signed is ever lost."""
    with signer(tmp_path) as client:
        vault = Wavering(client)
        house = House(tmp_path, vault)

        def cut() -> None:
            raise PowerCut

        getattr(vault, when)[step] = cut
        with pytest.raises(PowerCut):
            house.authorities.create(SYSTEM, new("root", None))
        house.authorities.recover()
        assert house.authorities.show(SYSTEM, "root").state is AuthorityState.ACTIVE
        house.status.run_due()
        assert house.status.latest_crl("root")
        assert house.status.authority_certificate("root")
        assert house.leaf("root", "www.example.org")
        house.close()


def test_what_was_approved_and_not_signed_is_signed_at_the_next_start(tmp_path: Path) -> None:
    with signer(tmp_path) as client:
        vault = Wavering(client)
        house = House(tmp_path, vault)
        vault.before["sign_ca_certificate"] = away
        with pytest.raises(Unavailable):
            house.authorities.create(operator("olga"), new("root", None))
        assert [p.authority for p in house.authorities.pending(operator())] == ["root"]
        assert house.authorities.recover() == 1
        assert house.authorities.show(SYSTEM, "root").state is AuthorityState.ACTIVE

        vault.before["sign_ca_certificate"] = away
        with pytest.raises(Unavailable):
            house.authorities.create(operator("olga"), new("again", "root"))
        (pending,) = house.authorities.pending(operator())
        assert house.authorities.approve(operator("olga"), pending.id, pending.tbs_sha256)
        house.close()


def test_a_responder_that_a_crash_left_signed_is_recorded(tmp_path: Path) -> None:
    with signer(tmp_path) as client:
        vault = Wavering(client)
        house = House(tmp_path, vault)

        def cut() -> None:
            raise PowerCut

        vault.after["sign_certificates"] = cut
        with pytest.raises(PowerCut):
            house.authorities.create(SYSTEM, new("root", None))
        house.authorities.recover()
        with house.store.read() as session:
            assert session.certificates.intents() == []
        assert house.authorities.show(SYSTEM, "root").ocsp_certificate
        house.close()


def test_a_new_key_takes_over_on_its_day_and_can_be_called_off_before(house: House) -> None:
    house.authorities.create(SYSTEM, new("planned", "root"))
    old, day = house.authorities.show(SYSTEM, "planned"), house.clock.s() + 7200
    for words in ({"takes_over": day}, {"takes_over": 1, "new_key": True}):
        with pytest.raises(BadRequest) as caught:
            house.authorities.renew(SYSTEM, "planned", **words)  # type: ignore[arg-type]
        assert caught.value.rule == "takeover.day"
    house.authorities.renew(operator(), "planned", new_key=True, takes_over=day)
    assert house.authorities.coming(SYSTEM, "planned")
    assert house.authorities.cancel_takeover(operator(), "planned") == old
    assert house.authorities.coming(SYSTEM, "planned") is None
    house.authorities.renew(operator(), "planned", new_key=True, takes_over=day)
    coming = house.authorities.coming(SYSTEM, "planned")
    assert coming is not None
    assert coming.not_before == day
    with pytest.raises(WrongState) as early:
        house.authorities.renew(operator(), "planned")
    assert early.value.rule == "authority.coming"
    assert house.authorities.take_over_due() == 0
    assert house.authorities.show(SYSTEM, "planned").key_id == old.key_id
    house.leaf("planned", "before.example.org")
    house.clock.ahead_s += 7201
    try:
        assert house.authorities.take_over_due() == 1
        assert house.authorities.take_over_due() == 0
        after = house.authorities.show(SYSTEM, "planned")
        assert (after.certificate, after.key_id) == (coming.der, coming.key_id)
        assert after.chain == old.chain
        assert house.authorities.coming(SYSTEM, "planned") is None
        assert house.status.authority_certificate("planned.2") == coming.der
        assert house.status.latest_crl("planned.2")
    finally:
        house.clock.ahead_s -= 7201


def test_a_root_that_takes_over_lasts_from_its_day(house: House) -> None:
    house.authorities.create(SYSTEM, new("planned-root", None))
    day = house.clock.s() + 90 * DAY_S
    house.authorities.renew(SYSTEM, "planned-root", new_key=True, takes_over=day)
    coming = house.authorities.coming(SYSTEM, "planned-root")
    assert coming is not None
    assert coming.not_after - coming.not_before > 3649 * DAY_S
