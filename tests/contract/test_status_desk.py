"""OCSP answers from memory: the same as from the record, and never a second longer than true."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from secrets import token_bytes
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from ocsp_asking import change, request, wait

from chancery.adapters.changes import SharedChanges
from chancery.adapters.storage import open_store
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import BadRequest, NotAuthenticated, NotFound, NotPermitted
from chancery.domain.identity import SYSTEM, anonymous
from chancery.domain.status import OcspPolicy, Unissued
from chancery.protocols.ocsp import OcspHandler
from chancery.protocols.ocsp.quick import OcspQuick
from chancery.services.authority import Extensions, NewAuthority
from chancery.services.status import StatusService
from chancery.services.status.status_watch import never_moved
from chancery.wire.lint import compile_lint
from services.pki import HTTP, House, ocsp_profile, operator, signer

STATUS = ocsp.OCSPCertStatus


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, house_url: str | None) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("desk")
    with signer(directory) as vault:
        house = House(directory, vault, database=house_url)
        for name, parent in (("root", None), ("issuing", "root"), ("other", "root")):
            house.authorities.create(
                SYSTEM,
                NewAuthority(
                    name, "lab", f"CN={name}", parent=parent, key_algorithm=KeyAlgorithm.EC_P256,
                    extensions=Extensions(days=900 if parent else 3650),
                ),
            )  # fmt: skip
        house.status.desk.open(lambda told: [then(answer) for then, answer in told] and None)
        wait(lambda: house.status.desk.sees)
        yield house
        house.status.desk.close()
        house.close()


@pytest.fixture(scope="module")
def quick(house: House) -> OcspQuick:
    return OcspQuick(house.status.desk, house.clock)


def ask(quick: OcspQuick, data: bytes, target: bytes = b"/ocsp/issuing") -> ocsp.OCSPResponse:
    told: queue.Queue[bytes | None] = queue.Queue()
    found: Any = quick.answer(target, data, told.put)
    assert found is not False
    octets = told.get(timeout=20) if found is True else found
    assert octets is not None
    return ocsp.load_der_ocsp_response(octets.partition(b"\r\n\r\n")[2])


def test_an_answer_is_signed_once_and_verifies(house: House, quick: OcspQuick) -> None:
    leaf = house.leaf("issuing", "www.example.org")
    for digest in (hashes.SHA1(), hashes.SHA256()):
        data = request(house, leaf.serial, digest=digest)
        first, second = ask(quick, data), ask(quick, data)
        assert first.certificate_status is STATUS.GOOD
        assert first.signature == second.signature
        issuer = x509.load_der_x509_certificate(house.status.authority_certificate("issuing"))
        first.certificates[0].verify_directly_issued_by(issuer)
    assert quick.from_memory >= 2


def test_a_nonce_comes_back_and_is_signed_for(house: House, quick: OcspQuick) -> None:
    leaf = house.leaf("issuing", "nonce.example.org")
    for nonce in (b"a", b"b" * 32, b"c" * 128):
        answer = ask(quick, request(house, leaf.serial, nonce=nonce))
        assert answer.certificate_status is STATUS.GOOD
        assert [e.value for e in answer.extensions] == [x509.OCSPNonce(nonce)]


@contextmanager
def beside(house: House, moved: Callable[[], int]) -> Iterator[OcspQuick]:
    """What another process answers, with a connection of its own to the record."""
    store = open_store(house.url, clock=house.clock)
    desk = StatusService(
        store, house.vault, house.clock, token_bytes, house.publisher, http=HTTP,
        responder_profile=ocsp_profile, lint=compile_lint, moved=moved,
    ).desk  # fmt: skip
    desk.open(lambda told: [then(answer) for then, answer in told] and None)
    wait(lambda: desk.sees)
    yield OcspQuick(desk, house.clock)
    desk.close()
    store.close()


STEPS = (
    (CertificateStatus.HELD, STATUS.REVOKED),
    (CertificateStatus.VALID, STATUS.GOOD),
    (CertificateStatus.REVOKED, STATUS.REVOKED),
)


def test_a_revocation_shows_at_once_in_every_process_of_a_machine(
    house: House, quick: OcspQuick
) -> None:
    """Whoever asks after the revocation was answered hears of it (I8: a stale "good")."""
    counter = SharedChanges(house.directory / "run" / "revocations")
    with beside(house, counter.count) as neighbour:
        for round_ in range(5):
            leaf = house.leaf("issuing", f"gone{round_}.example.org")
            data, nonce = request(house, leaf.serial), request(house, leaf.serial, nonce=b"n" * 16)
            for one in (quick, neighbour):
                ask(one, data)
                assert ask(one, data).certificate_status is STATUS.GOOD
            for status, shown in STEPS:
                change(house, leaf, status)
                assert [ask(one, data).certificate_status for one in (quick, neighbour)] == [
                    shown
                ] * 2
                assert ask(neighbour, nonce).certificate_status is shown
        before = neighbour.from_memory  # what nothing happened to comes from memory
        wait(lambda: bool(ask(neighbour, data)) and neighbour.from_memory > before)
    counter.close()


def test_a_revocation_shows_within_a_second_on_every_node(house: House) -> None:
    """By the record alone."""
    with beside(house, never_moved) as elsewhere:
        leaf = house.leaf("issuing", "far.example.org")
        data, nonce = request(house, leaf.serial), request(house, leaf.serial, nonce=b"n" * 16)
        assert ask(elsewhere, data).certificate_status is STATUS.GOOD
        for status, shown in STEPS:
            change(house, leaf, status)
            took = wait(lambda shown=shown: ask(elsewhere, data).certificate_status is shown)  # type: ignore[misc]
            assert took < 1
            assert ask(elsewhere, nonce).certificate_status is shown


def test_what_is_not_on_record_is_never_good_nor_kept(house: House, quick: OcspQuick) -> None:
    """I11: a certificate that was signed elsewhere.  And one issued a moment later is known."""
    data = request(house, "abcdef0123")
    assert ask(quick, data).certificate_status is STATUS.UNKNOWN
    leaf = house.leaf("issuing", "later.example.org")
    assert ask(quick, request(house, leaf.serial)).certificate_status is STATUS.GOOD
    assert ask(quick, data).signature != ask(quick, data).signature


def test_any_ca_at_one_address_and_nobody_elses(house: House, quick: OcspQuick) -> None:
    for ca in ("issuing", "other"):
        leaf = house.leaf(ca, "any.example.org")
        for target in (b"/ocsp", b"/ocsp/" + ca.encode(), b"/ocsp//" + ca.encode()):
            data = request(house, leaf.serial, ca=ca)
            assert ask(quick, data, target).certificate_status is STATUS.GOOD
        assert quick.answer(b"/ocsp/root", data, print) is False
    handler = OcspHandler(house.status, house.clock)
    assert handler.handle("POST", "/root", data)[2] == b"\x30\x03\x0a\x01\x06"
    assert handler.handle("POST", "", data)[2][:2] != b"\x30\x03"
    with pytest.raises(NotFound):
        house.status.ocsp("nowhere", data)
    with pytest.raises(NotPermitted):
        house.status.ocsp("root", data)


def test_what_an_authority_says_of_serials_it_never_gave(house: House, quick: OcspQuick) -> None:
    policies = house.status.ocsp_policies
    assert policies.get(operator(), "other") == OcspPolicy()
    policies.put(SYSTEM, "other", OcspPolicy(Unissued.REVOKED, 86_400))
    data = request(house, "77", ca="other")
    wait(lambda: ask(quick, data, b"/ocsp").certificate_status is STATUS.REVOKED)
    for answer in (ask(quick, data, b"/ocsp"), of(house.status.ocsp("", data).der)):
        assert answer.revocation_time_utc is not None
        assert answer.revocation_time_utc.year == 1970
        assert answer.revocation_reason is x509.ReasonFlags.certificate_hold
        assert [e.oid.dotted_string for e in answer.extensions] == ["1.3.6.1.5.5.7.48.1.9"]
        cutoff = [e.oid.dotted_string for e in answer.single_extensions]
        assert cutoff == ["1.3.6.1.5.5.7.48.1.6"]
    with pytest.raises(NotFound):
        policies.put(SYSTEM, "nowhere", OcspPolicy())
    with pytest.raises(BadRequest):
        policies.put(SYSTEM, "other", OcspPolicy(archive_s=0))
    with pytest.raises(NotAuthenticated):
        policies.put(anonymous("192.0.2.7"), "other", OcspPolicy())


def of(der: bytes) -> ocsp.OCSPResponse:
    return ocsp.load_der_ocsp_response(der)


def test_a_clock_past_the_end_of_an_answer_has_it_signed_anew(
    house: House, quick: OcspQuick
) -> None:
    leaf = house.leaf("issuing", "clock.example.org")
    data = request(house, leaf.serial)
    before = ask(quick, data)
    with suppress(StopIteration):
        house.clock.ahead_s += 13 * 3600
        after = ask(quick, data)
    house.clock.ahead_s = 0
    assert before.next_update_utc is not None
    assert after.this_update_utc > before.next_update_utc
    assert ask(quick, data).this_update_utc < after.this_update_utc  # set back again


def test_a_list_of_everything_that_changed_is_not_needed(house: House) -> None:
    with house.store.read() as session:
        head = session.statuses.as_of()
        assert session.statuses.changes(["issuing"], head).changed == ()
        assert session.statuses.changes(["issuing"], head + 1).changed is None  # another record
        assert session.statuses.changes(["issuing"], 0).changed
        leaves = [("issuing", f"{n:x}") for n in range(100)]
        assert session.statuses.standings(leaves).found == {}
