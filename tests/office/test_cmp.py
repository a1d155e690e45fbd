"""The CMP door whole but for its sockets: real record, real signer, messages as bytes."""

import datetime as dt
import hashlib
import secrets
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cmp_door import CmpDoor, key, template, wish
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key

from chancery.app.office import Office
from chancery.domain.certificate import CertificateStatus
from chancery.domain.enrolment import CredentialState, Transaction
from chancery.domain.errors import NotPermitted
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.work import Job
from chancery.ports import Page, RequestFilter
from chancery.protocols.cmp.client import CmpClient, Holder, SharedSecret
from chancery.protocols.cmp.settings import pem_of
from chancery.protocols.cmp.signing import PrivateKey, sign, spki
from chancery.services.jobs import Lease
from chancery.wire import cmp, cmp_bodies, cmp_mac, crmf, der
from chancery.wire.cmp import Info
from chancery.wire.cmp_kinds import Body, Failure
from services.csr import p256_csr

Who = Callable[[str], Principal]
PKIX = "1.3.6.1.5.5.7.4."


def host() -> str:
    return f"h-{uuid.uuid4().hex[:8]}.example.org"


def asking(name: str, own: PrivateKey | None = None) -> bytes:
    return wish(own or key(), f"CN={name}", (f"dns:{name}",))


@pytest.fixture(scope="module")
def door(office: Office) -> CmpDoor:
    return CmpDoor.open(office)


@pytest.fixture(scope="module")
def authority(door: CmpDoor) -> Holder:
    """A registration authority that every door of these tests may name."""
    return door.enrolled("ra.example.org")


@pytest.fixture(scope="module")
def trusting(office: Office, authority: Holder) -> CmpDoor:
    """A door that trusts it."""
    return CmpDoor.open(office, trusted_ras=[pem_of(authority.certificate)])


def names_of(certificate: bytes) -> list[str]:
    extensions = x509.load_der_x509_certificate(certificate).extensions
    san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(san.get_values_for_type(x509.DNSName))


def status_of(door: CmpDoor, certificate: bytes) -> CertificateStatus:
    serial = f"{x509.load_der_x509_certificate(certificate).serial_number:x}"
    return door.office.doors.desk.certificate(door.door, serial).status


def failures(reply: bytes) -> set[Failure]:
    """The failures that an answer names, whichever its body."""
    answer = cmp.decode(reply)
    if answer.kind is Body.ERROR:
        found = cmp_bodies.read_error(answer.content)
    elif answer.kind is Body.RP:
        found = cmp_bodies.read_revoked(answer.content)
    else:
        found = cmp_bodies.read_response(answer.content).status
    return set(map(Failure, found.failures))


@pytest.mark.parametrize(
    ("kind", "mac", "implicit"),
    [
        (cmp_mac.Kind.PBM, "sha1", True),
        (cmp_mac.Kind.PBM, "sha256", False),
        (cmp_mac.Kind.PBMAC1, "sha256", True),
        (cmp_mac.Kind.PBMAC1, "sha512", False),
    ],
)
def test_a_secret_enrols_whom_it_is_for(
    door: CmpDoor, kind: cmp_mac.Kind, mac: str, implicit: bool
) -> None:
    name = host()
    issued = door.secret(name)
    got = door.by_secret(issued, kind, mac).enrol(Body.IR, asking(name), implicit=implicit)
    assert names_of(got.certificate) == [name]
    assert len(got.issuers) == 2
    assert status_of(door, got.certificate) is CertificateStatus.VALID
    spent = door.office.doors.credentials.show(SYSTEM, issued.credential.id)
    assert spent.state is CredentialState.SPENT
    with pytest.raises(NotPermitted, match="bad_message_check"):
        door.by_secret(issued).enrol(Body.IR, asking(name))


