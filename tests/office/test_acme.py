"""The ACME door whole, but for its sockets: orders from one end to the other, and every wrong way."""

import itertools
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import acme_client
import pytest
from acme_client import AcmeClient, Answer, b64, jwk_of, new_key
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.certificate import RevocationReason
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.names import NameKind
from chancery.domain.profile import SanRule
from chancery.services.acme.renewal import NewEarlyRenewal
from chancery.services.enrolment import Issued, NewCredential

# What differs between engines is tried below the doors.
pytestmark = pytest.mark.parametrize("office", ["sqlite"], indirect=True)

Who = Callable[[str], Principal]
_COUNT = itertools.count(1)


@pytest.fixture(scope="module")
def door(office: Office) -> Door:
    """Names below .trusted.test need no challenge; all others cannot be proved here."""
    made = Door(
        DoorProtocol.ACME,
        f"t-{uuid.uuid4().hex[:8]}",
        ra="main",
        profile="tls-server",
        profiles=("tls-client",),
        settings={"trusted": [".trusted.test", "192.0.2.0/24"], "timeout_s": 1},
    )
    return office.doors.service.put(SYSTEM, made)


def set_door(office: Office, door: Door, **more: Any) -> Door:
    values = {name: more.pop(name) for name in ("approvals",) if name in more}
    label = f"t-{uuid.uuid4().hex[:8]}"
    made = replace(door, label=label, settings={**door.settings, **more}, **values)
    return office.doors.service.put(SYSTEM, made)


def key_for(office: Office, door: Door, **binding: Any) -> Issued:
    wanted = NewCredential(CredentialKind.ACCOUNT, Binding(**binding), uses=None, expires_s=None)
    return office.doors.credentials.issue(SYSTEM, door.name, wanted)


def client(office: Office, door: Door) -> AcmeClient:
    """From an address of its own, so that no test meets another's limits."""
    number = next(_COUNT)
    made = AcmeClient(office.doors.handlers.of(DoorProtocol.ACME).handle, door.label)
    made.origin = f"198.51.{number // 250}.{number % 250}"
    return made


def registered(office: Office, door: Door, **binding: Any) -> AcmeClient:
    found, key = client(office, door), key_for(office, door, **binding)
    answer = found.register(key.credential.reference, key.secret)
    assert answer.status == 201, answer
    return found


def certified(found: AcmeClient, *names: str, **more: Any) -> tuple[x509.Certificate, Answer, Any]:
    order = found.order(*names, **more)
    assert (order.status, order.json["status"]) == (201, "ready"), order
    key = new_key()
    done = found.finalize(order, acme_client.csr(key, *names))
    assert done.json["status"] == "valid", done
    chain = found.post(done.json["certificate"])
    assert chain.headers["content-type"] == "application/pem-certificate-chain"
    return x509.load_pem_x509_certificates(chain.body)[0], done, key


def ari_id(certificate: x509.Certificate) -> str:
    extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    serial = certificate.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1)
    return f"{b64(extension.value.key_identifier or b'')}.{b64(octets)}"


def test_the_directory_says_where_everything_is(office: Office, door: Door) -> None:
    found = client(office, door)
    answer = found.fetch("GET", found.url("directory"))
    assert answer.json["newOrder"] == found.url("new-order")
    assert answer.json["meta"]["externalAccountRequired"] is True
    assert set(answer.json["meta"]["profiles"]) == {"tls-server", "tls-client"}
    assert found.fetch("GET", found.url("new-nonce")).status == 204
    head = found.fetch("HEAD", found.url("new-nonce"))
    assert (head.status, head.headers["cache-control"]) == (200, "no-store")
    assert f'<{found.url("directory")}>;rel="index"' in head.links
    assert found.fetch("POST", found.url("directory")).problem == "malformed"
    assert found.fetch("GET", found.url("new-order")).status == 405
    assert found.fetch("GET", found.url("nothing")).status == 404
    assert found.alike(label="nowhere").fetch("GET", found.url("x", "y")).status == 404


