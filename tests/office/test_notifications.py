"""Who is told what, once it happened: through a real mail server and a real receiver."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from listening import party
from sqlalchemy import event as sql_event

from chancery.app.office import Office, open_office
from chancery.app.quickstart import quickstart
from chancery.app.signer_process import running_signer
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted
from chancery.domain.estate import ImportChoices
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.notification import DeliveryState, Event, MessageTemplate
from chancery.domain.registration import RaEvent, RegistrationAuthority
from chancery.domain.request import RequestKind, RequestState, Submission
from chancery.ports import Page, RequestFilter
from chancery.ports_work import DeliveryFilter
from chancery.services.estate import ImportFile
from chancery.services.figures import FigureService
from chancery.services.notifications import Announcer, Plan
from chancery.services.notifications.sweeps import Sweeps
from chancery.settings import load
from services.csr import p256_csr
from services.mailbox import Mailbox
from services.receiver import Receiver

DAY = 86_400
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
Who = Callable[[str], Principal]

SETTINGS = """
[mail]
host = "localhost"
port = {port}
ca_file = "root.pem"
sender = "ca@example.org"
operators = ["ops@example.org"]

[[webhooks]]
name = "crm"
url = "{url}"
secret_file = "secrets/crm"
events = ["certificate.issued", "crl.late"]
ras = ["told"]
ca_file = "root.pem"
private_addresses = true
"""


@dataclass
class House:
    office: Office
    mail: Mailbox
    receiver: Receiver

    def send(self) -> None:
        """Do what the jobs process does, until nothing is due."""
        self.office.work.expansion.run()
        runner = self.office.work.runner()
        runner.start()
        try:
            while self.due():
                pass
        finally:
            runner.stop()

    def due(self) -> bool:
        with self.office.store.read() as session:
            return session.jobs.waits(["mail", "webhook"], self.office.clock.s())

    def mails(self) -> list[EmailMessage]:
        self.send()
        found = [message for _, message in self.mail.got]
        self.mail.got.clear()
        return sorted(found, key=lambda one: (str(one["to"]), str(one["subject"])))


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("told") / "instance"
    database = None
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_server").database()
    quickstart(directory, database=database)
    root = party("root", ca=True)
    (directory / "root.pem").write_bytes(root.pem())
    (directory / "secrets" / "crm").write_text(SECRET)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*party("localhost", root).write(directory, "both"))
    mail, receiver = Mailbox(context).start(), Receiver(context).start()
    config = directory / "chancery.toml"
    added = SETTINGS.format(port=mail.port, url=receiver.url)
    config.write_text(config.read_text() + added)
    settings = load(config)
    with running_signer(settings.signer), open_office(settings) as office:
        for name in ("requester", "officer1", "officer2", "operator", "admin"):
            office.identity.users.edit(SYSTEM, name, email=f"{name}@example.org")
        made = ra("told", 1, notify=("desk@example.org",), notify_events=tuple(RaEvent))
        for one in (made, ra("plain", 1), ra("robots", 0)):
            office.ras.put(SYSTEM, one)
        yield House(office, mail, receiver)
    mail.stop()
    receiver.stop()


def ra(name: str, approvals: int, **more: object) -> RegistrationAuthority:
    return RegistrationAuthority(
        name,
        ("tls-server",),
        ("issuing-ca",),
        "officers",
        approvals,
        anonymous=False,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def who(house: House) -> Who:
    home: Path = house.office.settings.database.url_file.parent

    def sign_in(name: str) -> Principal:
        token = (home / "tokens" / f"{name}.token").read_text().strip()
        return house.office.identity.authenticate_token(token, "192.0.2.7")

    return sign_in


@pytest.fixture(autouse=True)
def _nothing_left(house: House) -> Iterator[None]:
    house.mail.got.clear()
    house.receiver.got.clear()
    yield
    house.mail.answers.clear()
    house.receiver.statuses.clear()


def submission(name: str, registration: str) -> Submission:
    return Submission("tls-server", ra=registration, csr=p256_csr(name).encode())


def told(mails: list[EmailMessage]) -> list[tuple[str, str]]:
    return [(str(one["to"]), str(one["subject"])) for one in mails]


def text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_from_waiting_to_issued(house: House, who: Who) -> None:
    office = house.office
    request = office.registration.submit(
        who("requester"), submission("a.example.org", "told")
    ).request
    waiting = house.mails()
    assert told(waiting) == [
        ("desk@example.org", "Request waiting: CN=a.example.org"),
        ("officer1@example.org", "Request waiting: CN=a.example.org"),
        ("officer2@example.org", "Request waiting: CN=a.example.org"),
    ]
    link = f"{office.settings.listen.https_url}/console/requests/{request.id}"
    assert link in text(waiting[0])
    assert "Names:      dns:a.example.org\nProfile:    tls-server of told" in text(waiting[0])
    assert house.receiver.got == []  # its filter

    office.decisions.approve(who("officer1"), request.id, request.content_sha256)
    assert told(house.mails()) == [
        ("desk@example.org", "Approved: CN=a.example.org"),
        ("desk@example.org", "Issued: CN=a.example.org"),
        ("requester@example.org", "Approved: CN=a.example.org"),
        ("requester@example.org", "Issued: CN=a.example.org"),
    ]
    (got,) = house.receiver.got
    body = json.loads(got.body)
    assert body["type"] == "certificate.issued"
    assert body["data"]["certificate"]["serial"] == request.serial
    assert body["data"]["request"]["id"] == request.id
    assert datetime.fromisoformat(body["timestamp"]).tzinfo == UTC


def test_a_denial_tells_why_and_the_default_leaves_approvals_out(house: House, who: Who) -> None:
    office = house.office
    for name in ("b.example.org", "c.example.org"):
        office.registration.submit(who("requester"), submission(name, "plain"))
    house.mails()
    where = RequestFilter(state=RequestState.PENDING, ra="plain")
    waiting = office.registration.find(SYSTEM, where, Page())
    office.decisions.deny(who("officer2"), waiting[0].id, "Not\r\nBcc: eve@example.org ours")
    office.decisions.approve(who("officer2"), waiting[1].id)
    denied, issued = house.mails()
    assert told([denied, issued]) == [
        ("requester@example.org", "Denied: CN=c.example.org"),
        ("requester@example.org", "Issued: CN=b.example.org"),
    ]
    assert "Reason:     Not  Bcc: eve@example.org ours\n" in text(denied)
    assert denied["bcc"] is None
    assert house.receiver.got == []


def test_a_wish_to_revoke_is_told_to_those_who_decide(house: House, who: Who) -> None:
    office, officer = house.office, who("officer1")
    made = office.registration.submit(who("requester"), submission("w.example.org", "plain"))
    issued = office.decisions.approve(officer, made.request.id, made.request.content_sha256)
    house.mails()
    wish = office.portal.wishes.ask(
        who("requester"), issued.id, None, RevocationReason.keyCompromise, "stolen"
    )
    mails = house.mails()
    assert told(mails) == [
        ("officer1@example.org", "Revocation wished: CN=w.example.org"),
        ("officer2@example.org", "Revocation wished: CN=w.example.org"),
    ]
    assert "Reason:   keyCompromise\nNote:     stolen\n" in text(mails[0])
    assert f"/console/revocations/{wish.id}" in text(mails[0])

    def waiting() -> list[int]:
        counts = FigureService(office.store, office.clock).home(who("officer1")).counts
        return [count.value for count in counts if count.name == "revocations.open"]

    before = waiting()
    office.portal.wishes.refuse(officer, wish.id, "it is here")
    assert (before, waiting()) == ([1], [0])


def test_an_outage_loses_nothing_and_the_id_stays(house: House, who: Who) -> None:
    office = house.office
    house.mail.answers += ["450 later"] * 2
    office.registration.submit(who("requester"), submission("d.example.org", "plain"))
    assert house.mails() == []
    failed = office.work.notifications.find(SYSTEM, DeliveryFilter(state=DeliveryState.WAITING))
    assert [(one.attempts, "450 later" in (one.error or "")) for one in failed] == [(1, True)] * 2
    channel = office.work.notifications.channels(who("auditor"))[0]
    assert (channel.name, channel.unsent, channel.failed) == ("mail", 2, 0)
    assert "450 later" in (channel.last_error or "")
    for one in failed:
        office.work.notifications.retry(who("admin"), one.id)
    arrived = house.mails()
    assert {one["message-id"] for one in arrived} == {f"<{one.id}@example.org>" for one in failed}


def test_what_is_refused_for_good_is_shown_and_sent_again_by_hand(house: House, who: Who) -> None:
    service = house.office.work.notifications
    house.mail.answers.append("550 no such user")
    made = service.test(who("admin"), "mail")
    assert house.mails() == []
    (failed,) = service.find(who("auditor"), DeliveryFilter(state=DeliveryState.FAILED))
    assert (failed.id, failed.recipient) == (made.id, "admin@example.org")
    assert "550 no such user" in (failed.error or "")
    service.retry(who("admin"), made.id)
    assert told(house.mails()) == [("admin@example.org", "A test from Chancery")]
    assert service.show(SYSTEM, made.id).state is DeliveryState.SENT
    service.retry(who("admin"), made.id)  # once more, although it went out
    assert len(house.mails()) == 1
    with pytest.raises(NotPermitted):
        service.retry(who("auditor"), made.id)


def test_a_webhook_is_replayed_under_the_same_id(house: House, who: Who) -> None:
    service = house.office.work.notifications
    house.receiver.statuses.append(500)
    made = service.test(who("admin"), "webhook:crm")
    house.send()
    assert service.show(SYSTEM, made.id).error == "crm answered 500"
    service.retry(who("admin"), made.id)
    house.send()
    assert [got.headers["webhook-id"] for got in house.receiver.got] == [made.id] * 2
    assert len({got.body for got in house.receiver.got}) == 1
    with pytest.raises(NotFound):
        service.test(who("admin"), "webhook:other")
    with pytest.raises(BadRequest):
        service.test(who("admin"), "mail", "no address")


def test_who_opted_out_is_left_alone(house: House, who: Who) -> None:
    office, service = house.office, house.office.work.notifications
    service.set_opted_out(who("officer1"), frozenset({"request.waiting"}))
    service.set_opted_out(who("officer2"), frozenset({"*"}))
    with pytest.raises(BadRequest, match="no event"):
        service.set_opted_out(who("officer1"), frozenset({"weather"}))
    assert service.opted_out(who("officer1")) == {"request.waiting"}
    office.registration.submit(who("requester"), submission("e.example.org", "told"))
    assert [to for to, _ in told(house.mails())] == ["desk@example.org"]
    for name in ("officer1", "officer2"):
        service.set_opted_out(who(name), frozenset())


def test_an_edited_template_is_used_and_a_broken_one_refused(house: House, who: Who) -> None:
    office, words = house.office, house.office.work.notifications.templates
    draft = MessageTemplate(
        Event.REQUEST_WAITING, "Neu: {{ request.subject }}", "{{ request.ra }}\n{{ url }}"
    )
    for broken, field in (
        (replace(draft, text="{{ request.nothing }}"), "text"),
        (replace(draft, subject="{{"), "subject"),
        (replace(draft, html="{% include 'x' %}"), "html"),
        (replace(draft, text=" "), "text"),
    ):
        with pytest.raises(BadRequest) as refused:
            words.put(who("admin"), broken)
        assert refused.value.field == field
    assert words.put(who("admin"), draft, base=0).version == 1
    with pytest.raises(Conflict):
        words.put(who("admin"), draft, base=0)
    with pytest.raises(NotPermitted):
        words.put(who("operator"), draft)
    office.registration.submit(who("requester"), submission("f.example.org", "plain"))
    first, _ = house.mails()
    assert first["subject"] == "Neu: CN=f.example.org"
    assert text(first).startswith("plain\nhttps://")
    words.reset(who("admin"), Event.REQUEST_WAITING)
    assert words.show(SYSTEM, Event.REQUEST_WAITING).version == 0
    assert [one.version for one in words.versions(SYSTEM, Event.REQUEST_WAITING)] == [0, 1, 2]


@pytest.mark.parametrize("event", list(Event))
def test_every_shipped_template_can_be_filled_in(house: House, event: Event) -> None:
    words = house.office.work.notifications.templates
    message = words.preview(SYSTEM, words.show(SYSTEM, event))
    assert message.subject
    assert "\n" not in message.subject
    assert f'<a href="{house.office.settings.listen.https_url}/console' in message.html
    assert "{" not in message.text


@contextmanager
def statements(office: Office) -> Iterator[list[str]]:
    """The statements of units of work, from all threads."""
    seen: list[str] = []
    engine = office.store._writers

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    sql_event.listen(engine, "before_cursor_execute", note)
    yield seen
    sql_event.remove(engine, "before_cursor_execute", note)


def test_what_is_issued_by_itself_costs_nothing(house: House, who: Who) -> None:
    office = house.office
    with statements(office) as seen:
        issued = office.registration.submit(who("requester"), submission("g.example.org", "robots"))
    assert issued.request.state is RequestState.ISSUED
    assert [sql for sql in seen if "notification" in sql or "delivery" in sql or "job" in sql] == []
    assert len(seen) < 20, seen
    assert house.mails() == []


# The passing of time


class At:
    def __init__(self, now: int) -> None:
        self.now = now

    def ms(self) -> int:
        return self.now * 1000

    def s(self) -> int:
        return self.now


def test_each_certificate_is_told_of_once_at_each_threshold(house: House, who: Who) -> None:
    office = house.office
    clock = At(office.clock.s() - 1)
    sweeps = Sweeps(office.store, office.announcer, clock)
    sweeps.expiring()  # draws the lines where they are now
    records = [
        office.registration.submit(who("requester"), submission(f"x{n}.example.org", "robots"))
        for n in range(3)
    ]
    end = min(one.certificate.not_after for one in records if one.certificate is not None)
    gone = records[2].certificate
    assert gone is not None
    office.certificates.revoke(SYSTEM, gone.serial, RevocationReason.superseded)
    seen = []
    for days_left in (31, 29, 28, 15, 13, 8, 6.5, 6, 2, 0.9, 0.5, -1):
        clock.now = int(end - days_left * DAY)
        sweeps.expiring()
        sweeps.expiring()
        for mail in house.mails():
            if "x0.example.org" not in text(mail):
                continue  # from a test before
            seen.append((days_left, str(mail["to"]), str(mail["subject"])))
            assert "x2.example.org" not in text(mail)
            assert text(mail).count("serial ") == text(mail).count("until ")
    expected = [(29, "30 days"), (13, "14 days"), (6.5, "7 days"), (0.9, "a day")]
    assert [(left, subject.partition("within ")[2]) for left, _, subject in seen] == expected
    assert {to for _, to, _ in seen} == {"requester@example.org"}


def test_after_a_long_silence_the_nearest_threshold_tells_alone(house: House, who: Who) -> None:
    office = house.office
    with office.store.read() as session:
        lines = [session.figures.position(f"expiring-{days}") or 0 for days in (30, 14, 7, 1)]
    issued = office.registration.submit(who("requester"), submission("late.example.org", "robots"))
    record = issued.certificate
    assert record is not None
    assert record.not_after < max(lines)  # crossed by the lines of the test before
    clock = At(record.not_after - 5 * DAY)
    _move_lines(office, clock.now - 60 * DAY)
    Sweeps(office.store, office.announcer, clock).expiring()
    subjects = [str(mail["subject"]) for mail in house.mails() if "late.example.org" in text(mail)]
    assert [subject.partition("within ")[2] for subject in subjects] == ["7 days"]


def _move_lines(office: Office, now: int) -> None:
    for days in (30, 14, 7, 1):
        name = f"expiring-{days}"
        with office.store.read() as session:
            position = session.figures.position(name)
        office.store.write(
            lambda s, n=name, p=position, d=days: s.figures.advance(n, p, now + d * DAY)  # type: ignore[misc]
        )


def test_a_renewed_certificate_is_not_complained_about(house: House, who: Who) -> None:
    office = house.office
    first = office.registration.submit(
        who("requester"), submission("r.example.org", "robots")
    ).certificate
    assert first is not None
    again = replace(
        submission("r.example.org", "robots"), kind=RequestKind.RENEW_NEW_KEY, renews=first.id
    )
    office.registration.submit(who("requester"), again)
    clock = At(first.not_after - 6 * DAY)
    _move_lines(office, clock.now - 2 * DAY)
    Sweeps(office.store, office.announcer, clock).expiring()
    texts = [text(mail) for mail in house.mails()]
    assert any("CN=r.example.org" in one for one in texts)  # the successor ends on the same day
    assert all(first.serial not in one for one in texts)


def test_imported_certificates_are_told_of_to_the_operators(house: House) -> None:
    office = house.office
    end = datetime.fromtimestamp(office.clock.s() + 6 * DAY, UTC)
    listed = f"serial,issuer,cn,expires\nab,CN=Stranger,shop.example.com,{end:%Y-%m-%d %H:%M:%S}\n"
    found = office.estate.preview(
        SYSTEM, [ImportFile("list.csv", listed.encode())], ImportChoices()
    )
    office.estate.step(SYSTEM, found.id)
    clock = At(int(end.timestamp()) - 6 * DAY)
    _move_lines(office, clock.now - 2 * DAY)
    Sweeps(office.store, office.announcer, clock).expiring()
    told = [mail for mail in house.mails() if "shop.example.com" in text(mail)]
    assert "ops@example.org" in {str(mail["to"]) for mail in told}
    assert all("within 7 days" in str(mail["subject"]) for mail in told)


def test_crls_that_do_not_come_and_cas_that_end_are_told_once(house: House) -> None:
    office = house.office
    with office.store.read() as session:
        crl = session.crls.latest("issuing-ca")
        current = next(c for c in session.authorities.certificates("issuing-ca") if c.current)
    assert crl is not None
    seen: list[tuple[str, str]] = []
    for at in (
        crl.this_update + DAY + 60,
        crl.this_update + DAY + 3700,
        crl.next_update + 60,
        current.not_after - 91 * DAY,
        current.not_after - 89 * DAY,
        current.not_after - 29 * DAY,
        current.not_after - 6 * DAY,
        current.not_after - 5 * DAY,
    ):
        sweeps = Sweeps(office.store, office.announcer, At(at))
        sweeps.authorities()
        sweeps.authorities()
        mails = house.mails()
        seen += [one for one in told(mails) if "issuing-ca" in one[1]]
    subjects = [subject for to, subject in seen if to == "operator@example.org"]
    assert subjects == [
        "CRL late: issuing-ca",
        "CRL expired: issuing-ca",
        "CA issuing-ca expires within 90 days",
        "CA issuing-ca expires within 30 days",
        "CA issuing-ca expires within 7 days",
    ]
    assert [s for to, s in seen if to == "ops@example.org"] == subjects
    hooks = [json.loads(got.body) for got in house.receiver.got]
    assert {one["type"] for one in hooks} == {"crl.late"}


def test_without_channels_nothing_is_put_on_record(house: House) -> None:
    office = house.office
    silent = Announcer(Plan(), lambda _: None)
    before = office.work.notifications.find(SYSTEM, DeliveryFilter(), None, 1)
    office.store.write(lambda s: silent.tell(s, Event.CRL_LATE, "x", {}))
    Sweeps(office.store, silent, At(0)).authorities()
    house.send()
    assert office.work.notifications.find(SYSTEM, DeliveryFilter(), None, 1) == before


def test_a_template_that_fails_all_the_same_does_not_cost_the_message(house: House) -> None:
    office = house.office
    bad = MessageTemplate(Event.JOB_FAILED, "{{ nothing }}", "{{ nothing }}", None, 1, 0, "ada")
    office.store.write(lambda s: s.notifications.add_template(bad))
    data = {"job": {"id": "j", "kind": "operation", "error": "no"}}
    office.store.write(lambda s: office.announcer.tell(s, Event.JOB_FAILED, "j", data))
    assert told(house.mails()) == [
        ("admin@example.org", "Job failed: operation"),
        ("ops@example.org", "Job failed: operation"),
    ]


def test_sent_messages_are_forgotten_and_others_kept(house: House) -> None:
    office = house.office
    house.send()
    everything = office.work.notifications.find(SYSTEM, DeliveryFilter(), None, 1000)
    unsent = [one for one in everything if one.sent_at is None]
    office.store.write(lambda s: s.notifications.purge(office.clock.s() + DAY * 100_000, 10_000))
    left = office.work.notifications.find(SYSTEM, DeliveryFilter(), None, 1000)
    assert {one.id for one in unsent} <= {one.id for one in left}
    assert all(any(o.notification_id == one.notification_id for o in unsent) for one in left)