def self_signed(own: PrivateKey, subject: x509.Name | None = None) -> bytes:
    """A certificate of an authority elsewhere."""
    now = dt.datetime.now(dt.UTC)
    name = subject or x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RA elsewhere")])
    bare = isinstance(own, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey)
    made = (
        x509.CertificateBuilder(name, name, own.public_key(), 1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(own, None if bare else hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "make",
    [
        key,
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
        mldsa.MLDSA44PrivateKey.generate,
    ],
    ids=["ecdsa", "rsa", "ed25519", "ml-dsa"],
)
def test_messages_are_signed_by_keys_of_every_kind(
    office: Office, make: Callable[[], PrivateKey]
) -> None:
    own = make()
    certificate = self_signed(own)
    door = CmpDoor.open(office, trusted_ras=[pem_of(certificate)])
    assert door.client(Holder(certificate, own)).ask(Info(PKIX + "17"))


def test_a_certificate_gets_others_for_its_own_names(door: CmpDoor) -> None:
    name, other = host(), host()
    client = door.client(door.enrolled(name))
    assert names_of(client.enrol(Body.CR, asking(name)).certificate) == [name]
    both = wish(key(), f"CN={name}", (f"dns:{name}", f"dns:{other}"))
    for wanted in (asking(other), both):
        with pytest.raises(NotPermitted, match="not_authorized"):
            client.enrol(Body.CR, wanted)


def test_an_update_is_signed_by_what_it_updates(door: CmpDoor) -> None:
    name = host()
    holder = door.enrolled(name)
    got = door.client(holder).enrol(Body.KUR, asking(name))
    desk = door.office.doors.desk
    before = desk.holder(door.door, holder.certificate)
    assert desk.holder(door.door, got.certificate).renewed_from == before.id
    with pytest.raises(NotPermitted, match="wrong_integrity"):
        door.by_secret(door.secret(name)).enrol(Body.KUR, asking(name))
    with pytest.raises(NotPermitted):
        door.client(holder).enrol(Body.KUR, asking(host()))


def test_a_pkcs10_request_is_answered_without_a_number(door: CmpDoor) -> None:
    name = host()
    csr = x509.load_pem_x509_csr(p256_csr(name).encode()).public_bytes(Encoding.DER)
    got = door.by_secret(door.secret(name)).enrol(Body.P10CR, csr)
    assert names_of(got.certificate) == [name]


@pytest.mark.parametrize(("days", "granted"), [(30, 30), (9000, 90)])
def test_the_end_of_validity_is_a_wish(door: CmpDoor, days: int, granted: int) -> None:
    name, own = host(), key()
    san = template(f"CN={name}", (f"dns:{name}",), spki(own))
    end = door.office.clock.s() + 86_400 * days
    wanted = encode_until(san, end)
    got = door.by_secret(door.secret(name)).enrol(Body.IR, signed(own, wanted))
    made = x509.load_der_x509_certificate(got.certificate)
    lasting = made.not_valid_after_utc - made.not_valid_before_utc
    assert round(lasting.total_seconds() / 86_400) == granted


def encode_until(wanted: crmf.Template, end: int) -> bytes:
    """A CertTemplate with an end of validity: our own client does not ask for one."""
    fields = der.single(crmf.encode_template(wanted))[1]
    return der.sequence(der.explicit(4, der.explicit(1, der.time(end))), fields)


def signed(own: PrivateKey, wanted: bytes) -> bytes:
    asked = der.sequence(der.integer(0), wanted)
    algorithm, signature = sign(own, asked)
    proof = der.implicit(1, algorithm + der.bit_string(signature), constructed=True)
    return der.sequence(asked, proof)


def test_a_profile_is_named_in_the_header(door: CmpDoor) -> None:
    name = host()
    client = door.by_secret(door.secret(name))
    with pytest.raises(NotPermitted, match="does not offer"):
        client.enrol(Body.IR, asking(name), profile="subordinate-ca")
    client.enrol(Body.IR, asking(name), profile="device")


def test_a_certificate_makes_none_of_another_kind(door: CmpDoor) -> None:
    name = host()
    client = door.client(door.enrolled(name))
    assert client.enrol(Body.CR, asking(name), profile="tls-server").certificate
    with pytest.raises(NotPermitted, match="of it alone"):
        client.enrol(Body.CR, asking(name), profile="device")


def test_a_certificate_is_revoked_by_its_holder(door: CmpDoor) -> None:
    one, another = door.enrolled(host()), door.enrolled(host())
    with pytest.raises(NotPermitted, match="not_authorized"):
        door.client(one).revoke(another.certificate)
    with pytest.raises(NotPermitted, match="wrong_integrity"):
        door.by_secret(door.secret(host())).revoke(another.certificate)
    for reason in (8, 6):  # removeFromCRL, certificateHold
        with pytest.raises(NotPermitted, match="bad_request"):
            door.client(one).revoke(one.certificate, reason)
    door.client(one).revoke(one.certificate, 4)
    assert status_of(door, one.certificate) is CertificateStatus.REVOKED
    with pytest.raises(NotPermitted, match="signer_not_trusted"):
        door.client(one).revoke(one.certificate, 4)


def pending(office: Office, subject: str) -> list[tuple[str, str]]:
    with office.store.read() as session:
        found = session.requests.find(RequestFilter(), Page(limit=200))
    return [(one.id, one.content_sha256) for one in found if one.subject == subject]


@pytest.mark.parametrize("kind", [Body.IR, Body.P10CR])
def test_people_decide_while_the_client_polls(office: Office, who: Who, kind: Body) -> None:
    door = CmpDoor.open(office, approvals=1, check_after_s=7)
    name, waits = host(), list[int]()

    def wait(seconds: int) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            ((request_id, content),) = pending(office, f"CN={name}")
            assert office.reviews.show(who("officer1"), request_id).asked is not None
            office.decisions.approve(who("officer1"), request_id, content)

    csr = x509.load_pem_x509_csr(p256_csr(name).encode()).public_bytes(Encoding.DER)
    issued = door.secret(name)
    client = door.client(
        SharedSecret(issued.credential.reference.encode(), issued.secret.encode()), wait
    )
    got = client.enrol(kind, csr if kind is Body.P10CR else asking(name))
    assert names_of(got.certificate) == [name]
    assert waits == [7, 7]


def test_a_denied_request_is_told(office: Office, who: Who) -> None:
    door = CmpDoor.open(office, approvals=1)
    name = host()

    def wait(_: int) -> None:
        ((request_id, _content),) = pending(office, f"CN={name}")
        office.decisions.deny(who("officer1"), request_id, "not this year")

    issued = door.secret(name)
    who_ = SharedSecret(issued.credential.reference.encode(), issued.secret.encode())
    with pytest.raises(NotPermitted, match="not this year"):
        door.client(who_, wait).enrol(Body.IR, asking(name))


def former_root(root: bytes) -> bytes:
    """A root of the same name, with another key: the one before."""
    return self_signed(key(), x509.load_der_x509_certificate(root).subject)


def test_information(door: CmpDoor) -> None:
    client = door.client(door.enrolled(host()))
    issuing, root = door.office.doors.desk.issuers(door.door)
    (found,) = client.ask(Info(PKIX + "17"))
    assert found.value == der.sequence(issuing)
    assert client.ask(Info(PKIX + "20", root)) == (Info(PKIX + "18"),)
    before = former_root(root)
    assert client.ask(Info(PKIX + "20", before)) == (Info(PKIX + "18", der.sequence(root)),)
    assert client.ask(Info(PKIX + "20", self_signed(key()))) == (Info(PKIX + "18"),)
    (crls,) = client.ask(Info(PKIX + "22"))
    assert crls.value is not None
    crl = x509.load_der_x509_crl(der.Reader(crls.value).enter(der.SEQUENCE).read()[2])
    source = der.explicit(1, der.explicit(4, der.sequence()))
    when = der.time(int(crl.last_update_utc.timestamp()))
    seen = der.sequence(der.sequence(source, when))
    assert client.ask(Info(PKIX + "22", seen)) == (Info(PKIX + "23"),)
    assert client.ask(Info(PKIX + "6"), Info("1.2.3"))[0].value is not None
    (template,) = client.ask(Info(PKIX + "19"))
    assert template.value is not None
    (kinds,) = client.ask(Info(PKIX + "2"))
    assert kinds.value is not None
    with pytest.raises(NotPermitted, match="nothing is known"):
        client.ask(Info("1.2.3"))


# Confirmation


class Silent(Exception):
    """The client went away."""


def unconfirmed(door: CmpDoor, name: str) -> Transaction:
    """What is on record of a client that went away when it should have confirmed."""

    def send(body: bytes) -> bytes:
        if cmp.decode(body).kind is Body.CERTCONF:
            raise Silent
        return door.send(body)

    issued = door.secret(name)
    who_ = SharedSecret(issued.credential.reference.encode(), issued.secret.encode())
    with pytest.raises(Silent):
        door.client(who_, send=send).enrol(Body.IR, asking(name))
    transaction_id = (cmp.decode(door.sent[-1]).header.transaction or b"").hex()
    with door.office.store.read() as session:
        found = session.enrolments.transaction(door.door.name, transaction_id)
    assert found is not None
    return found


def look(door: CmpDoor, transaction: Transaction, later_s: int) -> None:
    """The job that looks after a confirmation, that much later."""
    confirmations = door.office.doors.confirmations
    clock = Later(door.office.clock.ms() + 1000 * later_s)
    looking = type(confirmations)(
        door.office.store, door.office.doors.desk, clock, secrets.token_bytes
    )
    payload = f'{{"door": "{door.door.name}", "transaction": "{transaction.id}", "wait_s": 3600}}'
    looking.run(Lease(Job("1", looking.kind, payload, 0, 1, 0), "x", threading.Event()))


class Later:
    def __init__(self, ms: int) -> None:
        self._ms = ms

    def ms(self) -> int:
        return self._ms

    def s(self) -> int:
        return self._ms // 1000


def test_what_nobody_confirms_is_revoked(door: CmpDoor) -> None:
    transaction = unconfirmed(door, host())
    standing = door.office.doors.desk.standing(door.door, transaction.id)
    assert standing.certificate is not None
    look(door, transaction, 3000)
    assert status_of(door, standing.certificate.der) is CertificateStatus.VALID
    look(door, transaction, 3700)
    assert status_of(door, standing.certificate.der) is CertificateStatus.REVOKED
    look(door, transaction, 3700)  # a job may run twice


def test_what_is_confirmed_stays(door: CmpDoor) -> None:
    name = host()
    got = door.by_secret(door.secret(name)).enrol(Body.IR, asking(name))
    transaction_id = (cmp.decode(door.sent[-1]).header.transaction or b"").hex()
    with door.office.store.read() as session:
        transaction = session.enrolments.transaction(door.door.name, transaction_id)
        kind = door.office.doors.confirmations.kind
        jobs = session.jobs.find(None, kind, None, 1000)
    assert transaction is not None
    assert not [job for job in jobs if transaction.id in job.payload]
    look(door, transaction, 10_000)
    assert status_of(door, got.certificate) is CertificateStatus.VALID
    again = cmp.decode(door.send(door.sent[-1]))  # the very certConf once more
    assert failures(cmp.encode(again)) == {Failure.CERT_CONFIRMED}


@pytest.mark.parametrize("how", ["rejection", "error", "nothing"])
def test_what_the_client_does_not_want_is_revoked(door: CmpDoor, how: str) -> None:
    name, own = host(), key()

    def send(body: bytes) -> bytes:
        message = cmp.decode(body)
        if message.kind is not Body.CERTCONF:
            return door.send(body)
        (one,) = cmp_bodies.confirmations(message.content)
        rejected = cmp_bodies.rejection(Failure.INCORRECT_DATA, "not what I wanted")
        content = cmp_bodies.encode_confirmation(replace(one, status=rejected))
        kind = Body.CERTCONF
        if how == "error":
            kind, content = Body.ERROR, cmp_bodies.encode_error(rejected)
        if how == "nothing":
            content = der.sequence()
        assert message.header.protection is not None
        bare = cmp.message(message.header, kind, content)
        method = cmp_mac.decode(message.header.protection)
        value = method.over(method.key(issued.secret.encode()), bare.protected)
        return door.send(cmp.encode(cmp.with_protection(bare, value)))

    issued = door.secret(name)
    who_ = SharedSecret(issued.credential.reference.encode(), issued.secret.encode())
    got = door.client(who_, send=send).enrol(Body.IR, asking(name, own))
    assert status_of(door, got.certificate) is CertificateStatus.REVOKED


# Keys that are made here


def opened(content: bytes, unwrap: Callable[[bytes, bytes], bytes]) -> bytes:
    """The PKCS#8 in an EnvelopedData, whose signature is looked at by nobody here."""
    reader = der.Reader(der.single(content, der.SEQUENCE)[1])
    reader.content(der.INTEGER)
    _, recipient, _ = reader.enter(der.SET).read()
    inner = reader.enter(der.SEQUENCE)
    inner.content(der.OID)
    how = inner.enter(der.SEQUENCE)
    how.content(der.OID)
    iv, encrypted = how.content(der.OCTET_STRING), inner.content(der.CONTEXT)
    wrapped = der.Reader(recipient)
    parts = [wrapped.read()]
    while wrapped:
        parts.append(wrapped.read())
    key_ = unwrap(parts[-1][1], parts[1][1])
    engine = Cipher(algorithms.AES(key_), modes.CBC(iv)).decryptor()
    signed = engine.update(encrypted) + engine.finalize()
    signed = signed[: -signed[-1]]
    at = der.Reader(der.single(signed, der.SEQUENCE)[1])
    at.read(), at.read()
    package = at.enter(der.SEQUENCE)
    package.content(der.OID)
    octets = package.enter(0xA0).content(der.OCTET_STRING)
    return der.Reader(der.single(octets, der.SEQUENCE)[1]).read()[2]


def keyless(name: str, algorithm: bytes | None = None) -> bytes:
    wanted = replace(template(f"CN={name}", (f"dns:{name}",)), key_algorithm=algorithm)
    return der.sequence(der.sequence(der.integer(0), crmf.encode_template(wanted)))


def test_a_key_is_made_for_who_has_a_secret(office: Office) -> None:
    door = CmpDoor.open(office, server_keys=["ec-p256", "rsa-2048"])
    name = host()
    issued = door.secret(name)

    def unwrap(wrapped: bytes, derivation: bytes) -> bytes:
        parameters = der.Reader(derivation)
        parameters.content(der.OID)
        inner = parameters.enter(der.SEQUENCE)
        salt = inner.content(der.OCTET_STRING)
        count = der.decode_integer(inner.content(der.INTEGER))
        secret = issued.secret.encode()
        return aes_key_unwrap(hashlib.pbkdf2_hmac("sha256", secret, salt, count, 32), wrapped)

    got = door.by_secret(issued).enrol(Body.IR, keyless(name), implicit=True)
    assert got.key is not None
    made = load_der_private_key(opened(got.key, unwrap), None)
    certified = x509.load_der_x509_certificate(got.certificate).public_key()
    assert made.public_key() == certified
    assert names_of(got.certificate) == [name]
    with pytest.raises(NotPermitted, match="not_authorized"):  # another identity
        door.by_secret(door.secret(host())).enrol(Body.IR, keyless(host()))


def test_keys_are_not_made_where_nobody_allowed_it(door: CmpDoor, office: Office) -> None:
    name = host()
    with pytest.raises(NotPermitted, match="bad_cert_template"):
        door.by_secret(door.secret(name)).enrol(Body.IR, keyless(name))
    some = CmpDoor.open(office, server_keys=["ec-p256"])
    rsa_wanted = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL)
    with pytest.raises(NotPermitted, match="ec-p256"):
        some.by_secret(some.secret(name)).enrol(Body.IR, keyless(name, rsa_wanted))


# Registration authorities


def vouching(name: str) -> bytes:
    """A CertReqMsg in which somebody vouches for the key."""
    given = der.Reader(der.single(asking(name), der.SEQUENCE)[1])
    return der.sequence(given.read()[2], der.implicit(0, b""))


def test_a_trusted_authority_vouches_for_keys(
    door: CmpDoor, trusting: CmpDoor, authority: Holder
) -> None:
    name = host()
    got = trusting.client(authority).enrol(Body.IR, vouching(name))
    assert names_of(got.certificate) == [name]
    trusting.client(authority).revoke(got.certificate)
    for client in (door.client(authority), trusting.by_secret(trusting.secret(name))):
        with pytest.raises(NotPermitted, match=r"bad_pop|not_authorized"):
            client.enrol(Body.IR, vouching(name))


class PassingOn:
    """A registration authority that puts what it is sent into a message of its own."""

    def __init__(self, door: CmpDoor, authority: Holder, *, batch: int = 0) -> None:
        self.door, self.batch = door, batch
        self.own = door.client(authority)

    def __call__(self, body: bytes) -> bytes:
        inner = cmp.decode(body)
        header = replace(
            inner.header,
            transaction=secrets.token_bytes(16) if self.batch else inner.header.transaction,
        )
        content = der.sequence(*[body] * max(1, self.batch))
        outer = self.own.protected(header, Body.NESTED, content)
        answer = self.door.send(cmp.encode(outer))
        if not self.batch:
            return answer
        assert cmp.decode(answer).kind is Body.NESTED
        parts = der.Reader(der.single(cmp.decode(answer).content, der.SEQUENCE)[1])
        return parts.read()[2]


@pytest.mark.parametrize("known", [True, False])
def test_an_authority_adds_its_protection(
    trusting: CmpDoor, authority: Holder, known: bool
) -> None:
    """The inner message's secret may be one that only the authority knows."""
    name = host()
    issued = trusting.secret(name)
    reference = issued.credential.reference.encode() if known else b"nobody here"
    client = trusting.client(
        SharedSecret(reference, issued.secret.encode()), send=PassingOn(trusting, authority)
    )
    assert names_of(client.enrol(Body.IR, asking(name)).certificate) == [name]


def test_an_inner_protection_that_is_wrong_is_refused(trusting: CmpDoor, authority: Holder) -> None:
    issued = trusting.secret(host())
    client = trusting.client(
        SharedSecret(issued.credential.reference.encode(), b"wrong"),
        send=PassingOn(trusting, authority),
    )
    with pytest.raises(NotPermitted, match="bad_message_check"):
        client.enrol(Body.IR, asking(host()))


def test_a_batch_is_answered_one_by_one(trusting: CmpDoor, authority: Holder) -> None:
    name = host()
    holder = Holder(authority.certificate, authority.key)
    client = trusting.client(holder, send=PassingOn(trusting, authority, batch=2))
    got = client.enrol(Body.IR, asking(name), implicit=True)
    assert names_of(got.certificate) == [name]


def test_nobody_else_passes_messages_on(door: CmpDoor, authority: Holder) -> None:
    passing = PassingOn(door, authority)
    with pytest.raises(NotPermitted, match=r"not_authorized|bad_request"):
        door.client(authority, send=passing).enrol(Body.CR, asking("ra.example.org"))


# Bad input


def first(door: CmpDoor, client: CmpClient, name: str) -> bytes:
    """The message with which an enrolment would begin."""
    caught: list[bytes] = []

    def send(body: bytes) -> bytes:
        caught.append(body)
        raise Silent

    with pytest.raises(Silent):
        client.sending(send).enrol(Body.IR, asking(name))
    return caught[0]


def test_repetitions_have_one_effect(door: CmpDoor) -> None:
    name = host()
    body = first(door, door.by_secret(door.secret(name)), name)
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: door.send(body), range(200)))
    answers = [cmp.decode(reply) for reply in replies]
    assert sum(one.kind is Body.IP for one in answers) == 1
    refused = {Failure.TRANSACTION_ID_IN_USE}
    assert all(failures(cmp.encode(one)) == refused for one in answers if one.kind is Body.ERROR)
    assert len(pending(door.office, f"CN={name}")) == 1