def test_from_an_account_to_a_certificate(office: Office, door: Door) -> None:
    found = registered(office, door, name_patterns=(".trusted.test", "192.0.2.0/29"))
    certificate, done, _ = certified(found, "a.trusted.test", "b.trusted.test", "192.0.2.7")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.trusted.test", "b.trusted.test"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    order = found.post(done.headers["location"])
    assert order.json["certificate"] == done.json["certificate"]
    listed = found.post(found.kid + "/orders")
    assert listed.json["orders"] == [done.headers["location"]]
    authorization = found.post(order.json["authorizations"][0])
    assert authorization.json["status"] == "valid"
    again = found.order("a.trusted.test")
    assert again.json["authorizations"][0] in order.json["authorizations"]
    transaction = office.doors.desk.standing(door, done.headers["location"].rpartition("/")[2])
    assert transaction.request.requester.startswith(door.name)


def test_an_external_key_opens_one_account(office: Office, door: Door) -> None:
    key = key_for(office, door)
    kid, secret = key.credential.reference, key.secret
    first = client(office, door)
    assert first.register().problem == "externalAccountRequired"
    assert first.register("nobody", secret).problem == "unauthorized"
    assert first.register(kid, b64(b"wrong" * 8)).problem == "unauthorized"
    assert first.register(kid, secret, onlyReturnExisting=True).problem == "accountDoesNotExist"
    assert first.register(kid, secret).status == 201
    account = first.kid
    again = first.alike(kid="")
    assert (again.register().status, again.kid) == (200, account)
    assert again.alike(kid="").register(onlyReturnExisting=True).status == 200
    assert client(office, door).register(kid, secret).problem == "unauthorized"
    office.doors.credentials.revoke(SYSTEM, key.credential.id)
    assert first.order("a.trusted.test").problem == "unauthorized"


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "ES256"},
        {"url": "https://ca.example.org/acme/other/new-account"},
        {"nonce": "n"},
        {"kid": None},
        {"jwk": {}},
    ],
)
def test_a_binding_that_is_not_as_it_must_be(
    office: Office, door: Door, change: dict[str, Any]
) -> None:
    found, key = client(office, door), key_for(office, door)
    url = found.url("new-account")
    header = {"alg": "HS512", "kid": key.credential.reference, "url": url} | change
    header = {name: value for name, value in header.items() if value is not None}
    inner = acme_client.mac(key.secret, header | {"alg": "HS512"}, jwk_of(found.key))
    inner["protected"] = b64(json.dumps(header).encode())
    answer = found.post(url, {"externalAccountBinding": inner})
    assert answer.problem in ("malformed", "badSignatureAlgorithm")
    foreign = acme_client.mac(
        key.secret,
        {"alg": "HS384", "kid": key.credential.reference, "url": url},
        jwk_of(new_key()),
    )
    assert found.post(url, {"externalAccountBinding": foreign}).problem == "malformed"


def test_what_an_account_may_change(office: Office, door: Door) -> None:
    found = registered(office, door)
    assert found.post(found.kid, {"contact": ["mailto:a@example.org"]}).json["contact"] == [
        "mailto:a@example.org"
    ]
    assert found.post(found.kid, {"contact": ["tel:+1"]}).problem == "unsupportedContact"
    assert found.post(found.kid, {"contact": ["mailto:a b"]}).problem == "invalidContact"
    assert found.post(found.kid, {"contact": "mailto:a@example.org"}).problem == "invalidContact"
    assert found.post(found.kid, {"status": "revoked"}).problem == "malformed"
    other = registered(office, door)
    assert found.post(other.kid, {}).problem == "unauthorized"
    assert found.post(found.kid, {"status": "deactivated"}).json["status"] == "deactivated"
    assert (late := found.order("a.trusted.test")).status == 401
    assert late.problem == "unauthorized"
    assert found.alike(kid="").register().problem == "unauthorized"


