"""Every page against everybody who might come, generated from the table of pages."""

import re
import secrets
from itertools import product

import pytest
from browsing import Browser
from people import PASSWORD

from chancery.domain.identity import GRANTS, SYSTEM, Permission, Role
from chancery.web.answering import SIGN_IN
from chancery.web.application import SECTIONS
from chancery.web.pages import Page, Pages

PAGES = [page for pages in SECTIONS for page in pages.routes]
POSTS = [page for page in PAGES if page.method == "POST"]
CLOSED = [page for page in PAGES if Permission.PUBLIC not in page.permissions]
LED_TO_SIGN_IN = re.compile(r"/console/sign-in\?next=")


def name(page: Page) -> str:
    return f"{page.method} {page.path}"


def sample(path: str) -> str:
    """Fill a path template with ids of nothing."""
    return re.sub(r"\{[^}]+\}", "0", path)


def ask(browser: Browser, page: Page):  # type: ignore[no-untyped-def]
    if page.method == "GET":
        return browser.get(sample(page.path))
    browser.get("/console/sign-in/joint" if browser.cookies else "/console/sign-in")
    return browser.post(sample(page.path))


def refused(answer) -> bool:  # type: ignore[no-untyped-def]
    """Whether somebody was turned away, or led to sign in."""
    return answer.status == 403 or bool(LED_TO_SIGN_IN.match(answer.headers.get("location", "")))


def test_a_page_without_a_permission_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="declares no permission"):
        Pages("/x", section="x").get("")(lambda visit: visit.redirect("/"))
    with pytest.raises(TypeError, match="declares no permission"):
        Pages("/x", section="x").post("")(lambda visit: visit.redirect("/"))


def test_the_table_is_every_page_once(house) -> None:  # type: ignore[no-untyped-def]
    rows = [(row.method, row.path) for row in house.web.access]
    assert sorted(rows) == sorted((page.method, page.path) for page in PAGES)
    assert len(rows) == len(set(rows))


def test_a_stranger_sees_what_is_public_and_no_more(house) -> None:  # type: ignore[no-untyped-def]
    wrong = []
    for page in PAGES:
        answer = ask(house.stranger, page)
        if refused(answer) is not (page in CLOSED) or answer.status >= 500:
            wrong.append((name(page), answer.status, answer.headers))
    assert not wrong


@pytest.mark.parametrize("role", Role)
def test_each_role_passes_where_it_may_and_only_there(house, role: Role) -> None:  # type: ignore[no-untyped-def]
    granted = GRANTS[role] | {Permission.PUBLIC, Permission.AUTHENTICATED}
    wrong = []
    for page in PAGES:
        answer = ask(house.visitor(role.value), page)
        may = any(permission in granted for permission in page.permissions)
        if refused(answer) is may or answer.status >= 500:
            wrong.append((name(page), answer.status, answer.headers.get("location")))
    assert not wrong


def test_a_session_that_is_over_is_none(house) -> None:  # type: ignore[no-untyped-def]
    over = [house.visitor("administrator") for _ in range(3)]
    over[0].get("/console")
    over[0].post("/console/sign-out")
    over[1].cookies["__Host-chancery"] = secrets.token_urlsafe(32)
    house.clock.now += 13 * 3600
    for page in CLOSED:
        for browser in over:
            kept = dict(browser.cookies)
            assert LED_TO_SIGN_IN.match(ask(browser, page).headers["location"]), name(page)
            browser.cookies = kept


def test_a_password_that_must_be_changed_opens_nothing_else(house) -> None:  # type: ignore[no-untyped-def]
    house.identity.users.create(
        SYSTEM, "new", roles=[Role.ADMINISTRATOR], password=PASSWORD, must_change=True
    )
    browser = house.stranger
    browser.sign_in("new", PASSWORD)
    for page in CLOSED:
        if page.section != SIGN_IN:
            browser.get("/console/sign-in/password")
            path = sample(page.path)
            answer = browser.get(path) if page.method == "GET" else browser.post(path)
            assert answer.headers["location"].startswith("/console/sign-in/password?next="), name(
                page
            )


def test_no_form_counts_without_its_token(house) -> None:  # type: ignore[no-untyped-def]
    browser = house.visitor("administrator")
    granted = GRANTS[Role.ADMINISTRATOR] | {Permission.PUBLIC, Permission.AUTHENTICATED}
    ours = {
        "content-type": "application/x-www-form-urlencoded",
        "origin": "https://ca.example.org",
        "sec-fetch-site": "same-origin",
    }
    for page, body in product(POSTS, (b"", b"csrf=", b"csrf=" + b"0" * 64)):
        answer = browser.bare_post(sample(page.path), body, ours)
        assert answer.status == 403, name(page)
        if granted.intersection(page.permissions):
            assert "not from your present session" in answer.text, name(page)


@pytest.mark.parametrize(
    "foreign",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
    ids=str,
)
def test_no_form_of_another_site_counts(house, foreign: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    browser = house.visitor("administrator")
    for page in POSTS:
        browser.get("/console")
        answer = browser.post(sample(page.path), headers=foreign)
        assert answer.status == 403, name(page)
        assert "another site" in browser.page, name(page)
