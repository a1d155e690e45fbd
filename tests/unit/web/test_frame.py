"""What every page gets from the frame: addresses, forms, errors, step-up, headers."""

from pathlib import Path
from typing import Any

import pytest
from browsing import Browser
from people import PASSWORD

from chancery.domain import errors
from chancery.domain.errors import BadName, CAError, NotFound
from chancery.domain.identity import Permission
from chancery.web.application import SECTIONS, Web
from chancery.web.bodies import MAX_FIELDS
from chancery.web.errors import PAGES, page_of
from chancery.web.pages import Pages
from chancery.web.security import POLICY
from chancery.web.visit import Visit, is_local

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, CAError) and kind is not CAError
]

pages = Pages("/console/probe", section="probe")


@pages.get("", Permission.AUTHENTICATED)
def show(visit: Visit) -> Any:
    return visit.render("probe.html", block="results")


@pages.post("", Permission.AUTHENTICATED)
def act(visit: Visit) -> Any:
    match visit.form.text("do"):
        case "refuse":
            raise BadName("no such name", field="name", rule="name", remedy="choose another")
        case "break":
            raise RuntimeError("sqlite:///secret.db")
        case "lose":
            raise NotFound("it is gone")
    return visit.json(visit.form.pairs())


@pages.post("/weighty", Permission.AUTHENTICATED, step_up=True)
def weighty(visit: Visit) -> Any:
    return visit.json([pair for pair in visit.form.pairs() if pair[0] != "csrf"])


@pages.post("/bare", Permission.AUTHENTICATED)
def bare(visit: Visit) -> Any:
    raise NotFound("it is gone", remedy="look elsewhere")


@pages.get("/broken", Permission.PUBLIC)
def broken(visit: Visit) -> Any:
    raise RuntimeError("sqlite:///secret.db")


@pages.get("/notice", Permission.PUBLIC)
def notice(visit: Visit) -> Any:
    return visit.redirect("/", "<b>Saved</b>", "info")


@pages.get("/file", Permission.PUBLIC)
def file(visit: Visit) -> Any:
    return visit.download(b"x", '../a "b"\r\nx: y/ü.pem')


@pages.post("/files", Permission.PUBLIC, max_body=10_000)
def files(visit: Visit) -> Any:
    return visit.json([[f.name, f.media_type, f.data.decode()] for f in visit.form.files("file")])


@pytest.fixture
def visitor(services) -> Browser:  # type: ignore[no-untyped-def]
    folder = Path(__file__).parent / "templates"
    browser = Browser(Web(services, (*SECTIONS, pages), [folder]))
    browser.sign_in("auditor", PASSWORD)
    browser.get("/console")
    return browser


# Addresses


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing", 404), ("/console/nothing", 404), ("/static/x/nothing.js", 404)],
)
def test_what_is_not_there(house, path: str, status: int) -> None:  # type: ignore[no-untyped-def]
    answer = house.stranger.get(path)
    assert answer.status == status
    assert "There is no page at this address" in answer.text


def test_what_is_not_there_looks_like_the_rest(visitor: Browser) -> None:
    assert 'class="sidebar"' in visitor.get("/console/nothing").text


def test_a_method_that_is_not_possible(visitor: Browser) -> None:
    assert visitor.get("/console/probe/weighty").status == 405


@pytest.mark.parametrize(
    "url",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "x", "",
     "/a\nb", "/a b", "/" + "a" * 3000],
)  # fmt: skip
def test_nobody_is_led_elsewhere(house, url: str) -> None:  # type: ignore[no-untyped-def]
    assert not is_local(url)
    browser = house.stranger
    browser.get("/console/sign-in")
    fields = {"name": "auditor", "password": PASSWORD, "next": url}
    assert browser.post("/console/sign-in", fields).headers["location"] == "/console"


