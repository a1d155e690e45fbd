"""The door for EST, whole but for the sockets: what goes in, what comes out, what is on record."""

import base64
import datetime as dt
import email
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from browsing import Browser
from cmc_client import pki_data, signed
from cmp_door import wish
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1.type import univ
from pyasn1_alt_modules import rfc6402

from chancery.app.office import Office
from chancery.app.worker import roster
from chancery.domain.certificate import RevocationReason
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.errors import BadRequest
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.shipped import PROFILES
from chancery.ports import Page, RequestFilter
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.enrolment import NewCredential
from chancery.web import create_web
from chancery.wire import cms, der, est_wishes, names, pkcs7
from chancery.wire.general_names import encode_san, parse

# What differs between engines is tried below the doors.
pytestmark = pytest.mark.parametrize("office", ["sqlite"], indirect=True)

Who = Callable[[str], Principal]
PASSWORD = "correct horse battery"
USER, HOST = "plc-7", "plc-7.example.org"
PKCS10, CMC = "application/pkcs10", "application/pkcs7-mime; smime-type=CMC-request"
KEY = ec.generate_private_key(ec.SECP256R1())


def request(
    host: str = HOST,
    key: ec.EllipticCurvePrivateKey | None = None,
    challenge: bytes | None = None,
    attributes: dict[str, bytes] | None = None,
) -> bytes:
    """DER PKCS#10 for CN and SAN *host*; *attributes*: DER values by OID."""
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    if challenge is not None:
        oid = x509.oid.AttributeOID.CHALLENGE_PASSWORD
        builder = builder.add_attribute(oid, challenge)
    made = builder.sign(key or KEY, hashes.SHA256())
    if not attributes:
        return made.public_bytes(Encoding.DER)
    return with_attributes(made, attributes, key or KEY)


