"""One negative corpus through every door and the REST API: the same verdicts (incident I9).

Outside each protocol says it in its own way; on record stands the same rule.
"""

import base64
import ipaddress
import math
import tomllib
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import scep_client
from acme_client import AcmeClient, b64
from asking import Asker
from cmp_door import CmpDoor
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from chancery.api.application import create_api
from chancery.app.office import Office
from chancery.app.worker import roster
from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.errors import CAError, NotPermitted
from chancery.domain.identity import SYSTEM
from chancery.domain.names import NameKind
from chancery.domain.profile import SanRule
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.shipped import PROFILES
from chancery.protocols.exchange import Exchange
from chancery.services.enrolment import Issued, NewCredential
from chancery.wire import der, pem, pkcs10
from chancery.wire.cmp_kinds import Body

# What differs between engines is tried below the doors.
pytestmark = pytest.mark.parametrize("office", ["sqlite"], indirect=True)

VECTORS = Path(__file__).parents[1] / "vectors"
HERE, HOST = "192.0.2.77", "good.example.org"
ANYBODY = Binding(subject_pattern=".*")
PROFILE = replace(
    next(one for one in PROFILES if one.name == "tls-server"),
    name="verdicts",
    san=(
        SanRule(NameKind.DNS, suffixes=(".example.org",)),
        SanRule(NameKind.IP, networks=("10.0.0.0/8",)),
    ),
    require_proof_of_possession=True,
)
EC = ec.generate_private_key(ec.SECP256R1())
TWICE = ec.generate_private_key(ec.SECP256R1())
SIGNER = scep_client.key("ra")
with warnings.catch_warnings(action="ignore"):  # pyca warns of what we want: weak keys
    RSA_1024 = rsa.generate_private_key(65_537, 1024)
    RSA_E_3 = rsa.generate_private_key(3, 2048)


def request(
    *names: x509.GeneralName,
    key: Any = EC,
    subject: str | None = None,
    challenge: str | None = None,
) -> bytes:
    """DER PKCS#10."""
    attributes = []
    if subject is not None:
        with warnings.catch_warnings(action="ignore"):  # that it is too long is the point
            common_name = x509.NameOID.COMMON_NAME
            attributes.append(x509.NameAttribute(common_name, subject, _validate=False))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if challenge is not None:
        oid = x509.oid.AttributeOID.CHALLENGE_PASSWORD
        builder = builder.add_attribute(oid, challenge.encode())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


def good(key: Any = EC) -> bytes:
    return request(*dns(HOST), key=key, subject=HOST)


def roca() -> rsa.RSAPrivateKey:
    """A key as the broken library of CVE-2017-15361 made them: p = k*M + (65537^a mod M).

    The k and a were searched for until p is prime; M is the product of the first 126 primes.
    """
    small = [n for n in range(2, 702) if all(n % d for d in range(2, n))]
    m = math.prod(small)
    p, q = (
        k * m + pow(65_537, a, m)
        for k, a in (
            (6_926_598_840_263_905, 46_144_515_169),
            (6_925_930_874_764_258, 725_849_314_954),
        )
    )
    e = 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


def spoiled() -> bytes:
    made = good()
    return made[:-1] + bytes([made[-1] ^ 1])


def extended(value: bytes, oid: str = "2.5.29.17") -> bytes:
    """A request whose extension no library would write, signed with EC."""
    read = pkcs10.decode(good())
    info = pkcs10.encode_info(read.subject, read.spki, [(oid, False, value)])
    return pkcs10.join(
        info, SignatureAlgorithm.ECDSA_SHA256, EC.sign(info, ec.ECDSA(hashes.SHA256()))
    )


