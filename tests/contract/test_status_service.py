"""What certificate status promises, checked on the real store, signer and published files."""

import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from chancery.adapters.storage import open_store
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.certificate import CertificateRecord, RevocationReason, RevokedEntry
from chancery.domain.errors import BadRequest, CAError, Conflict, NotFound, Unavailable
from chancery.domain.identity import SYSTEM, anonymous
from chancery.domain.profile import DAY_S
from chancery.ports import Store
from chancery.protocols.crl import FileHandler
from chancery.protocols.ocsp import OcspHandler
from chancery.services.authority import Extensions, ImportedAuthority, NewAuthority
from chancery.services.issuers import ca_keys
from chancery.services.status import StatusService
from chancery.signer.client import SignerClient
from chancery.wire import crl
from services.pki import HTTP, House, Wavering, away, ocsp_profile, operator, signer


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerClient]:
    """One signer for all: what each test makes has keys of its own."""
    with signer(tmp_path_factory.mktemp("keys")) as client:
        yield client


@pytest.fixture
def vault(keys: SignerClient) -> Wavering:
    return Wavering(keys)


@pytest.fixture
def house_url(engine_name: str, request: pytest.FixtureRequest) -> str | None:
    """One for each test; None: the house makes its own, in SQLite."""
    return None if engine_name == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def house(tmp_path: Path, vault: Wavering, house_url: str | None) -> Iterator[House]:
    yield from furnished(House(tmp_path, vault, database=house_url))


@pytest.fixture
def house_on_sqlite(tmp_path: Path, vault: Wavering) -> Iterator[House]:
    yield from furnished(House(tmp_path, vault))


def furnished(house: House) -> Iterator[House]:
    make(house, "root", None)
    make(house, "issuing", "root")
    yield house
    house.close()


def make(house: House, name: str, parent: str | None) -> None:
    days = 3650 if parent is None else 1000
    house.authorities.create(
        SYSTEM,
        NewAuthority(
            name, "lab", f"CN={name}", parent=parent, key_algorithm=KeyAlgorithm.EC_P256,
            extensions=Extensions(days=days),
        ),
    )  # fmt: skip


def listed(house: House, name: str = "issuing") -> set[str]:
    parsed = x509.load_der_x509_crl(house.status.latest_crl(name))
    return {f"{entry.serial_number:x}" for entry in parsed}


# CRLs


def test_one_crl_answers_many_revocations(house: House) -> None:
    leaves = [house.leaf("issuing", f"w{n}.example.org") for n in range(5)]
    assert house.status.run_due() == []
    for leaf in leaves:
        house.revoke(leaf, RevocationReason.superseded)
    (record,) = house.status.run_due()
    assert (record.authority, record.entries) == ("issuing", 5)
    assert listed(house) == {leaf.serial for leaf in leaves}
    assert house.status.run_due() == []


def test_a_revocation_during_signing_gets_its_own_crl(house: House, vault: Wavering) -> None:
    """The wish outlives the CRL that was begun before it."""
    first, second = (house.leaf("issuing", f"w{n}.example.org") for n in range(2))
    house.revoke(first, RevocationReason.superseded)
    vault.before["sign_crl"] = lambda: house.revoke(second, RevocationReason.superseded)
    assert len(house.status.run_due()) == 1
    assert listed(house) == {first.serial}
    assert len(house.status.run_due()) == 1
    assert listed(house) == {first.serial, second.serial}
    assert house.status.run_due() == []


def test_a_failed_crl_is_tried_again(house: House, vault: Wavering) -> None:
    leaf = house.leaf("issuing", "www.example.org")
    house.revoke(leaf, RevocationReason.superseded)
    vault.before["sign_crl"] = away
    assert house.status.run_due() == []
    house.clock.ahead_s += 60
    assert [r.authority for r in house.status.run_due()] == ["issuing"]
    assert listed(house) == {leaf.serial}


def test_the_schedule_comes_round(house: House) -> None:
    assert house.status.run_due() == []
    house.clock.ahead_s += DAY_S
    assert {r.authority for r in house.status.run_due()} == {"root", "issuing"}
    assert house.status.run_due() == []


def test_an_entry_stays_for_one_crl_beyond_expiry(house: House) -> None:
    """RFC 5280 §3.3."""
    house.authorities.create(
        SYSTEM,
        NewAuthority(
            "brisk", "lab", "CN=brisk", parent="root", key_algorithm=KeyAlgorithm.EC_P256,
            extensions=Extensions(days=100), crl_lifetime_s=600, crl_every_s=60,
        ),
    )  # fmt: skip
    leaf = house.leaf("brisk", "www.example.org", lasting_s=160)  # of which 60 s are past
    house.revoke(leaf, RevocationReason.superseded)
    for ahead, on_it in ((0, True), (50, True), (110, True), (180, False)):
        house.clock.ahead_s = ahead
        house.status.issue_crl(operator(), "brisk")
        assert (leaf.serial in listed(house, "brisk")) is on_it, f"{ahead} s later"