def with_attributes(
    made: x509.CertificateSigningRequest,
    attributes: dict[str, bytes],
    key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """The same request with more attributes, signed again."""
    reader = der.Reader(der.single(made.tbs_certrequest_bytes, der.SEQUENCE)[1])
    parts = [reader.read()[2] for _ in range(3)]
    content = reader.content(0xA0)
    for oid, value in attributes.items():
        content += der.sequence(der.oid(oid), der.set_of(value))
    info = der.sequence(*parts, der.implicit(0, content, constructed=True))
    signature = key.sign(info, ec.ECDSA(hashes.SHA256()))
    return der.sequence(
        info, der.sequence(der.oid("1.2.840.10045.4.3.2")), der.bit_string(signature)
    )


class Client:
    """Sends to one door, as one user or with a certificate."""

    def __init__(self, office: Office, door: Door) -> None:
        self.office, self.door = office, door
        self.certificate: bytes | None = None
        self.tls_unique: bytes | None = None
        self.authorization: str | None = None

    def basic(self, password: str = PASSWORD, user: str = USER) -> "Client":
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        return self

    def holding(self, certificate: bytes) -> "Client":
        self.certificate = certificate
        return self

    def ask(
        self, operation: str, body: bytes | None = None, media: str = PKCS10, **headers: str
    ) -> Reply:
        fields = {name.replace("_", "-"): text for name, text in headers.items()}
        if self.authorization is not None:
            fields.setdefault("authorization", self.authorization)
        if body is not None:
            fields.setdefault("content-type", media)
            body = base64.b64encode(body)
        return self.send("GET" if body is None else "POST", operation, body or b"", fields)

    def send(self, method: str, operation: str, body: bytes, fields: dict[str, str]) -> Reply:
        path = f"/.well-known/est/{self.door.label}/{operation}"
        exchange = Exchange(
            method=method,
            path=path,
            tail=path.removeprefix("/.well-known/est/"),
            query="",
            headers=fields,
            body=body,
            origin="192.0.2.30",
            secure=True,
            certificate=self.certificate,
            tls_unique=self.tls_unique,
            base="https://ca.example.org",
        )
        return self.office.doors.handlers.of(DoorProtocol.EST).handle(exchange)

    def enrolled(self, **asked: Any) -> bytes:
        return certificate(self.ask("simpleenroll", request(**asked)))


def certificate(reply: Reply) -> bytes:
    assert reply.status == 200, reply
    assert ("Content-Type", "application/pkcs7-mime; smime-type=certs-only") in reply.headers
    (found,) = pkcs7.certificates(base64.b64decode(reply.body, validate=True))
    return found


@pytest.fixture
def door(office: Office) -> Door:
    return opened(office)


def opened(office: Office, *, approvals: int = 0, **settings: object) -> Door:
    label = f"e-{uuid.uuid4().hex[:8]}"
    door = Door(
        DoorProtocol.EST,
        label,
        ra="main",
        profile="device",
        profiles=("user",),
        approvals=approvals,
        settings=settings,
    )
    made = office.doors.service.put(SYSTEM, door)
    user(office, made)
    return made


def user(office: Office, door: Door, **more: Any) -> None:
    wanted: dict[str, Any] = {
        "reference": USER,
        "secret": PASSWORD,
        "binding": Binding(subject_pattern=r"CN=[a-z0-9.-]+\.example\.org"),
        "uses": None,
        "recoverable": True,
    }
    office.doors.credentials.issue(
        SYSTEM, door.name, NewCredential(CredentialKind.USER, **(wanted | more))
    )


@pytest.fixture
def client(office: Office, door: Door) -> Client:
    return Client(office, door)


def rules(client: Client) -> list[str]:
    """What is on record of the door, newest first."""
    client.office.doors.traffic.write()
    return [seen.outcome for seen in client.office.doors.service.traffic(SYSTEM, client.door.name)]


# Authentication


def test_a_password_enrols_and_its_repetition_has_no_effect(client: Client) -> None:
    client.basic()
    asked = request()
    first = certificate(client.ask("simpleenroll", asked))
    assert x509.load_der_x509_certificate(first).public_key() == KEY.public_key()
    assert certificate(client.ask("simpleenroll", asked)) == first
    assert rules(client) == ["ok", "ok"]


def test_without_or_with_a_wrong_password_there_is_a_challenge_and_no_body(client: Client) -> None:
    for reply in (
        client.ask("simpleenroll", request()),
        client.basic("wrong").ask("simpleenroll", request()),
    ):
        assert (reply.status, reply.body) == (401, b"")
        assert reply.headers == (
            ("WWW-Authenticate", f'Basic realm="EST {client.door.label}", charset="UTF-8"'),
        )
    assert rules(client) == ["credential.valid", "est.authentication"]


def test_wrong_passwords_lock(office: Office, client: Client) -> None:
    user(office, client.door, reference="other", max_failures=2)
    for _ in range(2):
        assert client.basic("wrong", "other").ask("simpleenroll", request()).status == 401
    assert client.basic(PASSWORD, "other").ask("simpleenroll", request()).status == 401
    assert client.basic(PASSWORD).ask("simpleenroll", request()).status == 200


def digest_of(
    client: Client,
    challenge: str,
    password: str = PASSWORD,
    algorithm: str = "SHA-256",
    uri: str = "",
    name: str = USER,
) -> str:
    """An independent computation: RFC 7616 §3.4."""
    nonce = challenge.partition('nonce="')[2].partition('"')[0]
    realm = challenge.partition('realm="')[2].partition('"')[0]
    uri = uri or f"/.well-known/est/{client.door.label}/simpleenroll"
    h = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}[algorithm]
    a1 = h(f"{name}:{realm}:{password}".encode()).hexdigest()
    a2 = h(f"POST:{uri}".encode()).hexdigest()
    response = h(f"{a1}:{nonce}:00000001:abc:auth:{a2}".encode()).hexdigest()
    return (
        f'Digest username="{name}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm={algorithm}, '
        f'response="{response}", qop=auth, nc=00000001, cnonce="abc"'
    )


def challenges(reply: Reply) -> list[str]:
    assert reply.status == 401
    return [text for name, text in reply.headers if name == "WWW-Authenticate"]


def test_digest_where_the_door_offers_it(office: Office) -> None:
    client = Client(office, opened(office, digest=True))
    strong, basic = challenges(client.ask("simpleenroll", request()))
    assert "algorithm=SHA-256" in strong
    assert basic.startswith("Basic")
    client.authorization = digest_of(client, strong)
    assert client.ask("simpleenroll", request()).status == 200
    for wrong in (
        digest_of(client, strong, password="other"),
        digest_of(client, strong, uri="/.well-known/est/main/simpleenroll"),
        digest_of(client, strong, algorithm="MD5"),
        digest_of(client, strong.replace('realm="', 'realm="x')),
    ):
        client.authorization = wrong
        assert client.ask("simpleenroll", request()).status == 401
    client.authorization = digest_of(client, strong.replace('nonce="', 'nonce="A'))
    assert "stale=true" in challenges(client.ask("simpleenroll", request()))[0]


