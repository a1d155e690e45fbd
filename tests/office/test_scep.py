"""The door for SCEP, whole but for the sockets: what goes in, what comes out, what is on record."""

import base64
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import quote

import pytest
import scep_client as c
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chancery.app.office import Office
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import NotAuthenticated, TooOften
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.keys import KeyTransport
from chancery.ports import Clock
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.enrolment import one_time
from chancery.services.enrolment.keys import DoorKeys
from chancery.wire import cms, cms_writing, der, pkcs7
from chancery.wire import cms_algorithms as alg
from chancery.wire.lint import compile_lint
from chancery.wire.otp_csv import OtpLine

Who = Callable[[str], Principal]
HERE = "192.0.2.50"
KEY, OTHER = c.key("ra"), c.key("certmonger-ra")


def name(host: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])


@dataclass
class Bench:
    """One door, and clients that come to it."""

    office: Office
    door: Door
    ra: bytes = b""

    def __post_init__(self) -> None:
        self.ra = self.office.doors.keys.of(self.door).certificate

    def open(self, **changes: object) -> "Bench":
        """The same door with other rules."""
        door = self.office.doors.service.put(SYSTEM, replace(self.door, **changes))  # type: ignore[arg-type]
        return Bench(self.office, door)

    def otp(self, host: str, profile: str | None = None) -> str:
        wanted = one_time.wanted(OtpLine(1, f"CN={host}", None, (f"dns:{host}",), profile))
        return self.office.doors.credentials.issue(SYSTEM, self.door.name, wanted).secret

    def client(self, host: str, key: rsa.RSAPrivateKey = KEY, **how: object) -> c.Client:
        return c.Client(key, c.self_signed(key, name(host)), self.ra, **how)  # type: ignore[arg-type]

    def ask(self, client: c.Client, message: bytes) -> c.Reply:
        reply = self.post(message)
        assert (reply.status, dict(reply.headers)["content-type"]) == (
            200,
            "application/x-pki-message",
        ), reply.body
        return client.read(reply.body)

    def post(self, body: bytes, origin: str = HERE) -> Reply:
        return self.send("POST", "operation=PKIOperation", body, origin)

    def get(self, query: str) -> Reply:
        return self.send("GET", query, b"", HERE)

    def send(self, method: str, query: str, body: bytes, origin: str) -> Reply:
        tail = f"{self.door.label}/pkiclient.exe"
        exchange = Exchange(
            method, f"/scep/{tail}", tail, query, {}, body, origin, False, None, None, "http://x"
        )
        return self.office.doors.handlers.of(DoorProtocol.SCEP).handle(exchange)

    def seen(self) -> tuple[str, str]:
        """What the newest message was and what became of it."""
        self.office.doors.traffic.write()
        newest = self.office.doors.service.traffic(SYSTEM, self.door.name, 1)[0]
        return newest.operation, newest.outcome


@pytest.fixture(scope="module")
def bench(office: Office) -> Bench:
    label = f"s-{uuid.uuid4().hex[:8]}"
    door = Door(DoorProtocol.SCEP, label, ra="main", profile="device", profiles=("tls-server",))
    return Bench(office, office.doors.service.put(SYSTEM, door))


@pytest.fixture
def host() -> str:
    return f"d{uuid.uuid4().hex[:10]}.example.org"


@pytest.fixture
def tid() -> str:
    return uuid.uuid4().hex


def csr(host: str, challenge: str | None, key: rsa.RSAPrivateKey = KEY) -> bytes:
    return c.csr(key, name(host), challenge=challenge, names=[x509.DNSName(host)])