# Bad keys and signatures, for a name that is good: every door comes to look at the key.
KEYS: dict[str, tuple[str, bytes]] = {
    "rsa-1024": ("rsa.size", good(RSA_1024)),
    "rsa-e-3": ("rsa.exponent", good(RSA_E_3)),
    "roca": ("rsa.roca", good(roca())),
    "p-192": ("key.kind", good(ec.generate_private_key(ec.SECP192R1()))),
    "secp256k1": ("key.kind", good(ec.generate_private_key(ec.SECP256K1()))),
    "broken-signature": ("pop.signature", spoiled()),
    "nul-in-a-name": ("name.dns-syntax", extended(der.sequence(der.tlv(0x82, b"a\0.example.org")))),
    "san-of-garbage": ("der.malformed", extended(der.octet_string(b"?"))),
}

Make = Callable[..., bytes]


def asking(*names: x509.GeneralName, subject: str | None = None) -> Make:
    return lambda **more: request(*names, subject=subject, **more)


# Bad names, with a good key: who has no certificate yet asks for them.
NAMES: dict[str, tuple[str, Make]] = {
    "forbidden-name": ("name.suffix", asking(*dns("www.example.com"))),
    "wildcard": ("name.wildcard", asking(*dns("*.example.org"))),
    "address-out-of-range": (
        "name.network",
        asking(x509.IPAddress(ipaddress.ip_address("192.0.2.1"))),
    ),
    "e-mail": ("name.kind", asking(x509.RFC822Name("a@example.org"))),
    "subject-too-long": ("subject.length", asking(*dns(HOST), subject="x" * 65)),
    "control-character": ("subject.control-character", asking(*dns(HOST), subject="a\x07b")),
    "no-name": ("name.server-identity", asking()),
    "foreign-cn": ("name.cn-in-san", asking(*dns(HOST), subject="not a host!")),
    "too-many-names": ("csr.names", asking(*dns(*(f"h{n}.example.org" for n in range(201))))),
}


def vectors() -> Iterator[tuple[str, tuple[str, bytes]]]:
    """What the reader of PKCS#10 refuses: no door may read it another way.  DER where it can be."""
    for path in sorted((VECTORS / "pkcs10").glob("reject-*.toml")):
        vector = tomllib.loads(path.read_text())
        octets = vector["pem"].encode() if "pem" in vector else bytes.fromhex(vector["der"])
        with suppress(CAError):
            octets = pem.decode(octets, pkcs10.LABELS, pkcs10.MAX_OCTETS)[1]
        yield path.stem.removeprefix("reject-"), (vector["reject"], octets)


UNREADABLE = dict(vectors())
BINARY = {
    name: (rule, octets)
    for name, (rule, octets) in UNREADABLE.items()
    if b"-----BEGIN" not in octets and not rule.startswith("pop.")
}
"""Refused by the reader, before anything else is looked at."""


def of_one_value(octets: bytes) -> bool:
    with suppress(CAError):
        return der.single(octets, der.SEQUENCE) is not None
    return False


@dataclass
class Place:
    """Doors with the same conditions, and what is needed to come in."""

    office: Office
    label: str

    def door(self, protocol: DoorProtocol, *, approvals: int = 0, **settings: object) -> Door:
        label = f"{self.label}-{approvals}"
        door = Door(
            protocol,
            label,
            ra="verdicts",
            profile="verdicts",
            approvals=approvals,
            settings=settings,
        )
        return self.office.doors.service.put(SYSTEM, door)

    def credential(self, door: Door, kind: CredentialKind, uses: int | None = None) -> Issued:
        wanted = NewCredential(kind, ANYBODY, uses=uses, max_failures=1000)
        return self.office.doors.credentials.issue(SYSTEM, door.name, wanted)

    def on_record(self, door: Door, known: set[str]) -> str:
        """The rule of the one message that is not *known* yet, orders apart."""
        self.office.doors.traffic.write()
        seen = self.office.doors.service.traffic(SYSTEM, door.name)
        new = [one for one in seen if one.id not in known]
        known |= {one.id for one in new}
        (outcome,) = (one.outcome for one in new if one.outcome != "ok")
        return outcome

    def certificates(self) -> int:
        with self.office.store.read() as session:
            return sum(1 for one in session.certificates.iterate() if one.profile == "verdicts")


