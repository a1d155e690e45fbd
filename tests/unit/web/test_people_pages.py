"""Your account, and other people's: what the pages show and do."""

import re
from dataclasses import replace
from typing import Any

import pytest
from browsing import Browser
from factors import totp_code
from people import PASSWORD, SteppedClock

from chancery.domain.identity import SYSTEM, Role
from chancery.services.identity import IdentityService
from chancery.services.roster import Services
from chancery.web import create_web
from chancery.web.words import browser as browser_name

NEW = "another passphrase of some words"
PEOPLE = "/console/people"


class NoAuthorities:
    """The registration authorities of an instance that has none."""

    def all(self, _: object) -> list[Any]:
        return []


@pytest.fixture
def identity(services: Services) -> IdentityService:
    services.identity.groups.create(SYSTEM, "pair", roles=[Role.RA_OFFICER], logins_required=2)
    for name in ("requester", "ra-officer"):
        services.identity.groups.add_member(SYSTEM, "pair", name)
    return services.identity


@pytest.fixture
def web(identity: IdentityService, services: Services) -> Any:
    return create_web(replace(services, ras=NoAuthorities()))  # type: ignore[arg-type]


@pytest.fixture
def admin(web: Any) -> Browser:
    return entered(web, "administrator")


@pytest.fixture
def rita(web: Any) -> Browser:
    return entered(web, "requester")


def entered(web: Any, name: str, password: str = PASSWORD) -> Browser:
    browser = Browser(web)
    answer = browser.sign_in(name, password)
    assert answer.status == 303, browser.page
    return browser


def done(browser: Browser, path: str, fields: Any = None, *, on: str | None = None) -> str:
    """Send a form from the page *on*; return the page it leads to."""
    assert browser.get(on or path).status == 200, browser.page
    answer = browser.post(path, fields)
    assert answer.status == 303, (answer.status, browser.page)
    assert browser.get(answer.headers["location"]).status == 200, browser.page
    return browser.page


# Your account


def test_ones_own_account(rita: Browser) -> None:
    assert rita.get("/console/account").status == 200
    for text in ("Password", "No passkey yet", "this one", "pair", "No token yet"):
        assert text in rita.page


def test_the_password_is_changed_and_other_sessions_end(web: Any, rita: Browser) -> None:
    other = entered(web, "requester")
    path = "/console/account/password"
    fields = {"current": PASSWORD, "password": NEW, "again": NEW}
    rita.get(path)
    assert "the two entries" in rita.post(path, fields | {"again": "x"}).text
    rita.get(path)
    assert rita.post(path, fields | {"current": "wrong"}).status == 422
    assert "your other sessions have ended" in done(rita, path, fields)
    assert other.get("/console/account").status == 303
    entered(web, "requester", NEW)