def enrolled(bench: Bench, host: str, key: rsa.RSAPrivateKey = KEY) -> c.Client:
    """A client that has its certificate."""
    client = bench.client(host, key)
    request = csr(host, bench.otp(host), key)
    reply = bench.ask(client, client.message(19, request, uuid.uuid4().hex))
    assert reply.status == "0", reply
    return replace(client, certificate=reply.certificates()[0])


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"digest": alg.Digest.SHA512, "cipher": alg.ContentCipher.AES_256},
        {"digest": alg.Digest.SHA384, "transport": KeyTransport.OAEP_SHA256},
    ],
)
def test_enrols_and_answers_in_the_words_it_was_asked_in(
    bench: Bench, host: str, tid: str, how: dict[str, object]
) -> None:
    client = bench.client(host, **how)
    reply = bench.ask(client, client.message(19, csr(host, bench.otp(host)), tid))
    assert (reply.status, reply.transaction) == ("0", tid)
    assert reply.signed.digest is client.digest
    envelope = cms.read_enveloped(reply.signed.content)
    assert envelope.encryption.cipher is client.cipher
    assert envelope.recipients[0].transport is client.transport
    (leaf,) = reply.certificates()
    made = x509.load_der_x509_certificate(leaf)
    assert made.subject == name(host)
    assert made.public_key() == KEY.public_key()
    assert bench.seen() == ("PKCSReq", "ok")


def test_a_repetition_gets_the_same_and_another_key_nothing(
    bench: Bench, host: str, tid: str
) -> None:
    one = bench.otp(host)
    client, thief = bench.client(host), bench.client(host, OTHER)
    message = client.message(19, csr(host, one), tid)
    first = bench.ask(client, message)
    assert bench.ask(client, message).content == first.content
    again = client.message(19, csr(host, one), tid)
    assert bench.ask(client, again).content == first.content
    stolen = thief.message(19, csr(host, one, OTHER), tid)
    assert (bench.ask(thief, stolen).fail, bench.seen()[1]) == ("2", "transaction.same")
    poll = thief.message(20, der.sequence(), tid)
    assert (bench.ask(thief, poll).fail, bench.seen()[1]) == ("4", "transaction.known")
    elsewhere = thief.message(19, csr(host, one, OTHER), uuid.uuid4().hex)
    assert (bench.ask(thief, elsewhere).fail, bench.seen()[1]) == ("2", "credential.valid")


def test_a_hundred_at_once_have_one_effect(bench: Bench, host: str, tid: str) -> None:
    client = bench.client(host)
    message = client.message(19, csr(host, bench.otp(host)), tid)
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: bench.ask(client, message), range(100)))
    assert {reply.status for reply in replies} == {"0"}
    assert len({reply.content for reply in replies}) == 1


def test_a_password_is_for_one_identity_and_burnt_by_another(
    bench: Bench, host: str, tid: str
) -> None:
    """VU#971035: a challenge that says only that somebody may enrol lets anybody be anybody."""
    one = bench.otp(host)
    client = bench.client("admin.example.org")
    wish = c.csr(KEY, name("admin.example.org"), challenge=one, names=[x509.DNSName(host)])
    assert (bench.ask(client, client.message(19, wish, tid)).fail) == "2"
    assert bench.seen() == ("PKCSReq", "credential.binding")
    honest = bench.client(host)
    burnt = bench.ask(honest, honest.message(19, csr(host, one), uuid.uuid4().hex))
    assert (burnt.fail, bench.seen()[1]) == ("2", "credential.valid")


@pytest.mark.parametrize("challenge", [None, "guessed", "x" * 255])
def test_nobody_enrols_without_a_password(
    bench: Bench, host: str, tid: str, challenge: str | None
) -> None:
    client = bench.client(host)
    reply = bench.ask(client, client.message(19, csr(host, challenge), tid))
    assert (reply.status, reply.fail, reply.content) == ("2", "2", b"")


def test_whoever_signs_with_a_certificate_of_ours_renews_it(bench: Bench, host: str) -> None:
    client = enrolled(bench, host)
    seen = {client.certificate}
    for kind, key in ((17, OTHER), (19, OTHER), (17, KEY), (19, KEY)):
        message = client.message(kind, csr(host, "old challenge", key), uuid.uuid4().hex)
        reply = bench.ask(client, message)
        assert reply.status == "0", reply
        seen.update(reply.certificates())
    assert len(seen) == 5
    other = client.message(17, csr("admin.example.org", None), uuid.uuid4().hex)
    assert (bench.ask(client, other).fail, bench.seen()) == ("2", ("RenewalReq", "renewal.names"))
    shut = bench.open(settings={"renewal": False})
    message = client.message(17, csr(host, None, OTHER), uuid.uuid4().hex)
    assert (shut.ask(client, message).fail, shut.seen()[1]) == ("2", "scep.renewal")
    bench.open()