def test_signing_in_leads_back(house) -> None:  # type: ignore[no-untyped-def]
    browser = house.stranger
    wanted = browser.get("/console?a=1&b=%2F").headers["location"]
    assert wanted == "/console/sign-in?next=%2Fconsole%3Fa%3D1%26b%3D%252F"
    browser.get(wanted)
    assert 'name="next" value="/console?a=1&b=%2F"' in browser.page
    fields = {"name": "auditor", "password": PASSWORD, "next": "/console?a=1&b=%2F"}
    assert browser.post("/console/sign-in", fields).headers["location"] == "/console?a=1&b=%2F"


# Errors


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_its_own_row(kind: type[CAError]) -> None:
    assert kind in {row[0] for row in PAGES}
    assert page_of(kind("why"))[0] >= 400


@pytest.mark.parametrize("later", range(len(PAGES)))
def test_no_row_hides_a_later_one(later: int) -> None:
    assert not any(issubclass(PAGES[later][0], earlier[0]) for earlier in PAGES[:later])


def test_a_refused_form_comes_back_as_it_was_typed(visitor: Browser) -> None:
    answer = visitor.post("/console/probe", {"do": "refuse", "name": '"><script>x</script>'})
    assert answer.status == 422
    assert "no such name" in answer.text
    assert "choose another" in answer.text
    assert 'id="name-error"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "<script>x" not in answer.text
    assert 'value="&#34;&gt;&lt;script&gt;x' in answer.text


def test_without_a_form_the_error_is_a_page(visitor: Browser) -> None:
    answer = visitor.post("/console/probe/bare")
    assert answer.status == 404
    assert "it is gone" in answer.text
    assert "look elsewhere" in answer.text


def test_the_text_of_a_bug_stays_inside(visitor: Browser) -> None:
    for answer in (
        visitor.post("/console/probe", {"do": "break"}),
        visitor.get("/console/probe/broken"),
    ):
        assert answer.status == 500
        assert "secret" not in answer.text
        assert "Something broke here" in answer.text


def test_a_nul_is_refused(visitor: Browser) -> None:
    assert visitor.get("/console?x=%00").status == 422
    visitor.get("/console")
    assert visitor.post("/console/probe", {"name": "a\0b"}).status == 422


# Pieces


def test_htmx_gets_the_piece_it_asked_for(visitor: Browser) -> None:
    whole = visitor.get("/console/probe", headers={"hx-request": "true", "hx-request-type": "full"})
    assert "<html" in whole.text
    headers = {"hx-request": "true", "hx-request-type": "partial"}
    assert (
        visitor.get("/console/probe", headers=headers).text == '<p id="results">/console/probe</p>'
    )


# Forms


def test_a_form_has_bounds(visitor: Browser) -> None:
    big = visitor.post("/console/probe", {"name": "x" * 3_000_000})
    assert (big.status, big.headers["connection"]) == (413, "close")
    visitor.get("/console")
    assert visitor.post("/console/probe", [("a", "b")] * (MAX_FIELDS + 1)).status == 422
    visitor.get("/console")
    headers = {"content-type": "application/json"}
    assert visitor.post("/console/probe", headers=headers).status == 422


def test_files_arrive_whole(visitor: Browser) -> None:
    visitor.get("/console")

    def send(text: str):  # type: ignore[no-untyped-def]
        part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
        body = (
            part.format("csrf", "", visitor.token)
            + part.format("file", '; filename="a.csr"\r\nContent-Type: text/plain', text)
            + part.format("file", '; filename=""\r\nContent-Type: text/plain', "")
            + "--x--\r\n"
        )
        ours = {"content-type": "multipart/form-data; boundary=x", "sec-fetch-site": "same-origin"}
        return visitor.bare_post("/console/probe/files", body.encode(), ours)

    assert send("hello").json == [["a.csr", "text/plain", "hello"]]
    assert send("x" * 10_000).status == 413