def test_digest_by_a_name_in_utf_8(office: Office) -> None:
    client = Client(office, opened(office, digest=True))
    user(office, client.door, reference="Müller")
    strong = challenges(client.ask("simpleenroll", request()))[0]
    field = digest_of(client, strong, name="Müller")
    client.authorization = field.encode().decode("latin-1")  # as the server sees octets
    assert client.ask("simpleenroll", request()).status == 200


def test_digest_with_md5_only_if_a_setting_says_so(office: Office) -> None:
    client = Client(office, opened(office, digest=True, digest_md5=True))
    _, weak, _ = challenges(client.ask("simpleenroll", request()))
    client.authorization = digest_of(client, weak, algorithm="MD5")
    assert client.ask("simpleenroll", request()).status == 200


MODES = [
    # setting, password, certificate, simpleenroll, simplereenroll
    ("either", False, False, 401, 401),
    ("either", True, False, 200, 401),
    ("either", False, True, 200, 200),
    ("either", True, True, 200, 200),
    ("password", True, False, 200, 401),
    ("password", False, True, 401, 401),
    ("password", True, True, 200, 200),
    ("certificate", True, False, 403, 403),
    ("certificate", False, True, 200, 200),
    ("both", True, False, 401, 401),
    ("both", False, True, 401, 401),
    ("both", True, True, 200, 200),
]


@pytest.mark.parametrize(("way", "password", "holds", "first", "renewal"), MODES)
def test_how_a_client_says_who_it_is(
    office: Office, way: str, password: bool, holds: bool, first: int, renewal: int
) -> None:
    door = opened(office)
    mine = Client(office, door).basic().enrolled()
    changed = replace(door, settings={**door.settings, "authentication": way})
    client = Client(office, office.doors.service.put(SYSTEM, changed))
    if password:
        client.basic()
    if holds:
        client.holding(mine)
    other = ec.generate_private_key(ec.SECP256R1())
    assert client.ask("simpleenroll", request(key=other)).status == first
    assert client.ask("simplereenroll", request(key=other)).status == renewal


def test_a_revoked_or_foreign_certificate_is_none(office: Office, client: Client) -> None:
    mine = client.basic().enrolled()
    desk = office.doors.desk
    desk.revoke(client.door, desk.holder(client.door, mine), RevocationReason.superseded, "", "")
    client.authorization = None
    for bad in (mine, desk.issuers(client.door)[0], b"0\0"):
        reply = client.holding(bad).ask("simplereenroll", request())
        assert (reply.status, reply.body) == (401, b"")
    assert rules(client)[:3] == ["certificate.holder"] * 3
    assert client.basic().ask("simpleenroll", request(host="new.example.org")).status == 200


# What is asked for


def test_a_password_is_bound_to_an_identity(office: Office, client: Client) -> None:
    binding = Binding(subject=f"CN={HOST}", names=(parse(f"dns:{HOST}"),), profile="device")
    user(office, client.door, reference="bound", binding=binding, max_failures=100)
    client.basic(user="bound")
    for operation in ("simpleenroll", "serverkeygen"):
        reply = client.ask(operation, request("admin.example.org"))
        assert (reply.status, rules(client)[0]) == (403, "credential.binding")
        assert b"bound to another identity" in reply.body
    assert client.ask("simpleenroll", request()).status == 200
    assert client.ask("serverkeygen", request()).status == 200


def test_a_renewal_keeps_subject_and_names(client: Client) -> None:
    mine = client.basic().enrolled()
    client.authorization = None
    client.holding(mine)
    other = ec.generate_private_key(ec.SECP256R1())
    renewed = certificate(client.ask("simplereenroll", request(key=other)))
    assert renewed != mine
    for operation in ("simplereenroll", "simpleenroll", "serverkeygen"):
        reply = client.ask(operation, request("other.example.org", key=other))
        assert reply.status in (400, 403), reply
        assert rules(client)[0] in ("renewal.names", "est.identity")