def rollover(found: AcmeClient, key: acme_client.Key, **change: Any) -> Answer:
    url = found.url("key-change")
    payload = {"account": found.kid, "oldKey": jwk_of(found.key)} | change.pop("payload", {})
    header = {"jwk": jwk_of(key), "url": url} | change
    return found.post(url, acme_client.jws(key, header, payload))


def test_a_key_is_changed_by_both_keys(office: Office, door: Door) -> None:
    found, other = registered(office, door), registered(office, door)
    new = rsa.generate_private_key(65537, 2048)
    assert rollover(found, new, nonce="n").problem == "malformed"
    assert rollover(found, new, url="https://ca.example.org/").problem == "malformed"
    assert rollover(found, new, payload={"account": other.kid}).problem == "malformed"
    assert rollover(found, new, payload={"oldKey": jwk_of(new)}).problem == "malformed"
    assert rollover(found, new, jwk=jwk_of(new_key())).problem == "malformed"
    taken = rollover(found, other.key)
    assert (taken.status, taken.headers["location"]) == (409, other.kid)
    old = found.key
    assert rollover(found, new).status == 200
    found.key = new
    assert found.order("a.trusted.test").status == 201
    found.key = old
    assert found.order("a.trusted.test").problem == "malformed"


def test_orders_that_are_refused(office: Office, door: Door) -> None:
    found = registered(office, door, name_patterns=(".trusted.test", ".open.test"))
    several = found.order("a.trusted.test", "x.example.org", "*.open.test")
    assert several.problem == "rejectedIdentifier"
    refused = [one["identifier"]["value"] for one in several.json["subproblems"]]
    assert refused == ["x.example.org", "*.open.test"]
    assert found.order("a.trusted.test", profile="nothing").problem == "invalidProfile"
    assert found.order("a.trusted.test", notAfter="2030-01-01T00:00:00Z").problem == "malformed"
    assert found.order().problem == "malformed"
    assert found.order("a_b.trusted.test").problem == "rejectedIdentifier"
    url = found.url("new-order")
    kinds = [{"type": "email", "value": "a@b.c"}]
    assert found.post(url, {"identifiers": kinds}).problem == "unsupportedIdentifier"
    for identifiers in ({}, [1], [{"type": "dns"}], [{"type": 1, "value": "a"}], "x"):
        assert found.post(url, {"identifiers": identifiers}).problem == "malformed"
    many = [f"h{number}.trusted.test" for number in range(101)]
    assert found.order(*many).problem == "malformed"
    assert found.post(url).problem == "malformed"
    assert found.order("a.trusted.test", profile="tls-client").json["profile"] == "tls-client"
    assert found.order("a.trusted.test").json["profile"] == "tls-server"


def test_requests_that_are_not_the_order(office: Office, door: Door) -> None:
    found, name = registered(office, door), "a.trusted.test"
    order, key = found.order(name), new_key()
    for request in (
        acme_client.csr(key, name, "b.trusted.test"),
        acme_client.csr(key, "b.trusted.test"),
        acme_client.csr(key, name, common_name="b.trusted.test"),
        acme_client.csr(found.key, name),  # the account's own key
        b64(b"\x30\x03\x02\x01\x00"),
        b64(b"\x30\x84\x06\x00\x00\x00"),
        b64(b"no request"),
    ):
        assert found.finalize(order, request).problem == "badCSR"
    assert found.finalize(order, "!!").problem == "malformed"
    good = acme_client.csr(key, name, common_name=name)
    assert found.finalize(order, good).json["status"] == "valid"
    assert found.finalize(order, good).problem == "orderNotReady"