def test_guessing_a_secret_locks_it(door: CmpDoor) -> None:
    name = host()
    issued = door.secret(name)
    wrong = replace(issued, secret="a guess of somebody")
    for _ in range(issued.credential.max_failures):
        with pytest.raises(NotPermitted, match="bad_message_check"):
            door.by_secret(wrong).enrol(Body.IR, asking(name))
    locked = door.office.doors.credentials.show(SYSTEM, issued.credential.id)
    assert locked.state is CredentialState.LOCKED
    with pytest.raises(NotPermitted, match="bad_message_check"):
        door.by_secret(issued).enrol(Body.IR, asking(name))


def test_who_asks_for_another_identity_has_burnt_the_secret(door: CmpDoor) -> None:
    issued = door.secret(host())
    with pytest.raises(NotPermitted, match="not_authorized"):
        door.by_secret(issued).enrol(Body.IR, asking(host()))
    burnt = door.office.doors.credentials.show(SYSTEM, issued.credential.id)
    assert burnt.state is CredentialState.LOCKED


def test_a_stranger_may_not_go_on_with_a_transaction(door: CmpDoor) -> None:
    name = host()
    holder = door.enrolled(host())
    transaction = unconfirmed(door, name)
    bare = cmp.message(
        cmp.Header(
            transaction=bytes.fromhex(transaction.id),
            sender_nonce=secrets.token_bytes(16),
            recipient_nonce=secrets.token_bytes(32),
        ),
        Body.POLLREQ,
        cmp_bodies.encode_poll(0),
    )
    signed = door.client(holder).protected(bare.header, bare.kind, bare.content)
    assert failures(door.send(cmp.encode(signed))) == {Failure.NOT_AUTHORIZED}


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"version": 1}, Failure.UNSUPPORTED_VERSION),
        ({"version": 99}, Failure.UNSUPPORTED_VERSION),
        ({"transaction": None}, Failure.BAD_REQUEST),
        ({"sender_nonce": None}, Failure.BAD_SENDER_NONCE),
        ({"sender_nonce": b"short"}, Failure.BAD_SENDER_NONCE),
        ({"time": 1}, Failure.BAD_TIME),
    ],
)
def test_headers_that_are_refused(
    door: CmpDoor, authority: Holder, change: dict[str, object], failure: Failure
) -> None:
    good = cmp.Header(transaction=secrets.token_bytes(16), sender_nonce=secrets.token_bytes(16))
    header = replace(good, **change)  # type: ignore[arg-type]
    message = door.client(authority).protected(header, Body.GENM, cmp.encode_info(()))
    reply = door.post(cmp.encode(message))
    assert reply.status == 200
    assert failures(reply.body) == {failure}