def test_the_number_of_a_key_may_come_again(bench: Bench, host: str, tid: str) -> None:
    """certmonger and strongSwan derive the transactionID from the key."""
    client = bench.client(host)
    first = bench.ask(client, client.message(19, csr(host, bench.otp(host)), tid))
    holder = replace(client, certificate=first.certificates()[0])
    renewal = holder.message(19, csr(host, None), tid)
    renewed = bench.ask(holder, renewal)
    assert renewed.status == "0"
    assert renewed.content != first.content
    assert bench.ask(holder, renewal).content == renewed.content
    anew = bench.ask(client, client.message(19, csr(host, bench.otp(host)), tid))
    assert anew.status == "0"
    assert anew.content not in (first.content, renewed.content)


def test_a_renewal_needs_a_certificate_of_ours(bench: Bench, host: str, tid: str) -> None:
    client = bench.client(host)
    reply = bench.ask(client, client.message(17, csr(host, bench.otp(host)), tid))
    assert (reply.fail, bench.seen()) == ("1", ("RenewalReq", "certificate.holder"))
    borrowed = bench.client(host, OTHER)  # another's request, signed by oneself
    reply = bench.ask(borrowed, borrowed.message(19, csr(host, bench.otp(host)), tid))
    assert (reply.fail, bench.seen()[1]) == ("1", "certificate.holder")


def test_people_decide_and_the_client_asks_again(
    bench: Bench, who: Who, host: str, tid: str
) -> None:
    waiting = bench.open(approvals=2)
    client = bench.client(host)
    message = client.message(19, csr(host, waiting.otp(host)), tid)
    poll = client.message(20, der.sequence(der.sequence(), der.sequence()), tid)
    for ask in (message, message, poll):
        reply = waiting.ask(client, ask)
        assert (reply.status, reply.fail, reply.content) == ("3", None, b"")
    assert waiting.seen() == ("CertPoll", "pending")
    known = bench.office.doors.desk.transaction(waiting.door, tid)
    assert known is not None
    for officer in ("officer1", "officer2"):
        assert waiting.ask(client, poll).status == "3"
        bench.office.decisions.approve(who(officer), known.request_id)
    reply = waiting.ask(client, poll)
    assert reply.status == "0"
    assert x509.load_der_x509_certificate(reply.certificates()[0]).subject == name(host)
    holder = replace(client, certificate=reply.certificates()[0])
    renewal = holder.message(17, csr(host, None, OTHER), "R" + tid)
    assert waiting.ask(holder, renewal).status == "3"
    assert waiting.ask(holder, holder.message(20, b"", "R" + tid)).status == "3"
    bench.open()


def test_people_instead_of_passwords_and_shared_challenges_only_where_somebody_said_so(
    bench: Bench, host: str, tid: str
) -> None:
    client = bench.client(host)
    asked = bench.open(settings={"without_challenge": True})  # but nobody decides
    assert asked.ask(client, client.message(19, csr(host, None), tid)).fail == "2"
    decided = bench.open(approvals=1, settings={"without_challenge": True})
    assert decided.ask(client, client.message(19, csr(host, None), tid)).status == "3"

    shared = bench.open(settings={"shared_challenge": True})
    wanted = one_time.shared(shared.door, None, "the same for all of us", None)
    bench.office.doors.credentials.issue(SYSTEM, shared.door.name, wanted)
    for _ in range(2):
        client = bench.client(host, OTHER)
        message = client.message(19, csr(host, "the same for all of us", OTHER), uuid.uuid4().hex)
        assert shared.ask(client, message).status == "0"
    shut = bench.open()
    message = client.message(19, csr(host, "the same for all of us", OTHER), uuid.uuid4().hex)
    assert (shut.ask(client, message).fail, shut.seen()[1]) == ("2", "scep.shared-challenge")


