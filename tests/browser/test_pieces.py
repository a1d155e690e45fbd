"""The pieces that pages are made of: looked at by axe-core, moved by hand; no service behind them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asking import Asker
from people import SteppedClock
from playwright.sync_api import Page, Route, expect

from browser.world import PHONE, NewPage, too_wide
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.services.roster import Services
from chancery.web.application import SECTIONS, Web
from chancery.web.pages import Pages
from chancery.web.paging import Paged
from chancery.web.visit import Visit

ADDRESS = "https://pieces.example"
pages = Pages("/pieces", section="pieces")


@pages.get("", Permission.PUBLIC)
def show(visit: Visit) -> Any:
    pager = Paged((), "/pieces", "/pieces?cursor=a", "/pieces?cursor=b", "25 shown, newest first")
    return visit.render("pieces.html", pager=pager)


@pages.post("", Permission.PUBLIC)
def refuse(visit: Visit) -> Any:
    raise BadRequest("this name is taken", field="name", rule="x", remedy="choose another")


@pytest.fixture
def on_pieces() -> Callable[[Page], Page]:
    """Open the page of pieces: answered in this process, under the policy of every page."""
    nothing: dict[str, Any] = dict.fromkeys(Services.__dataclass_fields__)
    services = Services(**(nothing | {"clock": SteppedClock()}))
    threads = ThreadPoolExecutor(1)
    ask = Asker(Web(services, (*SECTIONS, pages), [Path(__file__).parent / "templates"]))

    def answer(route: Route) -> None:
        request, address = route.request, urlsplit(route.request.url)
        path = address.path + (f"?{address.query}" if address.query else "")
        headers = request.all_headers() | {"host": address.netloc}
        headers = {k: v for k, v in headers.items() if not k.startswith(":")} | {
            "accept-encoding": ""
        }
        # In another thread: this one has Playwright's event loop already.
        work = threads.submit(ask, request.method, path, request.post_data_buffer, headers=headers)
        got = work.result()
        headers = got.headers | ({"set-cookie": "\n".join(got.cookies)} if got.cookies else {})
        route.fulfill(status=got.status, headers=headers, body=got.body)

    def go(page: Page) -> Page:
        page.route(f"{ADDRESS}/**", answer)
        page.goto(f"{ADDRESS}/pieces")
        expect(page.get_by_role("heading", level=1)).to_have_text("www.example.org")
        return page

    return go


def test_axe_minds_none_of_them(page: Page, on_pieces, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    check_accessibility(on_pieces(page))
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check_accessibility(page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#name-error")).to_have_text("this name is taken")
    check_accessibility(page)


def test_nothing_is_cut_off(new_page: NewPage, on_pieces) -> None:  # type: ignore[no-untyped-def]
    for size in (PHONE, (1366, 768), (1920, 1080)):
        page = on_pieces(new_page(size=size))
        assert too_wide(page) is None


def test_a_dialog_fits_the_screen(new_page: NewPage, on_pieces) -> None:  # type: ignore[no-untyped-def]
    page = on_pieces(new_page(size=(390, 400)))
    page.get_by_role("button", name="Revoke").click()
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 400
    page.get_by_role("dialog").get_by_role("button", name="Revoke").scroll_into_view_if_needed()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_refused_form_keeps_what_was_typed(page: Page, on_pieces) -> None:  # type: ignore[no-untyped-def]
    on_pieces(page)
    page.get_by_label("Name", exact=False).last.fill("taken")
    page.get_by_label("Profile").select_option("tls-server")
    page.get_by_label("Auditor").check()
    page.get_by_label("Open to the public").uncheck()
    page.get_by_label("One").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#name")).to_have_value("taken")
    expect(page.locator("#name")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Profile")).to_have_value("tls-server")
    expect(page.get_by_label("Auditor")).to_be_checked()
    expect(page.get_by_label("Open to the public")).not_to_be_checked()
    expect(page.get_by_label("One")).to_be_checked()


def test_copying(page: Page, on_pieces) -> None:  # type: ignore[no-untyped-def]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=ADDRESS)
    on_pieces(page)
    page.get_by_role("button", name="Copy: Certificate").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("-----BEGIN CERTIFICATE-----\nMIIB")
    assert copied.endswith("-----END CERTIFICATE-----")