@pytest.fixture(scope="module")
def place(office: Office) -> Place:
    office.profiles.put(SYSTEM, PROFILE)
    for name, approvals in (("verdicts", 0), ("patient", 1)):
        ra = RegistrationAuthority(
            name=name,
            profiles=("verdicts",),
            authorities=("issuing-ca",),
            approval_group="officers",
            approvals=approvals,
            anonymous=False,
            submit_groups=(),
        )
        office.ras.put(SYSTEM, ra)
    asker = api(office)
    text = pem.encode("CERTIFICATE REQUEST", good(TWICE))
    waits = asker.post("/api/v1/requests", {"ra": "patient", "profile": "verdicts", "csr": text})
    assert waits.json["state"] == "pending", waits
    return Place(office, f"v-{uuid.uuid4().hex[:8]}")


def api(office: Office) -> Asker:
    home = office.settings.database.url_file.parent
    token = (home / "tokens" / "requester.token").read_text().strip()
    return Asker(create_api(roster(office))).as_bearer(token)


def expected(*corpora: dict[str, tuple[str, Any]]) -> dict[str, str]:
    return {name: rule for corpus in corpora for name, (rule, _) in corpus.items()}


def octets_of(*corpora: dict[str, tuple[str, Any]]) -> dict[str, bytes]:
    return {
        name: made if isinstance(made, bytes) else made()
        for corpus in corpora
        for name, (_, made) in corpus.items()
    }


# Each way in: how a request is sent, and that the answer is a refusal in the protocol's words.

Send = Callable[[bytes], None]


def by_rest(place: Place, ra: str = "verdicts", *, refused: bool = True) -> Callable[[bytes], str]:
    """Returns the rule that the problem document names."""
    asker = api(place.office)

    def send(octets: bytes) -> str:
        is_pem = b"-----BEGIN" in octets
        text = octets.decode() if is_pem else pem.encode("CERTIFICATE REQUEST", octets)
        answer = asker.post("/api/v1/requests", {"ra": ra, "profile": "verdicts", "csr": text})
        assert answer.is_problem is refused, answer
        if not refused:
            return ""
        assert 400 <= answer.status < 500
        return str(answer.json["rule"])

    return send


def by_est(place: Place, door: Door, *, refused: bool = True) -> Send:
    user = place.credential(door, CredentialKind.USER)
    pair = base64.b64encode(f"{user.credential.reference}:{user.secret}".encode()).decode()
    fields = {"authorization": f"Basic {pair}", "content-type": "application/pkcs10"}
    handler = place.office.doors.handlers.of(DoorProtocol.EST)

    def send(octets: bytes) -> None:
        body = octets if b"-----BEGIN" in octets else base64.b64encode(octets)
        tail = f"{door.label}/simpleenroll"
        path = f"/.well-known/est/{tail}"
        exchange = Exchange(
            "POST", path, tail, "", fields, body, HERE, True, None, None, "https://x"
        )
        reply = handler.handle(exchange)
        assert (reply.status == 200) is not refused, reply
        if not refused:
            return
        assert 400 <= reply.status < 500
        assert reply.status != 401
        assert dict(reply.headers)["Content-Type"].startswith("text/plain")

    return send


def by_cmp(place: Place, door: Door, *, refused: bool = True) -> Send:
    at, secret = CmpDoor(place.office, door), place.credential(door, CredentialKind.SECRET)

    def send(octets: bytes) -> None:
        if not refused:
            at.by_secret(secret).enrol(Body.P10CR, octets, implicit=True)
            return
        with pytest.raises(NotPermitted) as caught:
            at.by_secret(secret).enrol(Body.P10CR, octets, implicit=True)
        assert caught.value.rule == "cmp.refused"

    return send