def test_an_app_is_set_up(web: Any, rita: Browser, clock: SteppedClock) -> None:
    rita.get("/console/account")
    assert rita.post("/console/account/app").status == 200
    secret = re.search(r'data-copy="([A-Z2-7]{32})"', rita.page)
    assert secret is not None
    assert "<svg" in rita.page
    assert rita.post("/console/account/app/code", {"code": "000000"}).status == 422
    assert "Show a new picture" in rita.page
    rita.post("/console/account/app/code", {"code": totp_code(secret[1], clock.now)})
    codes = re.findall(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b", rita.page)
    assert len(set(codes)) == 10
    rita.get("/console/account")
    assert "10 codes left" in rita.page
    assert secret[1] not in rita.page

    clock.now += 30
    other = Browser(web)
    answer = other.sign_in("requester", PASSWORD)
    assert answer.headers["location"].startswith("/console/sign-in/factor")
    other.get(answer.headers["location"])
    code = totp_code(secret[1], clock.now)
    assert other.post("/console/sign-in/factor", {"code": code}).status == 303
    assert other.get("/console/account").status == 200
    assert "no longer in use" in done(other, "/console/account/app/remove", on="/console/account")


def test_changing_what_one_signs_in_with_takes_a_fresh_proof(
    rita: Browser, clock: SteppedClock
) -> None:
    clock.now += 301
    rita.get("/console/account")
    for path in ("app", "recovery-codes", "tokens/new", "passkeys/x/remove"):
        assert rita.post(f"/console/account/{path}").status == 403
        assert "Confirm that it is you" in rita.page
    answer = rita.get("/console/account/passkeys/new")
    assert answer.headers["location"].startswith("/console/step-up")


def test_passkeys_say_where_they_work(rita: Browser) -> None:
    rita.get("/console/account/passkeys/new")
    assert "https://localhost:8443" in rita.page


def test_a_token_is_shown_once(rita: Browser) -> None:
    path = "/console/account/tokens/new"
    rita.get(path)
    assert rita.post(path, {"label": "ci", "days": "7"}).status == 422
    assert "of no use" in rita.page
    rita.post(path, {"label": "ci", "days": "7", "scopes": "request.submit"})
    token = re.search(r"chy_[A-Za-z0-9_-]{43}", rita.page)
    assert token is not None
    rita.get("/console/account")
    assert token[0] not in rita.page
    assert "1 permission: request.submit" in rita.page
    revoke = re.search(r"/console/account/tokens/[^/]+/revoke", rita.page)
    assert revoke is not None
    assert "The token is revoked." in done(rita, revoke[0], on="/console/account")


def test_sessions_are_ended(web: Any, rita: Browser) -> None:
    other = entered(web, "requester")
    assert "other sessions have ended" in done(
        rita, "/console/account/sessions/end-others", on="/console/account"
    )
    assert other.get("/console/account").status == 303
    end = re.search(r"/console/account/sessions/[^/\"]{36}/end", rita.page)
    assert end is not None
    assert "You are signed out." in done(rita, end[0], on="/console/account")


# People


@pytest.mark.parametrize("name", ["administrator", "auditor"])
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/users/requester",
        "/groups",
        "/groups/pair",
        "/roles",
        "?q=req&role=requester&state=active",
    ],
)
def test_who_reads_sees(web: Any, name: str, path: str) -> None:
    browser = entered(web, name)
    assert browser.get(PEOPLE + path).status == 200, browser.page
    assert ("New account" in browser.page) is (
        name == "administrator" and path in ("", "?q=req&role=requester&state=active")
    )
    assert ("Disable requester?" in browser.page) is (
        name == "administrator" and path == "/users/requester"
    )


@pytest.mark.parametrize("name", ["requester", "ra-officer", "ca-operator"])
def test_who_may_not_read_does_not(web: Any, name: str) -> None:
    browser = entered(web, name)
    assert browser.get(PEOPLE).status == 403
    assert browser.get(f"{PEOPLE}/users/administrator").status == 403


def test_filters(admin: Browser) -> None:
    admin.get(f"{PEOPLE}?role=auditor")
    assert 'href="/console/people/users/auditor"' in admin.page
    assert 'href="/console/people/users/requester"' not in admin.page
    admin.get(f"{PEOPLE}?q=nobody")
    assert "No account fits" in admin.page
    admin.get(f"{PEOPLE}/groups?logins=1")
    assert "No group fits" in admin.page


def test_many_accounts_are_paged(admin: Browser, identity: IdentityService) -> None:
    for number in range(40):
        identity.users.create(SYSTEM, f"u{number:03}")
    admin.get(f"{PEOPLE}?q=u0")
    assert "u024" in admin.page
    assert "u025" not in admin.page
    following = re.search(r'rel="next" href="([^"]+)"', admin.page)
    assert following is not None
    admin.get(following[1])
    assert "u025" in admin.page
    assert "u024" not in admin.page