def test_numbers_rise_even_after_an_old_backup_came_back(house_on_sqlite: House) -> None:
    """Incident I23: the database forgets, the published files do not."""
    house = house_on_sqlite
    url = f"sqlite:///{house.directory / 'backup.db'}"
    with sqlite3.connect(house.directory / "chancery.db") as database:
        database.execute("VACUUM INTO ?", (str(house.directory / "backup.db"),))
    database.close()
    for _ in range(4):
        highest = house.status.issue_crl(operator(), "issuing").number
    store = open_store(url, clock=house.clock)
    assert service(house, store).issue_crl(operator(), "issuing").number > highest
    store.close()


def service(house: House, store: Store) -> StatusService:
    """Another process's service over the same files and signer."""
    return StatusService(
        store, house.vault, house.clock, secrets.token_bytes, house.publisher,
        http=HTTP, responder_profile=ocsp_profile, lint=house.lint,
    )  # fmt: skip


def test_another_cas_crl_is_never_published(house: House) -> None:
    """Incident I7."""
    before = house.status.latest_crl("issuing")
    with pytest.raises(BadRequest) as caught:
        house.status.accept_crl(operator(), "issuing", house.status.latest_crl("root"))
    assert caught.value.rule == "crl.authority-key"
    assert house.status.latest_crl("issuing") == before


@pytest.fixture
def branch(house: House) -> Iterator[House]:
    """Another house, to which our root is an offline authority."""
    branch = House(house.directory / "branch", house.vault)
    root = house.authorities.show(SYSTEM, "root").certificate
    branch.authorities.import_authority(
        SYSTEM, ImportedAuthority("far", "lab", certificate=root, offline=True)
    )
    yield branch
    branch.close()


def test_a_crl_whose_signature_is_wrong_is_never_published(house: House, branch: House) -> None:
    forged = bytearray(house.status.latest_crl("root"))
    forged[-1] ^= 1
    with pytest.raises(CAError) as caught:
        branch.status.accept_crl(operator(), "far", bytes(forged))
    assert caught.value.rule == "crl.signature"


def test_an_older_crl_never_replaces_a_newer_one(house: House, branch: House) -> None:
    older = house.status.latest_crl("root")
    house.status.issue_crl(operator(), "root")
    branch.status.accept_crl(operator(), "far", house.status.latest_crl("root"))
    with pytest.raises(CAError) as caught:
        branch.status.accept_crl(operator(), "far", older)
    assert caught.value.rule == "crl.number"
    assert branch.status.latest_crl("far") == house.status.latest_crl("root")
    with branch.store.read() as session:
        kept = session.crl_lists.der("far")
    assert kept == house.status.latest_crl("root"), "what is refused is not on record either"


