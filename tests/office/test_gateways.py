"""Through the gateway of one RA: every route on its list, asked for what another RA has."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from asking import Answer, Asker
from browsing import Browser

from chancery.adapters.sealing import KeyFileSealer
from chancery.app.office import Office
from chancery.app.worker import application
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import NotFound, NotPermitted, TooLarge
from chancery.domain.gateway import Gateway, Receipt
from chancery.domain.identity import SYSTEM, Permission, Principal, anonymous, confined
from chancery.domain.request import Submission
from chancery.ports import Page, RequestFilter
from chancery.server.gateway_cookies import SessionCookies
from chancery.server.gateway_reach import ROUTES
from chancery.server.gateways import Gateways
from chancery.services.access import demand
from chancery.services.gateways import GatewayService
from services.csr import p256_csr

Who = Callable[[str], Principal]
RA, OTHER, ACCOUNT = "main", "automatic", "ra-berlin"
LINES = [tuple(line.split(" ", 1)) for line in ROUTES.splitlines() if line]
OF_SOMETHING = [
    (method, path)
    for method, path in LINES
    if re.search(r"\{(request_id|wish_id|serial|id)\}", path)
]
BODIES: dict[str, Any] = {
    "deny": {"reason": "no"},
    "refuse": {"reason": "no"},
    "notes": {"text": "hello"},
    "revoke": {"reason": "superseded"},
    "renew": {},
}
FIELDS = {"reason": "superseded", "why": "no", "text": "hello", "passphrase": "a long passphrase"}


@dataclass
class Theirs:
    """What the other RA has, and the way there."""

    app: Gateways
    chain: tuple[str, ...]
    request_id: str
    code: str
    serial: str
    wish_id: str
    service: GatewayService

    def path(self, template: str) -> str:
        wish = "revocations/{" in template
        found = template.replace("{request_id}", self.request_id).replace("{serial}", self.serial)
        found = found.replace("{id}", self.wish_id if wish else self.request_id)
        found = found.replace("{wish_id}", self.wish_id).replace("{authority}", "issuing-ca")
        return found.replace("{form}", "pem")


@pytest.fixture(scope="module")
def theirs(office: Office, who: Who) -> Theirs:
    """A certificate of ``automatic``, which at the same time is what the gateway shows."""
    csr = p256_csr("gateway.example.org").encode()
    receipt = Receipt("ABCD-EFGH-IJKL-MNOP", queued=True)
    submission = Submission("tls-client", ra=OTHER, csr=csr)
    made = office.registration.receive(who("requester"), submission, receipt)
    assert made.certificate is not None
    office.identity.users.create(SYSTEM, ACCOUNT, roles=[])
    office.identity.certificates.bind(SYSTEM, ACCOUNT, made.certificate.der)
    wish = office.portal.wishes.ask(
        who("requester"), made.request.id, None, RevocationReason.superseded
    )
    service = GatewayService(
        office.store, office.catalogue, office.clock, [Gateway("berlin", ACCOUNT, RA)]
    )
    sealer = KeyFileSealer(office.settings.login.key_file)
    cookies = SessionCookies(
        functools.partial(sealer.seal, context="berlin"),
        functools.partial(sealer.open, context="berlin"),
    )
    pem = office.delivery.download(who("requester"), made.request.id, "pem").data.decode()
    return Theirs(
        Gateways(application(office), service, lambda _: cookies),
        (pem,),
        made.request.id,
        receipt.code,
        made.certificate.serial,
        wish.id,
        service,
    )


@pytest.fixture(scope="module")
def token(office: Office) -> Callable[[str], str]:
    home: Path = office.settings.database.url_file.parent
    return lambda name: (home / "tokens" / f"{name}.token").read_text().strip()


@pytest.mark.parametrize(
    ("method", "path"), [one for one in OF_SOMETHING if one[1].startswith("/api/")]
)
def test_programs_find_nothing_of_another_ra(
    theirs: Theirs, token: Callable[[str], str], method: str, path: str
) -> None:
    """Not an officer, not even whose they are; but at the centre's own door they are there."""
    body = BODIES.get(path.rpartition("/")[2], {"note": "x"} if method == "PATCH" else None)
    if path.startswith("/api/v1/revocations/requests"):
        body = BODIES["revoke"]
    asked = theirs.path(path)
    for name in ("officer1", "requester"):
        at = Asker(theirs.app).as_bearer(token(name))
        answer = at(method, asked, body, chain=theirs.chain)
        expected = {403, 404} if name == "requester" else {404}
        assert answer.status in expected, (name, answer.body)
    if method == "GET":
        at = Asker(theirs.app).as_bearer(token("officer1"))
        assert at(method, asked).status == 200
    elif "request_id" in path:
        stranger = Asker(theirs.app)
        coded = f"{asked}?code={theirs.code}"
        refused = stranger(method, coded, body, chain=theirs.chain)
        assert refused.status in (401, 404, 422), refused.body