def test_a_stranger_needs_no_session_for_a_form(services) -> None:  # type: ignore[no-untyped-def]
    browser = Browser(Web(services, (*SECTIONS, pages)))
    browser.get("/console/sign-in")
    assert browser.post("/console/probe/files").json == []
    browser.cookies.clear()
    assert browser.post("/console/probe/files").status == 403


# Step-up


def test_a_weighty_form_waits_for_a_fresh_proof(visitor: Browser, clock) -> None:  # type: ignore[no-untyped-def]
    kept = [("why", "<i>"), ("id", "1"), ("id", "2")]
    visitor.get("/console")
    assert visitor.post("/console/probe/weighty", kept).json == [list(pair) for pair in kept]

    clock.now += 600
    visitor.get("/console")
    asked = visitor.post("/console/probe/weighty", kept)
    assert asked.status == 403
    assert "Confirm that it is you" in asked.text
    held = [("kept." + name, value) for name, value in kept]
    held += [("then", "/console/probe/weighty"), ("back", "/console")]

    wrong = visitor.post("/console/step-up", [("password", "wrong"), *held])
    assert wrong.status == 422
    assert 'name="kept.why" value="<i>"' in visitor.page
    before = visitor.cookies["__Host-chancery"]
    again = visitor.post("/console/step-up", [("password", PASSWORD), *held])
    assert again.status == 200
    assert 'action="/console/probe/weighty"' in again.text
    assert visitor.cookies["__Host-chancery"] != before
    assert visitor.post("/console/probe/weighty", kept).json == [list(pair) for pair in kept]


def test_what_waited_goes_nowhere_else(visitor: Browser, clock) -> None:  # type: ignore[no-untyped-def]
    clock.now += 600
    visitor.get("/console")
    fields = {"password": PASSWORD, "then": "//evil.example/", "back": "https://evil.example/"}
    assert visitor.post("/console/step-up", fields).headers["location"] == "/console"


# Answers


def test_every_answer_is_secured(house) -> None:  # type: ignore[no-untyped-def]
    for path in ("/", "/console", "/console/sign-in", "/nothing", "/static/x/chancery.css"):
        fields = house.stranger.get(path).headers
        assert fields["content-security-policy"] == POLICY
        assert fields["x-content-type-options"] == "nosniff"
        assert fields["strict-transport-security"]
        assert "default-src 'none'" in POLICY
        assert "unsafe" not in POLICY
        expected = "no-cache" if path.startswith("/static") else "no-store"
        assert fields["cache-control"] == expected


def test_cookies_are_tied_to_this_host(house) -> None:  # type: ignore[no-untyped-def]
    browser = house.stranger
    lines = [*browser.get("/console/sign-in").cookies]
    lines += browser.post("/console/sign-in", {"name": "auditor", "password": PASSWORD}).cookies
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("__Host-")
        for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax"):
            assert attribute in line
        assert "Domain" not in line


def test_a_notice_is_shown_once_and_as_text(visitor: Browser) -> None:
    visitor.get("/console/probe/notice")
    assert "&lt;b&gt;Saved&lt;/b&gt;" in visitor.get("/console/probe").text
    assert "Saved" not in visitor.get("/console/probe").text


@pytest.mark.parametrize("packed", ["x", "bnVsbA==", "W10=", "WyJ4IiwgInkiXQ==", "8J+YgA"])
def test_a_bent_notice_is_none(visitor: Browser, packed: str) -> None:
    visitor.cookies["__Host-chancery-notice"] = packed
    assert visitor.get("/console/probe").status == 200


def test_a_download_is_never_shown(visitor: Browser) -> None:
    answer = visitor.get("/console/probe/file")
    assert answer.headers["content-disposition"] == 'attachment; filename="a_b_x_y_.pem"'


def test_htmx_is_led_on_by_itself(visitor: Browser) -> None:
    answer = visitor.get("/console/probe/notice", headers={"hx-request": "true"})
    assert (answer.status, answer.headers["hx-redirect"]) == (200, "/")