def test_an_account_from_beginning_to_end(
    web: Any, admin: Browser, identity: IdentityService
) -> None:
    new = f"{PEOPLE}/new-user"
    fields = [("name", "Alice"), ("display_name", "Alice Example"), ("roles", "requester")]
    fields += [("password", PASSWORD), ("must_change", "on")]
    admin.get(new)
    assert admin.post(new, fields).status == 422
    assert "Alice Example" in admin.page  # what was typed stays
    fields[0] = ("name", "alice")
    assert "The account alice is made." in done(admin, new, fields)
    assert "must be changed" in admin.page
    here = f"{PEOPLE}/users/alice"

    browser = Browser(web)
    answer = browser.sign_in("alice", PASSWORD)
    assert answer.headers["location"].startswith("/console/sign-in/password")

    assert "Saved." in done(
        admin, f"{here}/edit", {"display_name": "A. Example", "email": "a@example.org"}
    )
    assert "is ra-officer now" in done(admin, f"{here}/roles", {"role": "ra-officer"}, on=here)
    assert "no longer" in done(admin, f"{here}/roles/requester/withdraw", on=here)
    assert admin.post(f"{here}/roles", {"role": "auditor"}).status == 409
    assert "roles of two classes" in admin.page
    assert "is in pair now" in done(admin, f"{here}/groups", {"group": "pair"}, on=here)
    assert "two sign in together" in admin.page
    assert "is in pair no longer" in done(admin, f"{here}/groups/pair/leave", on=here)
    password = {"password": NEW, "again": NEW}
    assert "The password is set" in done(admin, f"{here}/password", password)
    entered(web, "alice", NEW)
    admin.get(here)
    assert "192.0.2.7" in admin.page
    assert "The sessions have ended." in done(admin, f"{here}/sessions/end", on=here)
    identity.tokens.create(SYSTEM, owner="alice", label="ci")
    admin.get(here)
    revoke = re.search(rf"{here}/tokens/[^/]+/revoke", admin.page)
    assert revoke is not None
    assert "The token is revoked." in done(admin, revoke[0], on=here)
    assert "The account is disabled" in done(admin, f"{here}/disable", on=here)
    assert "The account is enabled" in done(admin, f"{here}/enable", on=here)
    assert "is deleted" in done(admin, f"{here}/delete", on=here)


def test_a_lock_out_is_ended(web: Any, admin: Browser, identity: IdentityService) -> None:
    for _ in range(10):
        Browser(web).sign_in("requester", "wrong")
    here = f"{PEOPLE}/users/requester"
    admin.get(here)
    assert "Locked until" in admin.page
    admin.get(f"{PEOPLE}?state=locked")
    assert here in admin.page
    assert "may sign in again" in done(admin, f"{here}/unlock", on=here)
    entered(web, "requester")


def test_second_factors_are_reset(
    web: Any, admin: Browser, identity: IdentityService, clock: SteppedClock
) -> None:
    rita = replace(SYSTEM, name="requester")
    app = identity.factors.start_totp(rita)
    identity.factors.confirm_totp(rita, totp_code(app.uri, clock.now))
    here = f"{PEOPLE}/users/requester"
    assert "second factors are forgotten" in done(admin, f"{here}/reset-factors", on=here)
    entered(web, "requester")


def test_a_group_from_beginning_to_end(admin: Browser) -> None:
    fields = {"name": "two", "description": "In twos", "roles": "ra-officer"}
    page = done(admin, f"{PEOPLE}/new-group", fields | {"logins_required": "2"})
    assert "two sign in together" in page
    here = f"{PEOPLE}/groups/two"
    assert "requester is in two now" in done(
        admin, f"{here}/members", {"user": "requester"}, on=here
    )
    assert admin.post(f"{here}/members", {"user": "nobody"}).status == 404
    assert "no longer" in done(admin, f"{here}/members/requester/remove", on=here)
    edited = done(admin, f"{here}/edit", {"description": "In ones", "logins_required": "1"})
    assert "In ones" in edited
    assert "two sign in together" not in edited
    assert "is deleted" in done(admin, f"{here}/delete", on=here)


def test_who_is_signed_in(web: Any, admin: Browser, rita: Browser) -> None:
    admin.get(f"{PEOPLE}/sessions")
    end = re.findall(rf"{PEOPLE}/sessions/[^/]+/end", admin.page)
    assert len(end) == 2
    assert "The session has ended." in done(
        admin, end[0], {"user": "requester"}, on=f"{PEOPLE}/sessions"
    )
    assert rita.get("/console/account").status == 303


def test_everything_about_people_takes_a_fresh_proof(admin: Browser, clock: SteppedClock) -> None:
    clock.now += 301
    admin.get(PEOPLE)
    for path in (
        "new-user", "new-group", "users/requester/edit", "users/requester/disable",
        "users/requester/enable", "users/requester/delete", "users/requester/password",
        "users/requester/roles", "users/requester/groups", "users/requester/reset-factors",
        "users/requester/certificates/new", "groups/pair/edit", "groups/pair/members",
        "groups/pair/delete",
    ):  # fmt: skip
        assert admin.post(f"{PEOPLE}/{path}").status == 403, path
        assert "Confirm that it is you" in admin.page


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15"
                " (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone",
        ),
        ("curl/8.14.1", "curl"),
        ("something of its own", "something of its own"),
        ("", "unknown browser"),
    ],
)
def test_browsers_are_called_by_their_names(agent: str, shown: str) -> None:
    assert browser_name(agent) == shown