@dataclass
class Scep:
    """A door, a client that is new to it, and one that renews: *holder* signs for any request."""

    place: Place
    door: Door

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        ra = self.place.office.doors.keys.of(self.door).certificate
        self.new = scep_client.Client(SIGNER, scep_client.self_signed(SIGNER, name), ra)

    def challenge(self) -> str:
        return self.place.credential(self.door, CredentialKind.ONE_TIME, 1).secret

    def holding(self, certificate: bytes) -> scep_client.Client:
        return replace(self.new, certificate=certificate)

    def enrolled(self) -> bytes:
        asked = request(*dns(HOST), key=SIGNER, subject=HOST, challenge=self.challenge())
        for one in self.post(self.new, 19, asked).certificates():
            if x509.load_der_x509_certificate(one).public_key() == SIGNER.public_key():
                return one
        raise AssertionError

    def post(self, client: scep_client.Client, kind: int, content: bytes) -> scep_client.Reply:
        tail, body = self.door.label, client.message(kind, content, uuid.uuid4().hex)
        query = "operation=PKIOperation"
        exchange = Exchange(
            "POST", f"/scep/{tail}", tail, query, {}, body, HERE, False, None, None, "http://x"
        )
        handler = self.place.office.doors.handlers.of(DoorProtocol.SCEP)
        return client.read(handler.handle(exchange).body)

    def send(self, client: scep_client.Client, kind: int, content: bytes) -> None:
        reply = self.post(client, kind, content)
        assert (reply.status, reply.fail is not None) == ("2", True), reply


def by_acme(place: Place, door: Door, *, refused: bool = True) -> Send:
    binding = Binding(name_patterns=(".example.org",))
    wanted = NewCredential(CredentialKind.ACCOUNT, binding, uses=None, expires_s=None)
    key = place.office.doors.credentials.issue(SYSTEM, door.name, wanted)
    handle = place.office.doors.handlers.of(DoorProtocol.ACME).handle
    client = AcmeClient(handle, door.label, origin=HERE)
    assert client.register(key.credential.reference, key.secret).status == 201

    def send(octets: bytes) -> None:
        order = client.order(HOST)
        assert order.status == 201, order
        answer = client.finalize(order, b64(octets))
        assert (answer.status == 200) is not refused, answer
        if not refused:
            return
        assert answer.problem in ("badCSR", "badPublicKey", "malformed", "unauthorized"), answer

    return send


def verdicts(place: Place, door: Door, send: Send, asked: dict[str, bytes]) -> dict[str, str]:
    """The rules on record after all of *asked* was refused; nothing was issued."""
    before, found = place.certificates(), {}
    place.office.doors.traffic.write()
    known = {one.id for one in place.office.doors.service.traffic(SYSTEM, door.name)}
    for name, octets in asked.items():
        send(octets)
        found[name] = place.on_record(door, known)
    assert place.certificates() == before
    return found


def test_by_rest(place: Place) -> None:
    send, before = by_rest(place), place.certificates()
    asked = octets_of(KEYS, NAMES, UNREADABLE)
    found = {name: send(octets) for name, octets in asked.items()}
    assert found == expected(KEYS, NAMES, UNREADABLE)
    assert place.certificates() == before


def test_by_est(place: Place) -> None:
    door = place.door(DoorProtocol.EST)
    asked = octets_of(KEYS, NAMES, UNREADABLE)
    found = verdicts(place, door, by_est(place, door), asked)
    assert found == expected(KEYS, NAMES, UNREADABLE)


def test_by_cmp(place: Place) -> None:
    """A request is part of the message: it must be one value at least."""
    door = place.door(DoorProtocol.CMP)
    readable = {name: pair for name, pair in UNREADABLE.items() if of_one_value(pair[1])}
    found = verdicts(place, door, by_cmp(place, door), octets_of(KEYS, NAMES, readable))
    assert found == expected(KEYS, NAMES, readable)


def test_by_scep(place: Place) -> None:
    """Bad names by a new client, bad keys by one that renews: else its own key signs the message.

    What is wrong in the form of an encrypted request is not told, or its
    envelope could be opened by asking.
    """
    at = Scep(place, place.door(DoorProtocol.SCEP, shared_challenge=True))
    holder = at.holding(at.enrolled())
    names = {case: make(key=SIGNER, challenge=at.challenge()) for case, (_, make) in NAMES.items()}
    found = verdicts(place, at.door, lambda octets: at.send(at.new, 19, octets), names)
    some = dict(list(BINARY.items())[::8])  # a message costs three RSA operations
    asked = octets_of(KEYS, some)
    found |= verdicts(place, at.door, lambda octets: at.send(holder, 17, octets), asked)
    formless = {"too-many-names", "broken-signature", "nul-in-a-name", "san-of-garbage", *some}
    wanted = {
        name: rule if rule.startswith("key.") or name not in formless else "scep.message-check"
        for name, rule in expected(NAMES, KEYS, some).items()
    }
    assert found == wanted