@pytest.mark.parametrize("kind", [body for body in Body if body is not Body.GENM])
def test_bodies_of_the_wrong_kind(door: CmpDoor, authority: Holder, kind: Body) -> None:
    header = cmp.Header(transaction=secrets.token_bytes(16), sender_nonce=secrets.token_bytes(16))
    for content in (der.sequence(), der.NULL, der.sequence(der.sequence()), der.octet_string(b"")):
        message = door.client(authority).protected(header, kind, content)
        reply = cmp.decode(door.send(cmp.encode(message)))
        assert reply.protection is not None
        assert failures(cmp.encode(reply))


def test_messages_that_nobody_protected(door: CmpDoor, authority: Holder) -> None:
    header = cmp.Header(transaction=secrets.token_bytes(16), sender_nonce=secrets.token_bytes(16))
    signed = door.client(authority).protected(header, Body.GENM, cmp.encode_info(()))
    bare = replace(signed, protection=None)
    assert failures(door.send(cmp.encode(bare))) == {Failure.BAD_MESSAGE_CHECK}
    broken = replace(signed, protection=bytes(64))
    assert failures(door.send(cmp.encode(broken))) == {Failure.BAD_MESSAGE_CHECK}
    alone = replace(signed, certificates=())
    assert failures(door.send(cmp.encode(alone))) == {Failure.ADD_INFO_NOT_AVAILABLE}
    strange = replace(signed, certificates=(der.sequence(), *signed.certificates))
    assert cmp.decode(door.send(cmp.encode(strange))).kind is Body.GENP