def test_a_new_name_at_renewal_where_a_setting_says_so(office: Office) -> None:
    wish = der.sequence(
        names.encode_name(names.parse_text("CN=new.example.org")),
        b"\xa1" + encode_san([parse(f"dns:{HOST}"), parse("dns:new.example.org")])[1:],
    )
    asked = request(attributes={est_wishes.CHANGE_SUBJECT_NAME: wish})
    strict = Client(office, opened(office))
    strict.holding(strict.basic().enrolled())
    reply = strict.ask("simplereenroll", asked)
    assert (reply.status, rules(strict)[0]) == (403, "est.change-subject-name")
    lenient = Client(office, opened(office, change_subject=True))
    lenient.holding(lenient.basic().enrolled())
    found = x509.load_der_x509_certificate(certificate(lenient.ask("simplereenroll", asked)))
    assert found.subject.rfc4514_string() == "CN=new.example.org"
    again = request("third.example.org", attributes={est_wishes.CHANGE_SUBJECT_NAME: wish})
    assert lenient.ask("simplereenroll", again).status == 403


def test_proof_of_possession_is_bound_to_the_connection(office: Office) -> None:
    client = Client(office, opened(office)).basic()
    client.tls_unique = os.urandom(12)
    binding = base64.b64encode(client.tls_unique)
    assert client.ask("simpleenroll", request(challenge=binding)).status == 200
    for channel, challenge in (
        (client.tls_unique, b"secret"),
        (None, binding),
        (b"x" * 12, binding),
    ):
        client.tls_unique = channel
        reply = client.ask("simpleenroll", request(challenge=challenge))
        assert (reply.status, rules(client)[0]) == (400, "est.channel-binding")
    strict = Client(office, opened(office, channel_binding=True)).basic()
    assert strict.ask("simpleenroll", request()).status == 400
    attributes = base64.b64decode(strict.ask("csrattrs").body)
    assert der.oid("1.2.840.113549.1.9.7") in attributes


def test_people_approve_and_the_client_asks_again(office: Office, who: Who) -> None:
    client = Client(office, opened(office, approvals=1, retry_after_s=7)).basic()
    for asked, operation in (
        (request(), "simpleenroll"),
        (request(host="k.example.org"), "serverkeygen"),
    ):
        reply = client.ask(operation, asked)
        assert (reply.status, reply.headers, reply.body) == (202, (("Retry-After", "7"),), b"")
        assert client.ask(operation, asked).status == 202
        found = newest(office, who)
        office.decisions.approve(who("officer1"), found.id, found.content_sha256)
        assert client.ask(operation, asked).status == 200
    asked = request(host="no.example.org")
    client.ask("simpleenroll", asked)
    found = newest(office, who)
    office.decisions.deny(who("officer1"), found.id, "unknown device")
    reply = client.ask("simpleenroll", asked)
    assert (reply.status, rules(client)[0]) == (403, "request.denied")
    assert b"unknown device" in reply.body


def newest(office: Office, who: Who) -> Any:

    return office.registration.find(who("officer1"), RequestFilter(), Page(limit=1))[0]


def test_many_repetitions_at_once_have_one_effect(client: Client) -> None:
    client.holding(client.basic().enrolled())
    client.authorization = None
    asked = request(key=ec.generate_private_key(ec.SECP256R1()))
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda _: client.ask("simplereenroll", asked), range(100)))
    assert {certificate(reply) for reply in replies} == {certificate(replies[0])}


# Keys made here


def test_a_key_made_here_in_the_clear(client: Client) -> None:
    reply = client.basic().ask("serverkeygen", request())
    key, mine = parts(reply)
    assert key.get_content_type() == "application/pkcs8"
    private = load_der_private_key(key.get_payload(decode=True), None)
    (found,) = pkcs7.certificates(mine.get_payload(decode=True))
    assert x509.load_der_x509_certificate(found).public_key() == private.public_key()
    assert private.public_key() != KEY.public_key()


def parts(reply: Reply) -> Any:
    assert reply.status == 200, reply
    head = f"Content-Type: {dict(reply.headers)['Content-Type']}\r\n\r\n".encode()
    return email.message_from_bytes(head + reply.body).get_payload()