@pytest.mark.parametrize("open_", [{"subject": None}, {"names": None}])
def test_a_password_that_leaves_something_open_counts_as_shared(
    bench: Bench, host: str, tid: str, open_: dict[str, None]
) -> None:
    """With a free SAN or a free subject its holder could be an administrator."""
    whole = one_time.wanted(OtpLine(1, f"CN={host}", None, (f"dns:{host}",)))
    half = replace(whole, binding=replace(whole.binding, **open_))
    secret = bench.office.doors.credentials.issue(SYSTEM, bench.door.name, half).secret
    client = bench.client(host)
    reply = bench.ask(client, client.message(19, csr(host, secret), tid))
    assert (reply.fail, bench.seen()[1]) == ("2", "scep.shared-challenge")


def test_certificates_and_crls_are_fetched(bench: Bench, host: str) -> None:
    client = enrolled(bench, host)
    mine = cms.read_certificate(client.certificate)
    wanted = der.sequence(mine.issuer, der.tlv(der.INTEGER, mine.serial))
    reply = bench.ask(client, client.message(21, wanted))
    assert reply.certificates() == [client.certificate]
    stranger = bench.client(host)
    assert bench.ask(stranger, stranger.message(21, wanted)).fail == "1"
    for other in (
        der.sequence(mine.issuer, der.integer(5)),
        der.sequence(mine.subject, wanted[-9:]),
    ):
        assert bench.ask(client, client.message(21, other)).fail in ("1", "4")

    reply = bench.ask(stranger, stranger.message(22, wanted))
    body = der.Reader(der.single(reply.content, der.SEQUENCE)[1])
    body.content(der.OID)
    signed = body.enter(0xA0).enter(der.SEQUENCE)
    for _ in range(3):
        signed.read()
    crl = x509.load_der_x509_crl(signed.content(0xA1))
    assert crl.issuer == x509.load_der_x509_certificate(client.certificate).issuer


@pytest.mark.parametrize("kind", [n for n in range(100) if n not in (17, 19, 20, 21, 22)])
def test_no_other_message_type_means_anything(bench: Bench, kind: int) -> None:
    """One that is read as another once let strangers enrol (CVE-2026-30836)."""
    client = bench.client("x")
    reply = bench.ask(client, client.message(kind, csr("x.example.org", "y")))
    assert (reply.status, reply.fail) == ("2", "2")


@pytest.mark.parametrize("number", ["2", "5", "7"])
@pytest.mark.parametrize("times", [0, 2])
def test_an_attribute_missing_or_doubled_is_a_failure(
    bench: Bench, number: str, times: int
) -> None:
    def change(attributes: list[c.Attribute]) -> list[c.Attribute]:
        others = [one for one in attributes if one[0] != c.ARC + number]
        return others + [one for one in attributes if one[0] == c.ARC + number] * times

    client = bench.client("x")
    if number == "5":
        client.nonce = bytes(16)  # what is answered where there was none
    reply = bench.ask(client, client.message(19, b"", change=change))
    assert (reply.status, reply.fail) == ("2", "2")
    assert bench.seen()[1] == "scep.attributes"


def test_whatever_is_wrong_inside_the_envelope_is_told_alike(
    bench: Bench, host: str, tid: str
) -> None:
    client = bench.client(host)
    recipient = cms.read_certificate(bench.ra)
    sealed = cms_writing.enveloped(
        csr(host, "x"), recipient, client.transport, client.cipher, os.urandom
    )
    elsewhere = cms_writing.enveloped(
        b"x", cms.read_certificate(client.certificate), client.transport, client.cipher, os.urandom
    )
    encrypted = cms.read_enveloped(sealed).recipients[0].encrypted_key
    forged = bytearray(csr(host, "x"))
    forged[-1] ^= 1
    envelopes = [
        sealed[:-1] + bytes((sealed[-1] ^ 1,)),  # padding
        sealed.replace(encrypted, bytes(len(encrypted))),
        sealed.replace(encrypted, b"\xff" * len(encrypted)),
        elsewhere,
    ]
    messages = [client.message(19, b"", tid, envelope=one) for one in envelopes]
    messages += [client.message(19, payload, tid) for payload in (b"", b"text", bytes(forged))]
    told = set()
    for message in messages:
        reply = bench.ask(client, message)
        assert bench.seen() == ("PKCSReq", "scep.message-check")
        told.add((reply.fail, reply.signed.attributes["1.3.6.1.5.5.7.24.1"]))
    assert len(told) == 1
    assert told.pop()[0] == "1"