def test_what_belongs_to_others_is_not_there(office: Office, door: Door) -> None:
    one, other = registered(office, door), registered(office, door)
    _, done, _ = certified(one, "a.trusted.test")
    for url in (
        done.headers["location"],
        done.json["authorizations"][0],
        done.json["certificate"],
    ):
        assert other.post(url).status == 404
    assert other.finalize(done, "AAAA").status == 404
    assert other.post(one.kid + "/orders").problem == "unauthorized"
    challenge = one.order("c.open.test")
    authorization = one.post(challenge.json["authorizations"][0]).json
    assert other.post(authorization["challenges"][0]["url"], {}).status == 404


def test_a_challenge_that_fails_ends_the_order(office: Office, door: Door) -> None:
    private = set_door(office, door, challenges=["http-01", "tls-alpn-01"])
    found = registered(office, private)
    order = found.order("127.0.0.1")  # not to be reached: no network is allowed
    authorization = found.post(order.json["authorizations"][0])
    assert authorization.json["status"] == "pending"
    assert {one["type"] for one in authorization.json["challenges"]} == {"http-01", "tls-alpn-01"}
    assert found.finalize(order, acme_client.csr(new_key(), "127.0.0.1")).problem == "orderNotReady"
    challenge = authorization.json["challenges"][0]
    answer = found.post(challenge["url"], {})
    assert answer.json["status"] == "processing"
    assert f'<{order.json["authorizations"][0]}>;rel="up"' in answer.links
    for _ in range(100):
        authorization = found.post(order.json["authorizations"][0])
        if authorization.json["status"] != "pending":
            break
        assert authorization.headers["retry-after"] == "1"
        time.sleep(0.02)
    assert authorization.json["status"] == "invalid"
    assert authorization.json["challenges"][0]["error"]["type"].endswith("rejectedIdentifier")
    failed = found.post(order.headers["location"]).json
    assert (failed["status"], failed["error"]["status"]) == ("invalid", 403)
    assert found.post(challenge["url"], {}).json["status"] == "invalid"


def test_before_any_order(office: Office, door: Door) -> None:
    found = registered(office, door)
    url = found.url("new-authz")
    made = found.post(url, {"identifier": {"type": "dns", "value": "p.trusted.test"}})
    assert (made.status, made.json["status"]) == (201, "valid")
    assert found.order("p.trusted.test").json["authorizations"] == [made.headers["location"]]
    wild = {"identifier": {"type": "dns", "value": "*.trusted.test"}}
    assert found.post(url, wild).problem == "malformed"
    ended = found.post(made.headers["location"], {"status": "deactivated"})
    assert ended.json["status"] == "deactivated"
    assert found.post(made.headers["location"], {"status": "valid"}).problem == "malformed"
    assert found.order("p.trusted.test").json["authorizations"] != [made.headers["location"]]


def test_wildcards_are_proved_by_dns_alone(office: Office, door: Door) -> None:
    profile = office.catalogue.profile("tls-server").profile
    name = f"wild-{uuid.uuid4().hex[:6]}"
    rules = (SanRule(NameKind.DNS, wildcards=True, suffixes=(".test",)),)
    office.profiles.put(SYSTEM, replace(profile, name=name, san=rules))
    ra = office.catalogue.ra("main")
    office.ras.put(SYSTEM, replace(ra, name=name, profiles=(name,), approvals=1, anonymous=False))
    own = Door(DoorProtocol.ACME, name, ra=name, profile=name, settings=door.settings)
    found = registered(office, office.doors.service.put(SYSTEM, own))
    order = found.order("*.open.test")
    authorization = found.post(order.json["authorizations"][0]).json
    assert authorization["wildcard"] is True
    assert authorization["identifier"] == {"type": "dns", "value": "open.test"}
    assert [one["type"] for one in authorization["challenges"]] == ["dns-01"]
    certificate, _, _ = certified(found, "*.trusted.test")
    assert "*.trusted.test" in str(certificate.extensions)


