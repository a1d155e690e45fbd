"""The parts of a dedicated RA that need no network: queue, header fields, cookies, intake."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from chancery.app import check_config
from chancery.cli.ra_files import settings_text
from chancery.domain.errors import BadCSR, BadRequest, NotFound, TooOften, Unavailable
from chancery.relay import headers
from chancery.relay.intake import new_code, of_program
from chancery.relay.pages import Pages
from chancery.relay.queue import Entry, Queue
from chancery.server.gateway_cookies import SessionCookies
from chancery.settings_gateway import Queue as Bounds
from chancery.settings_gateway import load
from services.csr import p256_csr

DAY = 86_400
Make = Callable[..., Queue]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A queue over one directory: as a process finds it when it starts."""
    return lambda **bounds: Queue(Bounds(directory=tmp_path / "queue", **bounds))


def entry(number: int = 1, **fields: object) -> Entry:
    made = Entry(new_code(), 1_000, "192.0.2.1", ({"profile": f"p{number}"},))
    return replace(made, **fields)


def test_what_is_taken_is_there_after_any_end(make: Make) -> None:
    queue = make()
    taken = [queue.take(entry(number)) for number in range(3)]
    again = make()
    assert again.waiting == 3
    for one in taken:
        assert again.first() == one
        again.end(one, [{"id": one.items[0]["profile"]}], 2_000)
    assert (again.waiting, again.first()) == (0, None)
    assert [make().find(one.code).told()["requests"] for one in taken] == [["p0"], ["p1"], ["p2"]]


def test_its_files_are_for_their_owner_and_forget_what_was_sent(make: Make, tmp_path: Path) -> None:
    queue = make()
    taken = queue.take(entry(authorization="Bearer chy_secret"))
    (path,) = (tmp_path / "queue/waiting").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    ended = queue.end(taken, [{"error": {"detail": "no", "rule": "ra.profiles"}}], 2_000)
    assert ended.state == "refused"
    assert queue.refused() == make().refused() == 1
    (path,) = (tmp_path / "queue/ended").iterdir()
    assert "chy_secret" not in path.read_text()
    assert make().find(taken.code).told()["refused"][0]["rule"] == "ra.profiles"


def test_a_draft_was_promised_to_nobody(make: Make, tmp_path: Path) -> None:
    make().take(entry())
    (tmp_path / "queue/waiting/0000000000000002.draft").write_text('{"half')
    assert make().waiting == 1
    assert len(list((tmp_path / "queue/waiting").iterdir())) == 1


def test_an_end_that_was_cut_short_stays_an_end(make: Make, tmp_path: Path) -> None:
    queue = make()
    taken = queue.take(entry())
    (path,) = (tmp_path / "queue/waiting").iterdir()
    data = path.read_bytes()
    queue.end(taken, [{"id": "1"}], 2_000)
    path.write_bytes(data)  # the removal never reached the disk
    again = make()
    assert (again.waiting, again.find(taken.code).state) == (0, "delivered")
    assert again.take(entry()).seq == taken.seq + 1


def test_one_idempotency_key_is_one_entry(make: Make) -> None:
    key = {"authorization": "Bearer chy_x", "key": "k1"}
    first = make().take(entry(**key))
    queue = make()
    assert queue.take(entry(**key)).code == first.code
    assert queue.take(entry(authorization="Bearer chy_y", key="k1")).code != first.code
    with pytest.raises(BadRequest, match="another request"):
        queue.take(entry(2, **key))
    queue.end(first, [{"id": "7"}], 2_000)
    assert make().take(entry(**key)).told()["requests"] == ["7"]


def test_it_has_bounds(make: Make) -> None:
    queue = make(entries=3, per_address=2)
    queue.take(entry())
    queue.take(entry())
    with pytest.raises(TooOften, match="your network address"):
        queue.take(entry())
    queue.take(entry(address="192.0.2.2"))
    with pytest.raises(Unavailable, match="fills the room"):
        queue.take(entry(address="192.0.2.3"))
    assert queue.fault() == "full: 3 wait"
    big = {"profile": "x" * 1024 * 1024}
    with pytest.raises(Unavailable, match="fills the room"):
        make(entries=10, octets=1024 * 1024).take(entry(items=(big,)))


def test_a_receipt_is_forgotten_in_time(make: Make) -> None:
    queue = make()
    taken = queue.take(entry())
    assert queue.forget(10_000 * DAY) == 0  # it waits
    queue.end(taken, [{"id": "1"}], 2_000)
    assert queue.forget(2_000 + 29 * DAY) == 0
    assert queue.forget(2_000 + 31 * DAY) == 1
    assert queue.find(taken.code) is None


def test_a_disk_that_takes_nothing_is_said(make: Make, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "queue").mkdir()
        queue = make()
        (tmp_path / "queue/waiting").rmdir()
    else:
        queue = make()
        (tmp_path / "queue/waiting").chmod(0o500)
    with pytest.raises(Unavailable, match="cannot be written"):
        queue.take(entry())
    assert queue.waiting == 0


