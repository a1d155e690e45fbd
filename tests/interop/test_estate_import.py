"""An estate taken over: from a real ``openssl ca``, from files, from lists."""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    load_pem_private_key,
    pkcs12,
)

from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.estate import EstateImport, EstateRow, ImportChoices, ImportState, Outcome
from chancery.domain.identity import SYSTEM, Group, RoleClass, anonymous
from chancery.ports import CertificateFilter, Page
from chancery.services.authority import ImportedAuthority, NewAuthority
from chancery.services.estate import EstateService, ImportFile
from chancery.wire import crl, pem, pkcs7
from services.openssl_ca import OpensslCa
from services.pki import House, operator, signer

pytestmark = pytest.mark.interop


class Estate:
    """The service with short ways to it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.service = EstateService(house.store, house.clock, secrets.token_bytes)

    def preview(self, *files: tuple[str, bytes], **choices: object) -> EstateImport:
        passphrase = choices.pop("passphrase", None)
        assert passphrase is None or isinstance(passphrase, str)
        sent = [ImportFile(name, data) for name, data in files]
        wanted = ImportChoices(**choices)  # type: ignore[arg-type]
        return self.service.preview(operator(), sent, wanted, passphrase)

    def rows(self, one: EstateImport, outcome: Outcome | None = None) -> list[EstateRow]:
        return self.service.rows(operator(), one.id, outcome, limit=1000)

    def commit(self, one: EstateImport, limit: int = 250) -> EstateImport:
        while one.state is not ImportState.DONE:
            one = self.service.step(operator(), one.id, limit)
        return one

    def whole(self, *files: tuple[str, bytes], **choices: object) -> dict[str, int]:
        done = self.commit(self.preview(*files, **choices))
        return {outcome.value: count for outcome, count in done.counts.items()}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with signer(tmp_path) as client:
        made = House(tmp_path, client)
        yield made
        made.close()


@pytest.fixture
def estate(house: House) -> Estate:
    return Estate(house)


@pytest.fixture
def old(tmp_path: Path) -> OpensslCa:
    """Four certificates: one stands, one is revoked, one held, one of a name with an umlaut."""
    ca = OpensslCa.create(tmp_path / "old")
    ca.issue("www.example.org")
    ca.revoke(ca.issue("gone.example.org"), "-crl_reason", "keyCompromise")
    ca.revoke(ca.issue("held.example.org"), "-crl_reason", "certificateHold")
    ca.issue("uml.example.org", organisation="Zoë/Söhne")
    return ca


def adopt(house: House, old: OpensslCa) -> None:
    """Take the CA over with its key."""
    new = ImportedAuthority("old", "lab", certificate=old.certificate, key=old.key)
    house.authorities.import_authority(SYSTEM, new)


def files_of(old: OpensslCa) -> list[tuple[str, bytes]]:
    return [("index.txt", old.index), *sorted(old.issued().items())]


def test_a_ca_with_its_history(house: House, estate: Estate, old: OpensslCa) -> None:
    """What OpenSSL revoked is on our CRL, with its dates, and OpenSSL believes it."""
    adopt(house, old)
    preview = estate.preview(*files_of(old))
    assert preview.state is ImportState.PREVIEW
    assert preview.counts == {Outcome.NEW: 4}
    rows = {row.serial: row for row in estate.rows(preview)}
    assert {row.authority for row in rows.values()} == {"old"}
    assert rows["1001"].status == "revoked"
    assert rows["1000"].note == "certificate: 1000.pem"
    assert rows["1003"].subject == "CN=uml.example.org,O=Zoë/Söhne"
    with house.store.read() as session:
        assert not session.certificates.find(CertificateFilter(profile="imported"), Page())
    done = estate.commit(preview, limit=3)
    assert done.counts == {Outcome.IMPORTED: 4}

    with house.store.read() as session:
        found = {
            c.serial: c
            for c in session.certificates.find(CertificateFilter(profile="imported"), Page())
        }
        assert session.certificates.keys_blocked([found["1001"].key_sha256])
        leaves = session.audit.find(action="certificate.imported")
    assert {c.status for c in found.values()} == set(CertificateStatus) & {
        *map(CertificateStatus, ("valid", "held", "revoked"))
    }
    assert len(leaves) == 4
    assert found["1001"].reason is RevocationReason.keyCompromise
    assert found["1000"].names[0].text == "dns:www.example.org"
    theirs = x509.load_pem_x509_crl(old.run("ca", "-gencrl").encode())
    assert [record.authority for record in house.status.run_due()] == ["old"]
    ours = x509.load_der_x509_crl(house.status.latest_crl("old"))
    assert {(e.serial_number, e.revocation_date_utc) for e in ours} == {
        (e.serial_number, e.revocation_date_utc) for e in theirs
    }
    (house.directory / "list.pem").write_text(
        pem.encode("X509 CRL", house.status.latest_crl("old"))
    )
    for serial, wanted in (("1000", "OK"), ("1001", "certificate revoked")):
        done_ = subprocess.run(
            ["openssl", "verify", "-crl_check", "-CRLfile", house.directory / "list.pem", "-CAfile",
             old.directory / "ca.pem", old.directory / "newcerts" / f"{serial}.pem"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert wanted in done_.stdout + done_.stderr


def test_again_and_again(house: House, estate: Estate, old: OpensslCa) -> None:
    """The same files change nothing; what happened since is taken in."""
    adopt(house, old)
    assert estate.whole(*files_of(old)) == {"imported": 4}
    assert estate.whole(*files_of(old)) == {"known": 4}
    old.revoke("1000", "-crl_reason", "superseded")
    fresh = old.issue("new.example.org")
    preview = estate.preview(*files_of(old))
    assert preview.counts == {Outcome.NEW: 1, Outcome.UPDATE: 1, Outcome.KNOWN: 3}
    assert estate.commit(preview).counts[Outcome.UPDATED] == 1
    with house.store.read() as session:
        (changed,) = session.certificates.by_serial("1000", "old")
        assert session.certificates.by_serial(fresh, "old")
    assert changed.reason is RevocationReason.superseded
    house.status.run_due()
    assert crl.decode(house.status.latest_crl("old")).entries == 3


def test_an_index_without_certificates(house: House, estate: Estate, old: OpensslCa) -> None:
    """Of our own CA only what is revoked: nobody vouches for what nobody has seen."""
    adopt(house, old)
    alone = ("index.txt", old.index)
    unnamed = estate.preview(alone)
    assert {row.rule for row in estate.rows(unnamed)} == {"import.issuer"}
    named = estate.preview(alone, authority="old")
    assert named.counts == {Outcome.NEW: 2, Outcome.PROBLEM: 2}
    (first, *_) = estate.rows(named, Outcome.PROBLEM)
    assert (first.line, first.rule) == (1, "import.entry-alone")
    estate.commit(named)
    house.status.run_due()
    assert crl.decode(house.status.latest_crl("old")).entries == 2
    with pytest.raises(NotFound):
        estate.preview(alone, authority="none")


def test_of_another_ca_entries_will_do(house: House, estate: Estate, old: OpensslCa) -> None:
    external = ImportedAuthority("old", "lab", certificate=old.certificate, offline=True)
    house.authorities.import_authority(SYSTEM, external)
    assert estate.whole(("index.txt", old.index), authority="old") == {"imported": 4}
    with house.store.read() as session:
        found = session.certificates.find(CertificateFilter(authority="old"), Page())
    assert [c.der for c in found] == [b""] * 4
    assert {c.subject for c in found} >= {"CN=uml.example.org,O=Zoë/Söhne"}
    assert house.status.run_due() == []
    # Its certificates come later: the entries stand for them.
    assert estate.whole(*sorted(old.issued().items()))["known"] == 4


def test_strangers_are_kept_apart(
    house: House, estate: Estate, old: OpensslCa, tmp_path: Path
) -> None:
    other = OpensslCa.create(tmp_path / "other", "/O=Old/CN=Other CA")
    other.issue("www.example.org")
    bundle = b"".join([*old.issued().values(), *other.issued().values(), old.certificate])
    preview = estate.preview(("all.pem", bundle))
    assert preview.counts == {Outcome.NEW: 6}
    rows = estate.rows(preview)
    assert len({row.authority for row in rows}) == 2
    assert all(row.authority.startswith("foreign:") for row in rows)
    assert [row.line for row in rows][:2] == [1, rows[1].line]
    assert rows[1].line > 5
    estate.commit(preview)
    with house.store.read() as session:
        first = rows[0]
        where = CertificateFilter(authority=first.authority)
        assert {c.authority for c in session.certificates.find(where, Page())} == {first.authority}
        soon = session.certificates.expiring(house.clock.s(), house.clock.s() + 400 * 86_400, 100)
        assert session.crls.due(house.clock.s() + 10**9) == []
    assert len(soon) == 5  # all but the CA's own, of ten years


def test_every_container(house: House, estate: Estate, old: OpensslCa) -> None:
    (first, second, *_) = (
        x509.load_pem_x509_certificate(one) for _, one in sorted(old.issued().items())
    )
    third, fourth = (
        x509.load_pem_x509_certificate(one) for _, one in sorted(old.issued().items())[2:]
    )
    key = load_pem_private_key((old.directory / "1000.key").read_bytes(), None)
    p12 = pkcs12.serialize_key_and_certificates(
        b"x",
        key,
        first,
        [second],
        BestAvailableEncryption(b"secret"),  # type: ignore[arg-type]
    )
    p7 = pkcs7.certs_only([third.public_bytes(Encoding.DER)])
    files = [
        ("a.p12", p12),
        ("b.p7b", p7),
        ("c.p7b.pem", pem.encode("PKCS7", p7).encode()),
        ("d.cer", fourth.public_bytes(Encoding.DER)),
    ]
    assert estate.preview(*files, passphrase="secret").counts == {Outcome.NEW: 4, Outcome.KNOWN: 1}
    (wrong,) = estate.rows(estate.preview(files[0], passphrase="wrong"))
    assert wrong.rule == "bundle.pkcs12"


LIST = """\
Serial No.;Common Name;Expires;State;Revoked;Why
01:AB;www.example.org;2031-05-01;active;;
02;a"b.example.org;01.06.2031;revoked;2026-01-02 03:04:05;key_compromise
03;c.example.org;tomorrow;active;;
xyz;d.example.org;2031-05-01;active;;
04;e.example.org;2031-05-01;lost;;
05;f.example.org;2031-05-01;revoked;;because
06;g.example.org;2031-05-01
"""
COLUMNS = {"serial": "Serial No.", "not_after": "Expires", "revoked_at": "Revoked", "reason": "Why"}


def test_a_list_from_a_spreadsheet(house: House, estate: Estate, old: OpensslCa) -> None:
    external = ImportedAuthority("old", "lab", certificate=old.certificate, offline=True)
    house.authorities.import_authority(SYSTEM, external)
    preview = estate.preview(
        ("list.csv", b"\xef\xbb\xbf" + LIST.encode()), authority="old", columns=COLUMNS
    )
    rows = estate.rows(preview)
    assert [row.line for row in rows] == [2, 3, 4, 5, 6, 7, 8]
    assert [row.rule for row in rows] == [
        None, None, "csv.date", "csv.serial", "csv.status", "csv.reason", None,
    ]  # fmt: skip
    assert [row.serial for row in rows[:2]] == ["1ab", "2"]
    assert rows[1].subject == 'CN=a\\"b.example.org'
    assert (rows[1].reason, rows[1].revoked_at) == (1, 1767323045)
    assert preview.counts == {Outcome.NEW: 3, Outcome.PROBLEM: 4}
    assert estate.commit(preview).counts[Outcome.IMPORTED] == 3


def test_a_list_that_holds_certificates(estate: Estate, old: OpensslCa) -> None:
    (_, one), (_, two), *_ = sorted(old.issued().items())
    text = f'status,pem\nrevoked,"{one.decode()}"\nvalid,"{two.decode()}"\n'
    preview = estate.preview(("list.csv", text.encode()))
    rows = estate.rows(preview)
    assert [row.status for row in rows] == ["revoked", "valid"]
    assert rows[1].line == 2 + one.count(b"\n") + 1
    assert preview.counts == {Outcome.NEW: 2}


@pytest.mark.parametrize(
    ("text", "columns", "rule"),
    [
        ("a,b\n1,2\n", {}, "csv.columns"),
        ("serial,expires\n1,2\n", {"serial": "Nope"}, "csv.column"),
        ("serial,expires\n1,2\n", {"nope": "serial"}, "csv.column"),
    ],
)
def test_a_list_that_says_nothing(
    estate: Estate, text: str, columns: dict[str, str], rule: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        estate.preview(("list.csv", text.encode()), columns=columns)
    assert caught.value.rule == rule


def test_what_is_no_certificate_has_its_line(estate: Estate, old: OpensslCa) -> None:
    key = (old.directory / "1000.key").read_bytes()
    good = old.issued()["1000.pem"]
    broken = good.replace(b"M", b"\xff", 3)
    preview = estate.preview(
        ("mixed.pem", b"text\n" + key + good + broken), ("x.der", b"\x30\x03\x02\x01\x01")
    )
    rows = estate.rows(preview)
    assert [row.rule for row in rows] == [
        "bundle.private-key", None, "bundle.base64", "bundle.pkcs12",
    ]  # fmt: skip
    assert rows[0].line == 2
    assert rows[1].line == 2 + key.count(b"\n")


def test_a_certificate_that_only_claims_our_ca(
    house: House, estate: Estate, tmp_path: Path
) -> None:
    house.authorities.create(SYSTEM, NewAuthority("root", "lab", "CN=Real Root"))
    fake = OpensslCa.create(tmp_path / "fake", "/CN=Real Root")
    fake.issue("www.example.org")
    (row,) = estate.rows(estate.preview(*fake.issued().items()))
    assert (row.outcome, row.rule) == (Outcome.PROBLEM, "import.signature")


def test_what_was_issued_here_is_left_alone(house: House, estate: Estate) -> None:
    house.authorities.create(SYSTEM, NewAuthority("root", "lab", "CN=Root"))
    leaf = house.leaf("root", "www.example.org")
    with house.store.read() as session:
        root = session.authorities.get("root")
    assert root is not None
    own = pem.encode("CERTIFICATE", root.certificate or b"") + pem.encode("CERTIFICATE", leaf.der)
    rows = estate.rows(estate.preview(("a.pem", own.encode())))
    assert [row.outcome for row in rows] == [Outcome.KNOWN] * 2
    listed = f"serial,expires,issuer,status\n{leaf.serial},2031-01-01,CN=Root,revoked\n"
    (row,) = estate.rows(estate.preview(("l.csv", listed.encode())))
    assert (row.outcome, row.note) == (Outcome.KNOWN, "on record as valid, in the file as revoked")


def test_who_may_not(house: House, estate: Estate, old: OpensslCa) -> None:
    files = [ImportFile("a.pem", old.certificate)]
    with pytest.raises(Exception, match="signed-in"):
        estate.service.preview(anonymous("192.0.2.1"), files, ImportChoices())
    group = Group("owners", "", frozenset(), RoleClass.CA_OPERATIONS, frozenset())
    house.store.write(lambda session: session.identities.add_group(group))
    house.authorities.create_container(SYSTEM, "closed", "owners")
    new = ImportedAuthority("old", "closed", certificate=old.certificate, key=old.key)
    house.authorities.import_authority(SYSTEM, new)
    rows = estate.rows(estate.preview(*files_of(old)))
    assert {row.rule for row in rows} == {"container.owner"}
    allowed = [ImportFile(name, data) for name, data in files_of(old)]
    member = operator("olga", "owners")
    assert estate.service.preview(member, allowed, ImportChoices()).counts == {Outcome.NEW: 4}


def test_previews_are_forgotten(house: House, estate: Estate, old: OpensslCa) -> None:
    first = estate.preview(("a.pem", old.certificate))
    house.clock.ahead_s += 90_000
    second = estate.preview(("a.pem", old.certificate))
    assert [one.id for one in estate.service.find(operator())] == [second.id]
    with pytest.raises(NotFound):
        estate.service.show(operator(), first.id)
    estate.service.discard(operator(), second.id)
    assert estate.service.find(operator()) == []