def test_two_people_approve_where_the_door_asks_so(office: Office, door: Door, who: Who) -> None:
    slow = set_door(office, door, approvals=2)
    found = registered(office, slow)
    order = found.order("a.trusted.test")
    waiting = found.finalize(order, acme_client.csr(new_key(), "a.trusted.test"))
    assert (waiting.json["status"], waiting.headers["retry-after"]) == ("processing", "5")
    standing = office.doors.desk.standing(slow, order.headers["location"].rpartition("/")[2])
    for officer in ("officer1", "officer2"):
        office.decisions.approve(who(officer), standing.request.id, standing.request.content_sha256)
    assert found.post(order.headers["location"]).json["status"] == "valid"
    order = found.order("b.trusted.test")
    found.finalize(order, acme_client.csr(new_key(), "b.trusted.test"))
    standing = office.doors.desk.standing(slow, order.headers["location"].rpartition("/")[2])
    office.decisions.deny(who("officer1"), standing.request.id, "not this one")
    denied = found.post(order.headers["location"]).json
    assert (denied["status"], "not this one" in denied["error"]["detail"]) == ("invalid", True)


def test_revoked_by_the_account_or_by_the_key(office: Office, door: Door) -> None:
    found, other = registered(office, door), registered(office, door)
    certificate, _, key = certified(found, "a.trusted.test")
    url = found.url("revoke-cert")
    der = b64(certificate.public_bytes(Encoding.DER))
    assert found.post(url, {"certificate": der, "reason": 99}).problem == "badRevocationReason"
    assert found.post(url, {"certificate": der, "reason": True}).problem == "badRevocationReason"
    assert found.post(url, {"certificate": "AAAA"}).status == 404
    stranger = other.alike(kid="", key=new_key())
    assert stranger.post(url, {"certificate": der}).problem == "unauthorized"
    assert other.post(url, {"certificate": der}).problem == "unauthorized"
    holder = other.alike(kid="", key=key)
    assert holder.post(url, {"certificate": der, "reason": 1}).status == 200
    assert found.post(url, {"certificate": der}).problem == "alreadyRevoked"
    second, _, _ = certified(found, "a.trusted.test")
    assert other.order("a.trusted.test").status == 201  # now authorized for all its names
    der = b64(second.public_bytes(Encoding.DER))
    assert other.post(url, {"certificate": der, "reason": 4}).status == 200


def test_when_to_renew_and_what_replaces_what(office: Office, door: Door, who: Who) -> None:
    found = registered(office, door)
    certificate, _, _ = certified(found, "r.trusted.test")
    name = ari_id(certificate)
    usual = found.fetch("GET", found.url("renewal-info", name))
    assert usual.headers["retry-after"] == "21600"
    window = usual.json["suggestedWindow"]
    assert certificate.not_valid_before_utc.isoformat() < window["start"] < window["end"]
    early = office.doors.acme.renewal.renew_early(
        SYSTEM,
        NewEarlyRenewal(
            serial=f"{certificate.serial_number:x}", explanation="https://status.example.org"
        ),
    )
    moved = found.fetch("GET", found.url("renewal-info", name)).json
    assert moved["suggestedWindow"]["start"] < window["start"]
    assert moved["explanationURL"] == "https://status.example.org"
    office.doors.acme.renewal.drop(SYSTEM, early.id)
    assert found.fetch("GET", found.url("renewal-info", name)).json == usual.json
    for wrong in ("x", "AAAA.AAAA", f"{name}.", "."):
        assert found.fetch("GET", found.url("renewal-info", wrong)).status in (400, 404)
    with pytest.raises(errors.BadRequest):
        office.doors.acme.renewal.renew_early(SYSTEM, NewEarlyRenewal())
    with pytest.raises(errors.NotPermitted):
        office.doors.acme.renewal.renew_early(who("requester"), NewEarlyRenewal(profile="x"))

    other = registered(office, door)
    assert other.order("r.trusted.test", replaces=name).problem == "unauthorized"
    assert found.order("s.trusted.test", replaces=name).problem == "malformed"
    following = found.order("r.trusted.test", replaces=name)
    assert following.json["replaces"] == name
    again = found.order("r.trusted.test", replaces=name)
    assert (again.status, again.problem) == (409, "alreadyReplaced")
    with office.store.read() as session:
        serial = f"{certificate.serial_number:x}"
        record = session.certificates.by_serial(serial)[0]
    office.doors.desk.revoke(door, record, RevocationReason.superseded, "x", "192.0.2.1")
    past = found.fetch("GET", found.url("renewal-info", name)).json["suggestedWindow"]
    assert past["end"] < usual.json["suggestedWindow"]["start"]