def test_header_fields_of_one_hop_stay_behind() -> None:
    scope = {
        "client": ("203.0.113.9", 1),
        "headers": [
            (b"host", b"ra.example.org"),
            (b"connection", b"keep-alive, X-Secret"),
            (b"x-secret", b"1"),
            (b"transfer-encoding", b"chunked"),
            (b"content-length", b"7"),
            (b"chancery-relayed-for", b"10.0.0.1"),
            (b"chancery-receipt", b"AAAA-AAAA-AAAA-AAAA"),
            (b"chancery-queued", b"1"),
            (b"chancery-code", b"123456"),
            (b"cookie", b"a=b"),
        ],
    }
    assert headers.inward(scope) == [
        (b"host", b"ra.example.org"),
        (b"chancery-code", b"123456"),
        (b"cookie", b"a=b"),
        (b"chancery-relayed-for", b"203.0.113.9"),
    ]
    answer = [(b"Content-Type", b"text/html"), (b"Keep-Alive", b"x"), (b"Set-Cookie", b"a=b")]
    assert headers.outward(answer) == [(b"content-type", b"text/html"), (b"set-cookie", b"a=b")]


def _of(gateway: bytes) -> SessionCookies:
    def open_(sealed: bytes) -> bytes:
        if not sealed.startswith(gateway):
            raise Unavailable("another key")
        return sealed.removeprefix(gateway)

    return SessionCookies(lambda plain: gateway + plain, open_)


def test_a_session_opens_only_where_it_began() -> None:
    here, there = _of(b"here"), _of(b"there")
    ((_, line),) = here.outward([(b"set-cookie", b"__Host-chancery=abc; Path=/; Secure")])
    sealed = line.partition(b";")[0]
    assert line == sealed + b"; Path=/; Secure"
    assert b"=abc" not in sealed
    field = b"__Host-chancery-form=t; " + sealed
    assert here.inward([(b"cookie", field)]) == [
        (b"cookie", b"__Host-chancery-form=t; __Host-chancery=abc")
    ]
    for foreign in (sealed, b"__Host-chancery=abc", b"__Host-chancery=" + b"A" * 600):
        assert there.inward([(b"cookie", foreign)]) == [(b"cookie", b"")]
    untouched = [
        (b"set-cookie", b"__Host-chancery=; Path=/; Max-Age=0"),
        (b"set-cookie", b"__Host-chancery-form=x; Path=/"),
    ]
    assert here.outward(untouched) == untouched


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_no_cookie_field_breaks_it(field: bytes) -> None:
    _of(b"here").inward([(b"cookie", field)])


def test_what_programs_send_is_looked_at_before_it_waits() -> None:
    body = {"profile": "tls-server", "csr": p256_csr("www.example.org")}
    assert of_program(json.dumps(body).encode(), "Bearer chy_x", "k") == (body,)
    broken = body | {"csr": body["csr"].replace("MII", "MIJ", 1)}
    with pytest.raises(BadCSR):
        of_program(json.dumps(broken).encode(), None, None)
    with pytest.raises(BadRequest, match="password"):
        of_program(json.dumps(body).encode(), "Basic eDp5", None)
    with pytest.raises(BadRequest, match="signed-in"):
        of_program(json.dumps(body).encode(), None, "k")


def test_every_page_of_its_own_can_be_drawn() -> None:
    pages = Pages("berlin", "main")
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"ra.example.org")],
        "client": ("192.0.2.1", 1),
    }
    waiting = entry()
    hostile = {"detail": "<script>no</script>", "remedy": "x"}
    ended = replace(waiting, items=(), results=({"error": hostile}, {"id": "7"}), ended_at=2_000)
    offers = [{"ra": "main", "profile": "tls-server", "description": "servers"}]
    drawn = [
        (503, pages.away(pages.visit(Request(scope)), offers)),
        (503, pages.away(pages.visit(Request(scope)), [], refused=True)),
        (422, pages.away(pages.visit(Request(scope)), offers, BadCSR("broken", field="csr"))),
        (503, pages.carried(pages.visit(Request(scope)), ["PEM"])),
        (202, pages.taken(pages.visit(Request(scope)), waiting)),
        (200, pages.standing(pages.visit(Request(scope)), [waiting, ended])),
        (403, pages.refused(pages.visit(Request(scope)), hostile, 403)),
        (404, pages.wrong(pages.visit(Request(scope)), NotFound("gone"))),
    ]
    for status, page in drawn:
        text = bytes(page.body).decode()
        assert page.status_code == status
        assert ("retry-after" in page.headers) is (status == 503)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script>no" not in text
    assert waiting.code in bytes(drawn[4][1].body).decode()
    assert "chancery-codes=" in drawn[4][1].headers["set-cookie"]


def test_a_check_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "ra.toml"
    path.write_text(settings_text("berlin", "main", "https://ca.example.org", 8080, 8443))
    found = check_config(path)
    assert [one.partition(":")[0] for one in found] == [
        *("tls.certificate", "tls.key", "centre.ca_bundle", "centre.certificate", "centre.key"),
        "queue.directory",
    ]


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ra.toml"
    path.write_text('name = "berlin"\nra = "main"\n[centre]\nurl = "http://ca.example.org"\n')
    with pytest.raises(BadRequest) as refused:
        load(path)
    assert refused.value.field in {"centre", "centre.ca_bundle", "listen"}
    with pytest.raises(BadRequest, match="ra enrol"):
        raise _remedy(tmp_path / "none.toml")


def _remedy(path: Path) -> BadRequest:
    try:
        load(path)
    except BadRequest as error:
        return BadRequest(error.remedy or "")
    raise AssertionError