@pytest.fixture(scope="module")
def screen(office: Office, theirs: Theirs) -> Browser:
    """An officer who signed in through the gateway."""
    facts = json.loads(
        (office.settings.database.url_file.parents[1] / "quickstart.json").read_text()
    )
    browser = Browser(_Shown(theirs))
    signed_in = browser.sign_in("officer1", facts["users"]["officer1"]["password"])
    assert signed_in.headers["location"] == "/console"
    browser.cookies["__Host-chancery-codes"] = theirs.code.replace("-", "")
    return browser


class _Shown:
    """The application as the gateway's connection sees it."""

    def __init__(self, theirs: Theirs) -> None:
        self._theirs = theirs

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {"tls": {"client_cert_chain": list(self._theirs.chain)}}
        await self._theirs.app(scope, receive, send)


@pytest.mark.parametrize(
    ("method", "path"), [one for one in OF_SOMETHING if not one[1].startswith("/api/")]
)
def test_pages_show_nothing_of_another_ra(
    theirs: Theirs, screen: Browser, method: str, path: str
) -> None:
    asked = theirs.path(path)
    if method == "GET":
        answer: Answer = screen.get(asked)
    else:
        screen.get("/console/requests")
        answer = screen.post(asked, FIELDS)
    assert answer.status == 404, screen.page[:2000]


@pytest.mark.parametrize("path", [p for m, p in LINES if m == "GET" and "{" not in p])
def test_every_other_page_can_be_drawn(theirs: Theirs, screen: Browser, path: str) -> None:
    answer = screen.get(path + ("?code=AAAA-AAAA-AAAA-AAAA" if path.endswith("requests") else ""))
    assert answer.status < 500, answer.text
    assert theirs.serial not in answer.text
    assert theirs.request_id not in answer.text


def test_a_cookie_of_the_gateway_opens_nothing_elsewhere(
    office: Office, theirs: Theirs, screen: Browser
) -> None:
    elsewhere = Browser(theirs.app)
    elsewhere.cookies = dict(screen.cookies)
    assert elsewhere.get("/console").headers["location"].startswith("/console/sign-in")
    facts = json.loads(
        (office.settings.database.url_file.parents[1] / "quickstart.json").read_text()
    )
    elsewhere.sign_in("officer2", facts["users"]["officer2"]["password"])
    assert elsewhere.get("/console").status == 200
    through = Browser(_Shown(theirs))
    through.cookies = dict(elsewhere.cookies)
    assert through.get("/console/requests").headers["location"].startswith("/console/sign-in")


def test_a_service_that_does_not_confine_is_out_of_reach(office: Office, who: Who) -> None:
    held = confined(who("admin"), RA)
    assert Permission.IDENTITY_MANAGE not in held.permissions
    for permission in Permission:
        with pytest.raises(NotPermitted):
            demand(held, permission)
    officer = confined(who("officer1"), RA)
    for closed in (
        lambda: office.work.operations.find(officer),
        lambda: office.work.operations.decide(officer, [("1", "2")], approve=True),
        lambda: office.work.figures.home(officer),
        lambda: office.identity.users.all(officer),
        lambda: office.ras.all(officer),
    ):
        with pytest.raises(NotPermitted):
            closed()