def test_a_crl_that_could_not_be_published_is_taken_again(
    house: House, branch: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    der = house.status.latest_crl("root")

    def full(_: str, __: bytes) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(branch.publisher, "publish", full)
        with pytest.raises(Unavailable):
            branch.status.accept_crl(operator(), "far", der)
    branch.status.accept_crl(operator(), "far", der)
    assert branch.status.latest_crl("far") == der


def test_an_authority_that_signs_here_takes_no_crl_from_elsewhere(house: House) -> None:
    """It would not carry what was revoked here."""
    with pytest.raises(Conflict) as caught:
        house.status.accept_crl(operator(), "root", house.status.latest_crl("root"))
    assert caught.value.rule == "crl.online"


def test_a_crl_of_some_certificates_only_does_not_pass_for_all(house: House, branch: House) -> None:
    with house.store.read() as session:
        (key,) = ca_keys(session.authorities.certificates("root"))
    now = house.clock.s()
    tbs = crl.tbs(
        issuer=key.certificate.subject_der, key_identifier=key.certificate.key_identifier,
        algorithm=SignatureAlgorithm.ECDSA_SHA256, number=99, this_update=now,
        next_update=now + 600, entries=[], scope=crl.Scope(only_user_certificates=True),
    )  # fmt: skip
    signature = house.vault.sign_crl(key.key_id or "", SignatureAlgorithm.ECDSA_SHA256, tbs)
    with pytest.raises(BadRequest) as caught:
        branch.status.accept_crl(
            operator(), "far", crl.join(tbs, SignatureAlgorithm.ECDSA_SHA256, signature)
        )
    assert caught.value.rule == "crl.partial"


def test_a_crl_of_a_million_entries_is_signed(house: House) -> None:
    with house.store.read() as session:
        (key,) = ca_keys(session.authorities.certificates("root"))
    now, algorithm = house.clock.s(), SignatureAlgorithm.ECDSA_SHA256
    revoked = RevokedEntry("7f" * 16, now, RevocationReason.superseded, None)
    tbs = crl.tbs(
        issuer=key.certificate.subject_der, key_identifier=key.certificate.key_identifier,
        algorithm=algorithm, number=99, this_update=now, next_update=now + 600,
        entries=[crl.entry(revoked)] * 1_000_000,
    )  # fmt: skip
    assert house.vault.sign_crl(key.key_id or "", algorithm, tbs)


def test_another_process_that_is_faster_is_no_error(house: House, vault: Wavering) -> None:
    """Two nodes issue at the same moment: the slower one tries once more."""
    other = service(house, house.store)
    faster = []
    vault.before["sign_crl"] = lambda: faster.append(other.issue_crl(operator(), "issuing"))
    slower = house.status.issue_crl(operator(), "issuing")
    assert slower.number > faster[0].number
    in_force = service(house, house.store).latest_crl("issuing")
    assert crl.decode(in_force).number == slower.number


def test_an_older_crl_that_overtakes_a_newer_one_is_put_right(
    house: House, vault: Wavering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking at the file and replacing it, another process published a newer one."""
    other = service(house, house.store)
    publish = house.publisher.publish

    def overtaken(name: str, data: bytes) -> None:
        if name == "crl/issuing.number":
            monkeypatch.undo()
            other.issue_crl(operator(), "issuing")
        publish(name, data)

    monkeypatch.setattr(house.publisher, "publish", overtaken)
    slow = house.status.issue_crl(operator(), "issuing")
    assert crl.decode(service(house, house.store).latest_crl("issuing")).number > slow.number


def test_what_fails_in_the_schedule_is_one_line(
    house: House, vault: Wavering, caplog: pytest.LogCaptureFixture
) -> None:
    house.clock.ahead_s += DAY_S
    vault.before["sign_crl"] = away
    house.status.run_due()
    (record,) = caplog.records
    assert record.exc_info is None
    assert "the signer is away" in record.getMessage()


def test_an_authority_is_never_active_with_a_key_that_is_not_bound(
    house: House, vault: Wavering, caplog: pytest.LogCaptureFixture
) -> None:
    """The schedule of another process may ask its key for a CRL at once."""
    other = service(house, house.store)
    vault.after["bind"] = other.run_due
    vault.before["bind"] = other.run_due
    make(house, "young", "root")
    assert not caplog.records


def test_who_may_not_issue_a_crl(house: House) -> None:
    with pytest.raises(CAError):
        house.status.issue_crl(anonymous("192.0.2.9"), "issuing")


# OCSP


def ask(
    house: House, leaf: CertificateRecord, *, nonce: bytes | None = None, issuer: str = "issuing"
) -> ocsp.OCSPResponse:
    authority = x509.load_der_x509_certificate(house.status.authority_certificate(issuer))
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(leaf.der), authority, hashes.SHA256()
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    request = builder.build().public_bytes(Encoding.DER)
    return ocsp.load_der_ocsp_response(house.status.ocsp(issuer.partition(".")[0], request).der)


def test_a_revocation_shows_at_once_in_a_cached_answer(house: House) -> None:
    leaf = house.leaf("issuing", "www.example.org")
    first = ask(house, leaf)
    assert first.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert ask(house, leaf).signature == first.signature, "an answer without nonce is reused"
    house.revoke(leaf, RevocationReason.keyCompromise)
    after = ask(house, leaf)
    assert after.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert after.revocation_reason is x509.ReasonFlags.key_compromise


def test_the_nonce_comes_back(house: House) -> None:
    response = ask(house, house.leaf("issuing", "www.example.org"), nonce=b"n" * 32)
    (extension,) = list(response.extensions)
    assert extension.value == x509.OCSPNonce(b"n" * 32)


def test_a_responder_is_renewed_at_half_its_life(house: House, vault: Wavering) -> None:
    brief = House(house.directory / "brief", house.vault, responder_s=3600)
    make(brief, "issuing", None)
    leaf = brief.leaf("issuing", "www.example.org")
    first = ask(brief, leaf).certificates[0]
    vault.before["generate"] = away  # the key stays: nothing for the signer to refuse
    for ahead, same in ((1500, True), (1900, False)):
        brief.clock.ahead_s = ahead
        brief.status.rotate_responders()
        now = ask(brief, leaf, nonce=b"n").certificates[0]
        assert (now == first) is same, f"{ahead} s later"
    assert "generate" in vault.before
    assert now.public_key() == first.public_key()
    kept = brief.authorities.show(SYSTEM, "issuing")
    assert kept.ocsp_certificate == now.public_bytes(Encoding.DER)
    brief.close()


def test_another_process_uses_the_responder_on_record(house: House) -> None:
    leaf = house.leaf("issuing", "www.example.org")
    first = ask(house, leaf).certificates[0]
    house.status = service(house, house.store)
    assert ask(house, leaf).certificates[0] == first


def test_certificates_of_a_former_key_hear_from_its_own_responder(house: House) -> None:
    leaf = house.leaf("issuing", "www.example.org")
    house.authorities.renew(operator(), "issuing", new_key=True)
    response = ask(house, leaf)
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD
    former = x509.load_der_x509_certificate(house.status.authority_certificate("issuing"))
    response.certificates[0].verify_directly_issued_by(former)
    late = house.leaf("issuing", "late.example.org")
    answered = ask(house, late, issuer="issuing.2")
    newer = x509.load_der_x509_certificate(house.status.authority_certificate("issuing.2"))
    answered.certificates[0].verify_directly_issued_by(newer)


# Over HTTP


def test_crl_file_answers_like_a_file(house: House) -> None:
    handler = FileHandler(house.status, house.clock)
    status, headers, body = handler.crl("GET", "issuing")
    named = dict(headers)
    assert (status, body) == (200, house.status.latest_crl("issuing"))
    assert named["Content-Type"] == "application/pkix-crl"
    assert named["Content-Length"] == str(len(body))
    assert named["Cache-Control"].startswith("max-age=300")
    assert handler.crl("HEAD", "issuing")[2] == b""
    assert handler.crl("GET", "issuing", none_match=named["ETag"])[0] == 304
    assert handler.crl("GET", "issuing", since=named["Last-Modified"])[0] == 304
    assert (
        handler.crl("GET", "issuing", none_match='"other"', since=named["Last-Modified"])[0] == 200
    )
    assert handler.crl("POST", "issuing")[0] == 405
    assert handler.crl("GET", "nowhere")[0] == 404
    assert handler.certificate("GET", "issuing")[0] == 200


@pytest.mark.parametrize("label", ["../root", "a/b", "", ".", "x\x00y", "issuing/../root"])
def test_a_name_that_is_none_is_not_found(house: House, label: str) -> None:
    handler = FileHandler(house.status, house.clock)
    assert handler.crl("GET", label)[0] == 404
    assert handler.certificate("GET", label)[0] == 404
    with pytest.raises(NotFound):
        house.status.latest_crl(label)


@pytest.mark.parametrize(
    ("method", "tail", "body", "answer"),
    [
        ("POST", "issuing", b"", b"\x30\x03\x0a\x01\x01"),
        ("POST", "issuing", b"\x30\x80", b"\x30\x03\x0a\x01\x01"),
        ("POST", "issuing", b"\x30" * 9000, b"\x30\x03\x0a\x01\x01"),
        ("GET", "issuing/!!!", b"", b"\x30\x03\x0a\x01\x01"),
        ("GET", "issuing", b"", b"\x30\x03\x0a\x01\x01"),
    ],
)
def test_what_is_no_request_is_malformed(
    house: House, method: str, tail: str, body: bytes, answer: bytes
) -> None:
    status, headers, data = OcspHandler(house.status, house.clock).handle(method, tail, body)
    assert (status, data) == (200, answer)
    assert ("Content-Type", "application/ocsp-response") in headers


def request_for(house: House, leaf: CertificateRecord) -> bytes:
    issuer = x509.load_der_x509_certificate(house.status.authority_certificate("issuing"))
    certificate = x509.load_der_x509_certificate(leaf.der)
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())
    return builder.build().public_bytes(Encoding.DER)


def test_someone_elses_certificate_is_not_ours_to_answer_for(house: House) -> None:
    request = request_for(house, house.leaf("issuing", "www.example.org"))
    handler = OcspHandler(house.status, house.clock)
    assert handler.handle("POST", "root", request)[2] == b"\x30\x03\x0a\x01\x06"
    assert handler.handle("POST", "nowhere", request)[2] == b"\x30\x03\x0a\x01\x06"
    assert handler.handle("PUT", "root", request)[0] == 405
    assert handler.handle("POST", "root", request, "text/plain")[0] == 415
    good = ocsp.load_der_ocsp_response(handler.handle("POST", "issuing", request)[2])
    assert good.certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_signer_that_is_away_means_try_later(house: House, vault: Wavering) -> None:
    request = request_for(house, house.leaf("issuing", "www.example.org"))
    vault.before["sign_ocsp"] = away
    handler = OcspHandler(house.status, house.clock)
    assert handler.handle("POST", "issuing", request)[2] == b"\x30\x03\x0a\x01\x03"


def test_decoded_crl_says_what_was_asked_for(house: House) -> None:
    decoded = crl.decode(house.status.latest_crl("issuing"))
    assert decoded.next_update - decoded.this_update == 7 * DAY_S