def test_a_wrong_signature_is_a_failure(bench: Bench, host: str, tid: str) -> None:
    client = bench.client(host)
    wrong = client.message(19, csr(host, bench.otp(host)), tid, sign=lambda _: bytes(256))
    assert (bench.ask(client, wrong).fail, bench.seen()[1]) == ("1", "cms.signature")


def test_old_algorithms_only_where_somebody_said_so(bench: Bench, host: str, tid: str) -> None:
    old = {"digest": alg.Digest.SHA1, "cipher": alg.ContentCipher.TRIPLE_DES}
    for how in (old, {"digest": alg.Digest.SHA1}, {"cipher": alg.ContentCipher.TRIPLE_DES}):
        client = bench.client(host, **how)
        reply = bench.ask(client, client.message(19, csr(host, bench.otp(host)), tid))
        assert (reply.fail, bench.seen()[1]) == ("0", "scep.legacy")
        assert reply.signed.digest is alg.Digest.SHA256
    legacy = bench.open(settings={"legacy": True})
    client = bench.client(host, **old)
    reply = legacy.ask(client, client.message(19, csr(host, legacy.otp(host)), tid))
    assert (reply.status, reply.signed.digest) == ("0", alg.Digest.SHA1)
    # Single DES and digests that nobody lists never, whatever the door says.
    des = cms.read_signed(legacy.post((c.VECTORS / "scepclient.der").read_bytes()).body)
    assert c.text(des, "4") == "0"
    message = bench.client(host).message(19, b"", tid)
    sha224 = der.oid("2.16.840.1.101.3.4.2.4")
    message = message.replace(der.oid("2.16.840.1.101.3.4.2.1"), sha224)
    assert c.text(cms.read_signed(legacy.post(message).body), "4") == "0"
    bench.open()


def test_what_is_told_to_everybody(bench: Bench) -> None:
    caps = bench.get("operation=GetCACaps&message=0")
    assert caps.body == b"AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard"
    for query in ("operation=GetCACert", "operation=GetCACert&message=1&message=2"):
        reply = bench.get(query)
        assert dict(reply.headers)["content-type"] == "application/x-x509-ca-ra-cert"
        assert bench.ra in pkcs7.certificates(reply.body)
        assert len(pkcs7.certificates(reply.body)) == 3
    single = bench.open(settings={"single_certificate": True}).get("operation=GetCACert")
    assert dict(single.headers)["content-type"] == "application/x-x509-ca-cert"
    assert x509.load_der_x509_certificate(single.body).subject != name("x")
    bench.open()
    assert bench.get("operation=GetNextCACert").status == 404
    assert bench.get("operation=Destroy").status == bench.get("").status == 400
    assert bench.send("DELETE", "operation=GetCACaps", b"", HERE).status == 405
    nowhere = replace(bench, door=replace(bench.door, label="nowhere"))
    assert nowhere.get("operation=GetCACaps").status == 404


def test_a_message_comes_by_get_as_well(bench: Bench, host: str, tid: str) -> None:
    client = bench.client(host)
    text = base64.b64encode(client.message(19, csr(host, bench.otp(host)), tid)).decode()
    for written in (quote(text, safe=""), text, text.replace("+", "%20")):
        reply = bench.get(f"operation=PKIOperation&message={written}")
        assert client.read(reply.body).status == "0"
    assert bench.get("operation=PKIOperation&message=!").status == 400
    assert bench.get("operation=PKIOperation").status == 400


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"\x30\x80" * 50_000, b"\x30\x84\x06\x40\x00\x00", bytes(300_000)]
)
def test_what_is_no_message_is_told_so_cheaply(bench: Bench, junk: bytes) -> None:
    begun = time.perf_counter()
    assert bench.post(junk).status in (400, 413)
    assert time.perf_counter() - begun < 0.5
    assert bench.seen()[0] == "PKIOperation"


