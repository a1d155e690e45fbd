"""Publication: copies at other places, and the watchdog that looks at what is published."""

import base64
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chancery.adapters.fetching import HttpFetcher
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.publication_ldap import LdapDestination, Tree
from chancery.adapters.publication_s3 import Bucket, S3Destination
from chancery.domain.authority import CrlIdp
from chancery.domain.errors import NotAuthenticated, Unavailable
from chancery.domain.identity import SYSTEM, anonymous
from chancery.domain.notification import Webhook
from chancery.domain.profile import DAY_S
from chancery.domain.publication import Sight, Sighting
from chancery.ports import CertificateFilter, Page
from chancery.services.attention import AttentionService
from chancery.services.authority import AuthorityChange, NewAuthority
from chancery.services.gauges import Gauges
from chancery.services.notifications import Announcer, Plan
from chancery.services.status.crl_watch import AWAY_S, Watchdog
from chancery.services.status.publication import PublicationService
from services.instance import free_port
from services.pki import House, operator, signer
from services.slapd import BASE, Slapd
from support.directories import server_of

PLAN = Plan(webhooks=(Webhook("x", "https://hooks.example.org"),))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("published")
    with signer(directory) as client:
        made = House(directory, client)
        made.authorities.create(SYSTEM, NewAuthority("root", "lab", "CN=Root"))
        made.authorities.create(SYSTEM, NewAuthority("other", "lab", "CN=Other"))
        change = AuthorityChange(crl_delta_every_s=3600, crl_ca_list=True, crl_idp=CrlIdp.NONE)
        made.authorities.edit(SYSTEM, "root", change)
        made.status.run_due()
        yield made
        made.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def web(house: House) -> Iterator[str]:
    """Somebody else's web server over the published directory."""
    handler = partial(_Quiet, directory=str(house.directory / "public"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def dog(house: House, web: str) -> Watchdog:
    announcer = Announcer(PLAN, lambda _: None, house.clock, secrets.token_bytes)
    return Watchdog(house.store, house.clock, HttpFetcher(5), announcer, http=web)


def seen(house: House) -> dict[str, Sighting]:
    with house.store.read() as session:
        return {one.name: one for one in session.publications.sightings()}


def told(house: House, one: Sighting) -> bool:
    mark = f"crl-seen/{one.url}/{one.state}/{one.since}"
    with house.store.read() as session:
        return bool(session.notifications.marked([mark]))


def points(house: House) -> list[str]:
    service = AttentionService(house.store, house.clock, lambda: None, lambda: 0)
    return [point.text for point in service.points(SYSTEM) if point.kind == "publication"]


def test_the_watchdog_calls_at_half_life(house: House, dog: Watchdog) -> None:
    """The scheduler is dead (nothing runs here by itself), and the clock goes on (I6)."""
    assert dog.run() == 0
    first = seen(house)
    assert set(first) == {"root", "root/delta", "root/ca", "other"}
    assert all(one.state is Sight.GOOD for one in first.values())
    assert points(house) == []
    try:
        house.clock.ahead_s = 4 * DAY_S  # of seven: the regular ones should have come thrice
        assert dog.run() == 4
        late = seen(house)
        assert late["root"].state is Sight.LATE
        assert late["root/delta"].state is Sight.EXPIRED
        assert told(house, late["root"])
        assert any("root is late where it is published" in text for text in points(house))
        families = {one.name: one.values for one in Gauges(house.store, PLAN, ()).read()}
        alarms = families["chancery_crl_published_alarm"]
        assert alarms["root", "root", late["root"].url] == 1
        house.clock.ahead_s = 8 * DAY_S
        dog.run()
        assert seen(house)["root"].state is Sight.EXPIRED
    finally:
        house.clock.ahead_s = 0
    assert dog.run() == 0, "all is well again"


def test_a_responder_that_is_not_renewed_is_told(house: House) -> None:
    service = AttentionService(house.store, house.clock, lambda: None, lambda: 0)

    def late() -> list[str]:
        return [point.about for point in service.points(SYSTEM) if point.kind == "ocsp"]

    before = late()
    with house.store.read() as session:
        where = CertificateFilter(authority="root", profile="ocsp-signer")
        made = session.certificates.find(where, Page(limit=1))[0]
    life = made.not_after - made.not_before
    try:
        house.clock.ahead_s = life * 3 // 4 - DAY_S
        soon = late()
        house.clock.ahead_s = life * 3 // 4 + DAY_S
        assert (before, soon, sorted(late())) == ([], [], ["other", "root"])
    finally:
        house.clock.ahead_s = 0


def test_the_watchdog_knows_a_wrong_file(house: House, dog: Watchdog) -> None:
    """Another CA's CRL at this URL, an older one, and no CRL at all (I7, I23)."""
    place = house.directory / "public" / "crl" / "root.crl"
    old = place.read_bytes()
    house.status.issue_crl(operator(), "root")
    assert dog.run() == 0
    right = place.read_bytes()
    other = (house.directory / "public" / "crl" / "other.crl").read_bytes()
    for octets, words in ((other, "another CA"), (old, "number fell"), (b"<html>", "not a usable")):
        place.write_bytes(octets)
        assert dog.run() == 1
        found = seen(house)["root"]
        assert found.state is Sight.WRONG
        assert words in found.said
        assert told(house, found)
        place.write_bytes(right)
        assert dog.run() == 0


def test_a_url_that_does_not_answer_is_told_after_a_while(house: House) -> None:
    announcer = Announcer(PLAN, lambda _: None, house.clock, secrets.token_bytes)
    nobody = f"http://127.0.0.1:{free_port()}"
    dog = Watchdog(house.store, house.clock, HttpFetcher(1), announcer, http=nobody)
    try:
        assert dog.run() == 4
        away = seen(house)["root"]
        assert away.state is Sight.AWAY
        assert not told(house, away)
        house.clock.ahead_s = AWAY_S + 5
        dog.run()
        assert told(house, seen(house)["root"])
    finally:
        house.clock.ahead_s = 0


def test_copies_are_tried_until_they_are_there(house: House, directory_server: Slapd) -> None:
    """An OpenLDAP that is away, and then is not; and an object store that never answers."""
    entry = f"cn=Root CA,{BASE}"
    directory_server.add(
        f"dn: {entry}\nobjectClass: organizationalRole\nobjectClass: pkiCA\n"
        "objectClass: deltaCRL\ncn: Root CA\n"
    )
    tree = Tree(
        (server_of(directory_server.ldaps),), directory_server.authority.pem.decode(),
        f"cn=root,{BASE}", "root of the directory", {"root": entry}, 3,
    )  # fmt: skip
    bucket = Bucket(f"http://127.0.0.1:{free_port()}", "pki", "eu-1", "key", "secret", timeout_s=1)
    service = PublicationService(
        house.store, house.clock, house.publisher,
        [LdapDestination("corp", tree), S3Destination("s3", bucket)],
    )  # fmt: skip
    with directory_server.away():
        assert service.run() == 0
    here, ldap, s3 = service.standings(SYSTEM)
    assert (here.publisher, here.behind) == ("http", 0)
    assert (ldap.files, ldap.behind, ldap.attempts) == (4, 4, 1)
    assert ldap.error is not None
    assert s3.behind == s3.files == 6
    assert service.run() == 3, "the others have their turn, that one not before its time"
    service.retry(operator(), "corp")
    assert service.run() == 1
    ldap = service.standings(SYSTEM)[1]
    assert (ldap.behind, ldap.error, ldap.attempts) == (0, None, 0)
    assert service.run() == 0
    said = directory_server._tool("ldapsearch", "-o", "ldif-wrap=no", "-b", entry, "-s", "base")
    values = dict(
        line.split(":: ", 1) for line in said.stdout.decode().splitlines() if ":: " in line
    )
    for attribute, name in (
        ("certificateRevocationList", "root"),
        ("deltaRevocationList", "root/delta"),
        ("authorityRevocationList", "root/ca"),
    ):
        found = base64.b64decode(values[f"{attribute};binary"])
        assert found == house.status.latest_crl(name)
    house.status.issue_crl(operator(), "root")
    assert service.run() == 3, "what is new, and nothing else"
    # What is no longer made is taken away, before it is stale where it is found.
    house.authorities.edit(SYSTEM, "root", AuthorityChange(crl_ca_list=False))
    house.status.run_due()
    service.run()
    said = directory_server._tool("ldapsearch", "-o", "ldif-wrap=no", "-b", entry, "-s", "base")
    assert b"deltaRevocationList" in said.stdout
    assert b"authorityRevocationList" not in said.stdout
    with house.store.read() as session:
        rows = {(one.publisher, one.file) for one in session.publications.all()}
    assert ("corp", "crl/root.crl") in rows
    assert ("corp", "crl/root/ca.crl") not in rows
    # Whoever is no longer in the settings is no failure any more.
    PublicationService(house.store, house.clock, house.publisher, []).run()
    with house.store.read() as session:
        assert session.publications.all() == []
    house.authorities.edit(SYSTEM, "root", AuthorityChange(crl_ca_list=True))
    house.status.run_due()


class Places:
    """How often a place that never answers was asked."""

    name = "slow"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def takes(self, file: str) -> bool:
        return bool(file)

    def put(self, file: str, data: bytes, *, max_age_s: int) -> None:
        self.asked.append(f"{file} {len(data)} {max_age_s}")
        raise Unavailable("away")

    def remove(self, file: str) -> None:
        self.put(file, b"", max_age_s=0)


def test_a_place_that_fails_is_asked_once_in_a_run(house: House) -> None:
    """Each of its files would wait for its timeout, and everybody else meanwhile."""
    place = Places()
    service = PublicationService(house.store, house.clock, house.publisher, [place])
    assert service.run() == 0
    assert len(place.asked) == 1
    assert service.run() == 0
    assert len(set(place.asked)) == 2, "another file has its turn while the first one waits"


def test_a_key_that_succeeded_wants_an_entry_of_its_own(directory_server: Slapd) -> None:
    """Else its CRLs would be missing in the directory, and nobody told."""
    tree = Tree(
        (server_of(directory_server.ldaps),), directory_server.authority.pem.decode(),
        f"cn=root,{BASE}", "root of the directory", {"root": f"cn=Root CA,{BASE}"}, 3,
    )  # fmt: skip
    corp = LdapDestination("corp", tree)
    assert not corp.takes("crl/other.crl")
    for file in ("crl/root.2.crl", "ca/root.2.cer", "crl/root.2/delta.crl"):
        assert corp.takes(file)
        with pytest.raises(Unavailable, match=r"no entry for the key root\.2") as caught:
            corp.put(file, b"x", max_age_s=1)
        assert "publication.ldap.entries" in str(caught.value.remedy)


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    publisher = DirectoryPublisher(tmp_path)
    publisher.publish("crl/web.crl", b"old")
    old, young = (tmp_path / "crl" / f".web.crl.{n}.1" for n in (1, 2))
    for left in (old, young):
        left.write_bytes(b"half")
    os.utime(old, (1, 1))
    publisher.publish("crl/web.crl", b"new")
    assert sorted(path.name for path in (tmp_path / "crl").iterdir()) == [young.name, "web.crl"]


def test_requests_to_object_stores_are_signed_as_amazon_says() -> None:
    """Amazon S3 API Reference, "Signature Calculations: Single Chunk", example PUT Object."""
    bucket = Bucket(
        "https://examplebucket.s3.amazonaws.com", "", "us-east-1", "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )  # fmt: skip
    then = datetime(2013, 5, 24, tzinfo=UTC)
    headers = S3Destination("s3", bucket, now=lambda: then).signed(
        "PUT",
        "/test%24file.text",
        hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
        {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
    )
    wanted = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    assert headers["authorization"].endswith(f"Signature={wanted}")


def test_an_object_store_that_refuses_is_told(web: str) -> None:
    store = S3Destination("s3", Bucket(web, "pki", "eu-1", "key", "secret"))
    with pytest.raises(Unavailable, match="it answered 501"):
        store.put("crl/root.crl", b"x", max_age_s=1)
    assert store.takes("ca/root.cer")
    assert not store.takes("crl/root.number")


def test_who_may_look(house: House) -> None:
    service = PublicationService(house.store, house.clock, house.publisher)
    for call in (service.standings, service.sightings, partial(service.retry, publisher="x")):
        with pytest.raises(NotAuthenticated):
            call(anonymous("192.0.2.9"))