@pytest.mark.parametrize("count", [0, 99, 100_001, 2**31, 2**63])
def test_a_count_of_iterations_is_bounded_before_it_is_paid(door: CmpDoor, count: int) -> None:
    issued = door.secret(host())
    message = cmp.decode(first(door, door.by_secret(issued), host()))
    method = replace(cmp_mac.decode(message.header.protection or b""), iterations=count)
    header = replace(message.header, protection=cmp_mac.encode(method))
    bare = cmp.message(header, message.kind, message.content)
    reply = door.send(cmp.encode(cmp.with_protection(bare, b"x" * 32)))
    assert failures(reply) == {Failure.BAD_REQUEST}


def test_what_is_no_message_at_all(door: CmpDoor) -> None:
    bombs = (
        b"",
        b"\x30\x80" * 100_000,
        b"\x30\x84\x06\x00\x00\x00",  # a length of 100 MB
        b"\x30\x82\x00\x01\x00",
        b"<html>",
    )
    for bomb in bombs:
        reply = door.post(bomb)
        assert reply.status == 400
        assert cmp.decode(reply.body).kind is Body.ERROR
    assert door.post(bytes(cmp.MAX_MESSAGE + 1)).status == 413


def test_a_flood_of_bad_messages_is_not_signed_for_ever(door: CmpDoor) -> None:
    header = cmp.Header(transaction=secrets.token_bytes(16), sender_nonce=secrets.token_bytes(16))
    body = cmp.encode(cmp.message(header, Body.GENM, cmp.encode_info(())))
    flood = CmpDoor(door.office, door.door, origin="198.51.100.7")
    first = answer = cmp.decode(flood.send(body))
    assert first.protection is not None
    for _ in range(1000):  # a slow machine gives tokens back meanwhile
        if answer.protection is None:
            break
        answer = cmp.decode(flood.send(body))
    assert answer.protection is None
    assert failures(cmp.encode(answer)) == {Failure.BAD_MESSAGE_CHECK}
    elsewhere = CmpDoor(door.office, door.door, origin="198.51.100.8")
    assert cmp.decode(elsewhere.send(body)).protection is not None


def test_addresses(door: CmpDoor, authority: Holder) -> None:
    header = cmp.Header(transaction=secrets.token_bytes(16), sender_nonce=secrets.token_bytes(16))
    body = cmp.encode(
        door.client(authority).protected(header, Body.GENM, cmp.encode_info([Info(PKIX + "17")]))
    )
    other = CmpDoor(door.office, door.door, "/getcacerts")
    assert cmp.decode(other.send(body)).kind is Body.GENP
    other.operation = "/keyupdate"
    assert failures(other.send(body)) == {Failure.BAD_REQUEST}
    other.operation = "/no/such"
    assert other.post(body).status == 404
    other.door = replace(door.door, label="nowhere")
    assert other.post(body).status == 404