def test_guessing_is_slowed_down(bench: Bench, host: str) -> None:
    client = bench.client(host)
    message = client.message(19, csr(host, "guess"))
    assert client.read(bench.post(message, "198.51.100.9").body).fail == "2"
    assert bench.seen()[1] == "credential.valid"
    for _ in range(130):  # what the door asks for each message
        with pytest.raises((NotAuthenticated, TooOften)):
            bench.office.doors.credentials.by_secret(bench.door, "guess", "198.51.100.9")
    assert client.read(bench.post(message, "198.51.100.9").body).fail == "2"
    assert bench.seen()[1] == "credential.rate"
    elsewhere = bench.post(client.message(19, csr(host, bench.otp(host))), "198.51.100.10")
    assert client.read(elsewhere.body).status == "0"


MESSAGE: list[bytes] = []


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=3)), max_size=3))
def test_nothing_that_comes_in_is_answered_in_an_unplanned_way(
    bench: Bench, changes: list[tuple[int, bytes]]
) -> None:
    if not MESSAGE:
        client = bench.client("f")
        MESSAGE.append(client.message(19, csr("f.example.org", "f"), "F"))
    data = bytearray(MESSAGE[0])
    for at, octets in changes:
        start = at % len(data)
        data[start : start + len(octets)] = octets
    reply = bench.post(bytes(data))
    assert reply.status in (200, 400)
    if reply.status == 200:
        assert c.text(cms.read_signed(reply.body), "3") == "2"


@dataclass
class Ahead:
    """A clock that runs *by_s* seconds ahead."""

    clock: Clock
    by_s: int = 0

    def ms(self) -> int:
        return self.clock.ms() + 1000 * self.by_s

    def s(self) -> int:
        return self.clock.s() + self.by_s


def test_a_doors_certificate_is_renewed_and_the_last_one_is_still_understood(
    bench: Bench, host: str, tid: str
) -> None:
    office = bench.office
    shipped = office.catalogue.profile("door-ra")
    hours = replace(shipped, profile=replace(shipped.profile, validity_s=4 * 3600))
    clock = Ahead(office.clock)
    keys = DoorKeys(
        office.store,
        office.vault,
        clock,
        os.urandom,
        authority=office.doors.desk.authority,
        profile=lambda: hours,
        lint=compile_lint,
        http="http://x",
    )
    door = office.doors.service.put(SYSTEM, replace(bench.door, label=f"k-{uuid.uuid4().hex[:8]}"))
    first = keys.of(door)
    assert keys.of(door) == first
    usage = x509.load_der_x509_certificate(first.certificate).extensions
    assert usage.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    clock.by_s = 2 * 3600 + 60
    second = keys.of(door)
    assert (second.key_id, second.former) == (first.key_id, (first.certificate,))
    assert second.certificate != first.certificate
    assert office.doors.keys.of(door) == second  # whoever else looks finds it on record

    late = Bench(office, door)
    client = replace(late.client(host), ra=first.certificate)
    message = client.message(19, csr(host, late.otp(host)), tid)
    answered = replace(client, ra=second.certificate).read(late.post(message).body)
    assert answered.status == "0"


def test_the_next_certificate_of_the_ca_is_told_until_its_plan_is_dropped(bench: Bench) -> None:
    office, ca = bench.office, bench.office.doors.desk.authority(bench.door).name
    day = int(time.time()) + 30 * 86_400
    office.authorities.renew(SYSTEM, ca, new_key=True, takes_over=day)
    coming = office.authorities.coming(SYSTEM, ca)
    assert coming is not None
    reply = bench.get("operation=GetNextCACert")
    assert dict(reply.headers)["content-type"] == "application/x-x509-next-ca-cert"
    signed = cms.read_signed(reply.body)
    assert pkcs7.certificates(signed.content) == [coming.der]
    signed.verify(cms.read_certificate(bench.ra))
    office.authorities.cancel_takeover(SYSTEM, ca)
    assert bench.get("operation=GetNextCACert").status == 404