def test_a_key_made_here_under_a_shared_key(office: Office, client: Client) -> None:
    kek = os.urandom(32)
    new = NewCredential(CredentialKind.SECRET, reference="kek-1", secret=kek.hex(), uses=None)
    office.doors.credentials.issue(SYSTEM, client.door.name, new)
    asked = request(attributes={est_wishes.DECRYPT_KEY_ID: der.octet_string(b"kek-1")})
    key, _ = parts(client.basic().ask("serverkeygen", asked))
    assert dict(key.get_params())["smime-type"] == "server-generated-key"
    assert der.oid(cms.ENVELOPED_DATA) in key.get_payload(decode=True)


@pytest.mark.parametrize(
    "attributes",
    [
        {est_wishes.DECRYPT_KEY_ID: der.octet_string(b"unknown")},
        {est_wishes.DECRYPT_KEY_ID: der.octet_string(USER.encode())},
        {est_wishes.ASYMMETRIC_DECRYPT_KEY_ID: der.octet_string(b"unknown")},
        {est_wishes.SMIME_CAPABILITIES: der.sequence(der.sequence(der.oid("1.2.840.113549.3.7")))},
    ],
)
def test_a_key_is_not_made_for_whom_it_cannot_be_encrypted(
    client: Client, attributes: dict[str, bytes]
) -> None:
    reply = client.basic().ask("serverkeygen", request(attributes=attributes))
    assert (reply.status, rules(client)[0]) == (400, "est.decrypt-key")
    mine = client.enrolled()  # digitalSignature alone: no key may be encrypted for it
    found = x509.load_der_x509_certificate(mine).extensions
    digest = found.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    asked = request(attributes={est_wishes.ASYMMETRIC_DECRYPT_KEY_ID: der.octet_string(digest)})
    assert client.holding(mine).ask("serverkeygen", asked).status == 400


# CMC


def told(reply: Reply) -> tuple[int, Any, list[bytes]]:
    """(CMCStatus, CMCStatusInfoV2, certificates); who may sign it is OpenSSL's affair elsewhere."""
    message = cms.read_signed(base64.b64decode(reply.body))
    message.verify(message.signer())
    assert message.content_type == "1.3.6.1.5.5.7.12.3"
    found, _ = decode(message.content, asn1Spec=rfc6402.PKIResponse())
    (info,) = (c for c in found["controlSequence"] if c["attrType"] == rfc6402.id_cmc_statusInfoV2)
    status, _ = decode(bytes(info["attrValues"][0]), asn1Spec=rfc6402.CMCStatusInfoV2())
    return int(status["cMCStatus"]), status, [one.der for one in message.certificates]


def cmc(
    client: Client, asked: bytes | None, *controls: tuple[str, bytes], by: bytes | None = None
) -> Reply:
    mine = None if by is None else x509.load_der_x509_certificate(by)
    return client.ask("fullcmc", signed(pki_data(asked, list(controls)), KEY, mine), CMC)


def test_cmc_enrols_by_password_and_renews_by_signature(client: Client) -> None:
    client.basic()
    status, _, found = told(cmc(client, request()))
    assert status == 0
    (mine,) = (
        c for c in found if x509.load_der_x509_certificate(c).public_key() == KEY.public_key()
    )
    client.authorization = None
    status, _, again = told(cmc(client, request(), by=mine))
    assert status == 0
    assert set(again) - set(found)
    refused = cmc(client, request("other.example.org"), by=mine)
    assert refused.status == 400
    status, info, _ = told(refused)
    assert (status, int(info["otherInfo"]["failInfo"])) == (2, 2)


def test_cmc_takes_crmf_as_well(client: Client) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    content = der.single(wish(own, f"CN={HOST}", (f"dns:{HOST}",)), der.SEQUENCE)[1]
    empty = der.sequence()
    asked = der.sequence(der.implicit(1, content, constructed=True))
    message = signed(der.sequence(empty, asked, empty, empty), own, None)
    status, _, found = told(client.basic().ask("fullcmc", message, CMC))
    assert status == 0
    keys = [x509.load_der_x509_certificate(one).public_key() for one in found]
    assert own.public_key() in keys
    bare = client.ask("simpleenroll", der.tlv(der.SEQUENCE, content))
    assert (bare.status, rules(client)[0]) == (415, "est.media")