def test_by_acme(place: Place) -> None:
    """Names are refused with the order; left to the request are its form, key and signature."""
    door = place.door(DoorProtocol.ACME, trusted=[".example.org"])
    found = verdicts(place, door, by_acme(place, door), octets_of(KEYS, BINARY))
    assert found == expected(KEYS, BINARY)


def test_a_key_that_waits_for_approval_waits_once(place: Place) -> None:
    assert by_rest(place, "patient")(good(TWICE)) == "request.duplicate"
    asked = {"duplicate": good(TWICE)}
    for protocol, by in (
        (DoorProtocol.EST, by_est),
        (DoorProtocol.CMP, by_cmp),
        (DoorProtocol.ACME, by_acme),
    ):
        trusted = {"trusted": [".example.org"]} if protocol is DoorProtocol.ACME else {}
        door = place.door(protocol, approvals=1, **trusted)
        assert verdicts(place, door, by(place, door), asked) == {"duplicate": "request.duplicate"}
    mine = Scep(place, place.door(DoorProtocol.SCEP, shared_challenge=True)).enrolled()
    at = Scep(place, place.door(DoorProtocol.SCEP, approvals=1, shared_challenge=True))
    found = verdicts(place, at.door, lambda octets: at.send(at.holding(mine), 17, octets), asked)
    assert found == {"duplicate": "request.duplicate"}


def greedy(key: ec.EllipticCurvePrivateKey) -> bytes:
    """For a good name, and for everything that the profile does not give."""
    ca = der.sequence(der.boolean(value=True))
    wishes = [
        *pkcs10.decode(good(key)).extensions,
        ("2.5.29.19", True, ca),  # basicConstraints
        ("2.5.29.15", True, der.named_bits((0, 5, 6))),  # keyUsage: keyCertSign and cRLSign
        ("2.5.29.37", False, der.sequence(der.oid("1.3.6.1.4.1.311.20.2.2"))),  # smart card log-on
        ("1.3.6.1.4.1.99999.1", False, der.NULL),
    ]
    read = pkcs10.decode(good(key))
    info = pkcs10.encode_info(read.subject, read.spki, wishes)
    signature = key.sign(info, ec.ECDSA(hashes.SHA256()))
    return pkcs10.join(info, SignatureAlgorithm.ECDSA_SHA256, signature)


def test_what_the_profile_does_not_take_is_not_heard(place: Place) -> None:
    """The certificate is the profile's, by every way in."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(5)]
    by_rest(place, refused=False)(greedy(keys[0]))
    by_est(place, place.door(DoorProtocol.EST), refused=False)(greedy(keys[1]))
    by_cmp(place, place.door(DoorProtocol.CMP), refused=False)(greedy(keys[2]))
    acme = place.door(DoorProtocol.ACME, trusted=[".example.org"])
    by_acme(place, acme, refused=False)(greedy(keys[3]))
    scep = Scep(place, place.door(DoorProtocol.SCEP, shared_challenge=True))
    assert scep.post(scep.holding(scep.enrolled()), 17, greedy(keys[4])).status == "0"
    with place.office.store.read() as session:
        issued = [
            x509.load_der_x509_certificate(one.der)
            for one in session.certificates.iterate()
            if one.profile == "verdicts"
        ]
    for key in keys:
        (found,) = (one for one in issued if one.public_key() == key.public_key())
        extensions = found.extensions
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert [one.dotted_string for one in purposes] == list(PROFILE.extended_key_usage)
        assert "1.3.6.1.4.1.99999.1" not in [one.oid.dotted_string for one in extensions]