def test_a_thousand_repetitions_have_one_effect(office: Office, door: Door) -> None:
    found = registered(office, door)
    body = found.signed(
        found.url("new-order"), {"identifiers": [{"type": "dns", "value": "n.trusted.test"}]}
    )
    copies = [found.alike() for _ in range(1000)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda one: one.fetch("POST", one.url("new-order"), body), copies))
    assert sorted({one.status for one in answers}) == [201, 400]
    assert sum(one.status == 201 for one in answers) == 1
    assert {one.problem for one in answers if one.status == 400} == {"badNonce"}
    order = next(one for one in answers if one.status == 201)
    request = acme_client.csr(new_key(), "n.trusted.test")
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda one: one.finalize(order, request), copies[:32]))
    assert {one.status for one in done} <= {200, 403}
    serials = office.doors.desk.standing(door, order.headers["location"].rpartition("/")[2])
    assert serials.issued


def test_signatures_that_do_not_count(office: Office, door: Door) -> None:
    found = registered(office, door)
    url, payload = (
        found.url("new-order"),
        {"identifiers": [{"type": "dns", "value": "a.trusted.test"}]},
    )
    assert found.post(url, payload, url=found.url("new-authz")).status == 401
    assert found.post(url, payload, url=url.replace("https", "http")).problem == "unauthorized"
    assert found.post(url, payload, url=None).problem == "unauthorized"
    none = found.post(url, payload, alg="none")
    assert none.problem == "badSignatureAlgorithm"
    assert "ES256" in none.json["algorithms"]
    assert found.post(url, payload, alg="HS256").problem == "badSignatureAlgorithm"
    assert found.post(url, payload, alg="ES384").problem == "malformed"
    assert found.post(url, payload, kid=found.kid + "x").problem == "accountDoesNotExist"
    assert found.post(url, payload, kid="/" + found.kid).problem == "accountDoesNotExist"
    assert found.post(url, payload, kid=None, jwk=jwk_of(found.key)).problem == "malformed"
    assert found.post(url, payload, jwk=jwk_of(found.key)).problem == "malformed"
    thief = found.alike(key=new_key())
    assert thief.post(url, payload).problem == "malformed"
    assert found.post(url, payload, nonce="").status == 201
    for nonce in ("x", b64(bytes(32)), "A" * 43, "=" * 10):
        assert found.post(url, payload, nonce=nonce).problem == "badNonce"
    assert (
        found.post(
            found.url("new-account"),
            {},
        ).problem
        == "malformed"
    )
    body = found.signed(url, payload)
    assert found.fetch("POST", url, body, "application/json").status == 415
    assert found.fetch("POST", url, b"[" * 100_000).problem == "malformed"
    assert found.fetch("POST", url, b"x" * 300_000).status == 413
    assert found.fetch("POST", url, b'{"a":' * 20_000).problem == "malformed"
    assert found.post(url, [1]).problem == "malformed"
    assert found.fetch("POST", url, found.signed(url, payload)).headers["replay-nonce"]