def test_cmc_waits_for_people(office: Office, who: Who) -> None:
    client = Client(office, opened(office, approvals=1)).basic()
    asked = request()
    reply = cmc(client, asked)
    assert reply.status == 202
    status, info, _ = told(reply)
    assert status == 3
    query = (
        "1.3.6.1.5.5.7.7.21",
        encode(univ.OctetString(bytes(info["otherInfo"]["pendInfo"]["pendToken"]))),
    )
    poll = signed(pki_data(None, [query]), KEY, self_signed())
    assert told(client.ask("fullcmc", poll, CMC))[0] == 3
    found = newest(office, who)
    office.decisions.approve(who("officer1"), found.id, found.content_sha256)
    for message in (poll, signed(pki_data(asked), KEY, None)):
        assert told(client.ask("fullcmc", message, CMC))[0] == 0
    user(office, client.door, reference="other")
    stranger = client.basic(user="other").ask("fullcmc", poll, CMC)
    assert (stranger.status, told(stranger)[0]) == (404, 2)


def self_signed() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody yet")])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(KEY, hashes.SHA256())
    )


def test_cmc_revokes_for_the_holder(client: Client) -> None:
    client.basic()
    mine = client.enrolled()
    client.authorization = None
    parsed = x509.load_der_x509_certificate(mine)
    value = der.sequence(
        parsed.issuer.public_bytes(),
        der.integer(parsed.serial_number),
        der.tlv(der.ENUMERATED, b"\x04"),
    )
    assert told(cmc(client, None, ("1.3.6.1.5.5.7.7.17", value), by=mine))[0] == 0
    assert cmc(client, None, ("1.3.6.1.5.5.7.7.17", value), by=mine).status == 401


def test_cmc_that_is_not_what_it_says(client: Client) -> None:
    client.basic()
    good = signed(pki_data(request()), KEY, None)
    stranger = ec.generate_private_key(ec.SECP256R1())
    for body in (
        good[:-40],
        good.replace(
            bytes.fromhex("2b0601050507") + b"\x0c\x02", bytes.fromhex("2b0601050507") + b"\x0c\x03"
        ),
        signed(pki_data(request()), stranger, None),
        signed(b"0\0", KEY, None),
        request(),
    ):
        assert client.ask("fullcmc", body, CMC).status == 400
    reply = cmc(client, request(), ("1.3.6.1.5.5.7.7.3", encode(univ.OctetString(b"proof"))))
    assert (reply.status, told(reply)[0]) == (400, 2)
    assert rules(client)[0] == "cmc.unsupported"


# Bad input


@pytest.mark.parametrize(
    ("method", "operation", "media", "body", "status", "rule"),
    [
        ("POST", "simpleenrol", PKCS10, b"", 404, "est.operation"),
        ("GET", "simpleenroll", "", b"", 405, "est.method"),
        ("POST", "cacerts", PKCS10, b"", 405, "est.method"),
        ("POST", "simpleenroll", "application/x-www-form-urlencoded", b"a=b", 415, "est.media"),
        ("POST", "simpleenroll", f"{PKCS10}, {PKCS10}", b"", 415, "est.media"),
        ("POST", "simpleenroll", PKCS10, b"a" * 200_000, 413, "est.size"),
        ("POST", "simpleenroll", PKCS10, base64.b64encode(request())[:-7], 400, "est.base64"),
        ("POST", "simpleenroll", PKCS10, b"\xff" * 99, 400, "est.base64"),
        ("POST", "simpleenroll", PKCS10, b"", 400, "est.base64"),
        ("POST", "simpleenroll", PKCS10, b"\x30\x84\x05\xf5\xe1\x00", 400, "der.malformed"),
        ("POST", "fullcmc", PKCS10, b"", 415, "est.media"),
    ],
)
def test_a_refusal_says_why_in_text(
    client: Client, method: str, operation: str, media: str, body: bytes, status: int, rule: str
) -> None:
    fields = {"content-type": media} | {"authorization": client.basic().authorization or ""}
    reply = client.send(method, operation, body, fields)
    assert (reply.status, rules(client)[0]) == (status, rule)
    assert ("Content-Type", "text/plain; charset=utf-8") in reply.headers
    assert b"Traceback" not in reply.body