def test_what_comes_twice_is_taken_in_once(office: Office) -> None:
    stranger = confined(anonymous("203.0.113.5 via berlin"), RA)
    submission = Submission("tls-server", csr=p256_csr("twice.example.org").encode())
    receipt = Receipt("QRST-UVWX-YZ23-4567", queued=True)
    first = office.registration.receive(stranger, submission, receipt)
    again = office.registration.receive(stranger, replace(submission), receipt)
    assert first.request == again.request
    assert (first.request.ra, first.code) == (RA, receipt.code)
    other = Submission("tls-server", csr=p256_csr("second.example.org").encode())
    second = office.registration.receive(stranger, other, receipt)
    assert second.request.id != first.request.id
    found = office.portal.following.requests(stranger, receipt.code)
    assert {one.id for one in found} == {first.request.id, second.request.id}
    with pytest.raises(NotFound):
        office.portal.following.requests(confined(anonymous("x"), OTHER), receipt.code)
    with pytest.raises(NotFound, match="here"):
        office.registration.receive(stranger, replace(other, ra=OTHER), receipt)
    many = [replace(other)] * 51
    with pytest.raises(TooLarge):
        office.registration.submit_together(stranger, many, receipt=receipt)


def test_an_account_submits_through_it(
    office: Office, theirs: Theirs, token: Callable[[str], str]
) -> None:
    """With its token, and under the receipt's code, which a stranger's own header is not."""
    at = Asker(theirs.app).as_bearer(token("requester"))
    body = {"profile": "tls-server", "csr": p256_csr("account.example.org")}
    fields = {
        "chancery-relayed-for": "203.0.113.9",
        "chancery-receipt": "ABCD-2345-ABCD-2345",
        "idempotency-key": "k1",
    }
    made = [at.post("/api/v1/requests", body, headers=fields, chain=theirs.chain) for _ in "12"]
    assert {one.status for one in made} == {201}
    assert len({one.json["id"] for one in made}) == 1
    with office.store.read() as session:
        request = session.requests.get(made[0].json["id"])
        (event,) = (
            one.event
            for one in session.audit.find(subject_id=request.id)
            if one.event.action == "request.submitted"
        )
    assert (request.requester, request.ra) == ("requester", RA)
    assert event.origin == "203.0.113.9 via berlin"
    body = {"profile": "tls-client", "ra": OTHER, "csr": p256_csr("plain.example.org")}
    plain = Asker(theirs.app).as_bearer(token("requester"))
    made = [plain.post("/api/v1/requests", body, headers=fields) for _ in "1"]
    assert made[0].status == 409  # the key was used; nobody but a gateway has a receipt
    del fields["idempotency-key"]
    code = plain.post("/api/v1/requests", body, headers=fields).json.get("code")
    assert code is None


def test_requests_are_those_of_one_ra(office: Office, who: Who) -> None:
    officer = confined(who("officer1"), RA)
    found = office.registration.find(officer, RequestFilter(), Page(limit=1000))
    assert found
    assert {one.ra for one in found} == {RA}
    assert office.registration.find(officer, RequestFilter(ra=OTHER), Page(limit=1000)) == []


def test_a_gateway_is_refused_when_it_must_not_be_one(office: Office, theirs: Theirs) -> None:
    shown = {"chain": theirs.chain}
    asker = Asker(theirs.app)
    assert asker.get("/healthz", **shown).headers["chancery-gateway"] == "berlin"
    assert "chancery-gateway" not in asker.get("/healthz").headers
    office.identity.users.edit(SYSTEM, ACCOUNT, disabled=True)
    theirs.service._kept.clear()
    refused = asker.get("/", **shown)
    assert (refused.status, refused.json["rule"]) == (403, "gateway.account")
    office.identity.users.edit(SYSTEM, ACCOUNT, disabled=False)
    theirs.service._kept.clear()
    assert asker.get("/", **shown).status == 200
    office.certificates.hold(SYSTEM, theirs.serial)
    theirs.service._kept.clear()
    assert asker.get("/", **shown).json["rule"] == "gateway.certificate"
    office.certificates.release(SYSTEM, theirs.serial)
    theirs.service._kept.clear()
    gone = GatewayService(
        office.store, office.catalogue, office.clock, [Gateway("b", ACCOUNT, "no-such-ra")]
    )
    app = Gateways(theirs.app._app, gone, theirs.app._cookies)
    assert Asker(app).get("/", **shown).json["rule"] == "gateway.ra"