def test_nonces_end(office: Office, door: Door) -> None:
    found = registered(office, door)
    nonces, url = office.doors.acme.nonces, found.url("new-order")
    old = nonces._clock.s() - 3_700  # as if it had been given out an hour ago
    head = old.to_bytes(5) + bytes(11)
    assert found.post(url, {}, nonce=b64(head + nonces._tag(head))).problem == "badNonce"
    ahead = nonces._clock.s().to_bytes(5) + bytes(11)
    good = b64(ahead + nonces._tag(ahead))
    assert found.post(found.kid, None, nonce=good).status == 200
    assert found.post(found.kid, None, nonce=good).problem == "badNonce"


def test_limits_say_when(office: Office, door: Door) -> None:
    tight = set_door(office, door, order_rate=1, account_rate=1)
    found = registered(office, tight)
    assert found.order("a.trusted.test").status == 201
    limited = found.order("a.trusted.test")
    assert (limited.status, limited.problem) == (429, "rateLimited")
    assert 3_000 < int(limited.headers["retry-after"]) <= 3_601
    second, key = client(office, tight), key_for(office, tight)
    second.origin = found.origin
    assert second.register(key.credential.reference, key.secret).problem == "rateLimited"


def test_terms_and_open_doors(office: Office, door: Door) -> None:
    terms = "https://ca.example.org/terms"
    opened = set_door(office, door, external_account_required=False, terms_of_service=terms)
    found = client(office, opened)
    refused = found.post(found.url("new-account"), {"termsOfServiceAgreed": False})
    assert (refused.status, refused.problem) == (403, "userActionRequired")
    assert f'<{terms}>;rel="terms-of-service"' in refused.links
    assert found.register().status == 201


def test_caa_is_asked_for_where_the_door_says(office: Office, door: Door) -> None:
    """The resolver does not answer: whether it may be issued nobody knows, so it is not."""
    asking = set_door(
        office,
        door,
        caa_profiles=["tls-server"],
        caa_identities=["ca.example.org"],
        resolvers=["127.0.0.1:9"],
    )
    found = registered(office, asking)
    order = found.order("a.trusted.test")
    answer = found.finalize(order, acme_client.csr(new_key(), "a.trusted.test"))
    assert (answer.status, answer.problem) == (403, "caa")
    order = found.order("192.0.2.8", profile="tls-client")
    answer = found.finalize(order, acme_client.csr(new_key(), "192.0.2.8", common_name="192.0.2.8"))
    assert answer.json["status"] == "valid", answer


def test_refusals_are_on_record(office: Office, door: Door) -> None:
    found = registered(office, door)
    assert found.post(found.url("new-order"), {}, alg="none").status == 400
    office.doors.traffic.write()
    seen = office.doors.service.traffic(SYSTEM, door.name)
    assert any(one.outcome == "acme.algorithm" and one.origin == found.origin for one in seen)


@pytest.fixture(scope="module")
def target(office: Office, door: Door) -> AcmeClient:
    return registered(office, door)


RESOURCES = ("new-account", "new-order", "new-authz", "key-change", "revoke-cert", "account/x",
             "order/x", "order/x/finalize", "authz/x", "challenge/x/y", "certificate/x/1")  # fmt: skip
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(["identifiers", "csr", "type", "value", "status", "contact"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(resource=st.sampled_from(RESOURCES), payload=JSONS)
def test_nothing_signed_ends_in_an_unplanned_way(
    target: AcmeClient, resource: str, payload: object
) -> None:
    url = target.url(*resource.split("/"))
    answer = target.fetch("POST", url, target.signed(url, payload))
    assert answer.status < 500
    assert answer.headers["replay-nonce"]


@settings(max_examples=40, deadline=None)
@given(resource=st.sampled_from(RESOURCES), body=st.binary(max_size=200))
def test_nothing_unsigned_ends_in_an_unplanned_way(
    target: AcmeClient, resource: str, body: bytes
) -> None:
    assert 400 <= target.fetch("POST", target.url(*resource.split("/")), body).status < 500