@pytest.mark.parametrize("field", ["Basic", "Basic !!!", "Basic cGxj", "Basic YTpi, Basic YTpi"])
def test_an_authorization_field_that_cannot_be_read(client: Client, field: str) -> None:
    client.authorization = field
    assert client.ask("simpleenroll", request()).status == 400
    assert rules(client)[0] == "est.authorization"


def test_a_door_that_is_not_there(office: Office, client: Client) -> None:
    client.door = replace(client.door, label="nowhere")
    assert client.ask("cacerts").status == 404


def test_settings_are_checked_and_filled_up(office: Office, door: Door) -> None:
    assert door.settings["authentication"] == "either"
    for wrong in (
        {"authentication": "none"},
        {"digest": 1},
        {"digest_md5": True},
        {"retry_after_s": 0},
        {"retry_after_s": True},
        {"server_key": "rsa-512"},
        {"unknown": 1},
    ):
        with pytest.raises(BadRequest) as caught:
            office.doors.service.put(SYSTEM, replace(door, settings=wrong))
        assert caught.value.rule == "est.setting"


def test_libest_gets_lines(client: Client) -> None:
    lines = client.ask("cacerts", user_agent="libest 3.2.0").body.split(b"\r\n")
    assert len(lines[0]) == 76
    assert b"\n" not in client.ask("cacerts").body


@given(st.binary(max_size=300), st.sampled_from(["simpleenroll", "serverkeygen", "fullcmc"]))
@settings(max_examples=40, deadline=None)
def test_no_body_is_an_accident(office: Office, body: bytes, operation: str) -> None:
    client = Client(office, office.doors.desk.door(DoorProtocol.EST, "main"))
    client.certificate = None
    media = CMC if operation == "fullcmc" else PKCS10
    for encoded in (body, base64.b64encode(b"\x30" + body)):
        reply = client.send("POST", operation, encoded, {"content-type": media})
        assert 400 <= reply.status < 500


# The console


def test_the_page_of_the_door_makes_a_shared_key(office: Office, door: Door) -> None:
    home = office.settings.database.url_file.parent.parent
    password = json.loads((home / "quickstart.json").read_text())["users"]["officer1"]["password"]
    browser = Browser(create_web(roster(office)))
    browser.sign_in("officer1", password)
    page = browser.get(f"/console/doors/{door.name}")
    assert (page.status, "simpleenroll" in page.text) == (200, True)
    made = browser.post(
        f"/console/doors/{door.name}/shared-keys", {"reference": "kek-7", "days": "3"}
    )
    assert (made.status, "shown this once" in made.text) == (200, True)
    (kept,) = (
        one for one in office.doors.credentials.find(SYSTEM, door.name) if one.reference == "kek-7"
    )
    assert office.doors.credentials.secret_of(kept).decode() in made.text
    assert browser.post("/console/doors/scep/main/shared-keys", {"days": "3"}).status == 404


# Who enrols for others


def test_a_registrar_enrols_for_others_where_a_setting_says_so(office: Office) -> None:
    client = next(one for one in PROFILES if one.name == "tls-client")
    purposes = (*client.extended_key_usage, "1.3.6.1.5.5.7.3.28")
    office.profiles.put(SYSTEM, replace(client, name="registrar", extended_key_usage=purposes))
    ra = RegistrationAuthority(
        name="registrars",
        profiles=("device", "registrar"),
        authorities=("issuing-ca",),
        approval_group="officers",
        approvals=1,
        anonymous=False,
        submit_groups=(),
    )
    office.ras.put(SYSTEM, ra)
    label = f"r-{uuid.uuid4().hex[:8]}"
    strict = office.doors.service.put(
        SYSTEM,
        Door(DoorProtocol.EST, label, ra="registrars", profile="device", profiles=("registrar",)),
    )
    named = Binding(subject=f"CN={HOST}", names=(parse(f"dns:{HOST}"),), profile="registrar")
    user(office, strict, binding=named)
    at = Client(office, strict)
    at.holding(at.basic().enrolled())
    at.authorization = None
    asked = request("other.example.org", key=ec.generate_private_key(ec.SECP256R1()))
    assert at.ask("simpleenroll", asked).status == 400
    at.door = office.doors.service.put(SYSTEM, replace(strict, settings={"trust_ra": True}))
    assert at.ask("simpleenroll", asked).status == 200
    assert at.ask("simplereenroll", asked).status == 400  # a renewal is of its own certificate
