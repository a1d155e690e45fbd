"""The key pages, over the real services with the key boundary in this process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import Answer, Browser
from key_house import ADMIN, GROUP, KeyHouse, opened
from people import PASSWORD, SteppedClock

from chancery.adapters.storage import SqlStore
from chancery.domain.identity import SYSTEM, Role
from chancery.domain.key_groups import KeyGroup
from chancery.services.identity import IdentityService
from chancery.services.roster import Services
from chancery.web import create_web


@pytest.fixture
def keys(
    services: Services, store: SqlStore, clock: SteppedClock, tmp_path: Path
) -> Iterator[KeyHouse]:
    with opened(store, clock, tmp_path / "keys") as made:
        yield made


@pytest.fixture
def visit(services: Services, keys: KeyHouse) -> "Doors":
    return Doors(services, keys)


class Doors:
    def __init__(self, services: Services, keys: KeyHouse) -> None:
        self.web = create_web(replace(services, keys=keys.keys))
        self.identity: IdentityService = services.identity

    def __call__(self, role: Role) -> Browser:
        browser = Browser(self.web)
        assert browser.sign_in(role.value, PASSWORD).headers["location"] == "/console"
        return browser


def send(browser: Browser, path: str, fields: dict[str, str]) -> Answer:
    """Post from a page that was just looked at: its token is the session's."""
    browser.get("/console/keys")
    return browser.post(path, fields)


def test_a_key_from_the_form_to_its_end(visit: "Doors", keys: KeyHouse) -> None:
    operator = visit(Role.CA_OPERATOR)
    empty = operator.get("/console/keys")
    assert "No keys yet" in empty.text
    form = {"name": "app-data", "group": "vault", "template": "data-aes-256", "custodian": "Ops"}
    assert "Name" in operator.get("/console/keys/_new").text
    made = send(operator, "/console/keys/_new", form)
    assert made.headers["location"] == "/console/keys/app-data", made.text
    page = operator.get("/console/keys/app-data").text
    assert "active" in page
    assert keys.keys.life.show(ADMIN, "app-data").current.facts.check_value in page
    listed = operator.get("/console/keys?group=vault&kind=aes-256&text=app").text
    assert "app-data" in listed
    rotated = send(operator, "/console/keys/app-data/rotate", {"reason": "yearly"})
    assert rotated.headers["location"] == "/console/keys/app-data"
    for event in ("suspend", "resume", "deactivate", "destroy"):
        answer = send(
            operator,
            "/console/keys/app-data/state",
            {"event": event, "reason": "test", "version": "2"},
        )
        assert answer.status == 303, answer.text
    assert "destroyed" in operator.get("/console/keys/app-data").text
    refused = send(operator, "/console/keys/app-data/state", {"event": "resume", "reason": "test"})
    assert refused.status == 409
    assert "is destroyed since" in refused.text
    calendar = operator.get("/console/keys/_calendar?days=1825").text
    assert "A new version is made" in calendar
    auditor = visit(Role.AUDITOR)
    assert "app-data" in auditor.get("/console/keys").text
    assert visit(Role.REQUESTER).get("/console/keys/app-data").status == 404


def test_agreement_and_components_in_the_browser(visit: "Doors", keys: KeyHouse) -> None:
    keys.keys.groups.put(ADMIN, KeyGroup("below", "", "", GROUP.grants, 1, "vault"))
    operator, officer = visit(Role.CA_OPERATOR), visit(Role.RA_OFFICER)
    send(
        operator,
        "/console/keys/_new",
        {"name": "guarded", "group": "below", "template": "kek-aes-256"},
    )
    asked = send(
        operator, "/console/keys/guarded/state", {"event": "deactivate", "reason": "over"}
    ).headers["location"]
    assert asked.startswith("/console/keys/_agreements/")
    assert "Withdraw" in operator.get(asked).text
    page = officer.get(asked).text
    content = keys.keys.orders.find(ADMIN)[0].content
    assert content in page
    assert send(officer, f"{asked}/approve", {"content": content}).status == 303
    assert "Carry out" in operator.get(asked).text
    assert send(operator, f"{asked}/perform", {}).headers["location"] == "/console/keys/guarded"
    assert "deactivated" in operator.get("/console/keys/guarded").text
    assert "Change of state" in officer.get("/console/keys/_agreements?state=done").text

    visit.identity.users.create(SYSTEM, "second", roles=[Role.RA_OFFICER], password=PASSWORD)
    begun = send(
        operator,
        "/console/keys/_components",
        {"name": "typed", "group": "vault", "template": "kek-aes-256", "total": "2"},
    ).headers["location"]
    first = {"number": "1", "component": "0123456789abcdef" * 4, "check_value": ""}
    assert send(officer, f"{begun}/enter", first).status == 303
    again = send(officer, f"{begun}/enter", first | {"number": "2"})
    assert "other people" in again.text
    assert again.status == 403
    other = Browser(visit.web)
    other.sign_in("second", PASSWORD)
    second = first | {"number": "2", "component": "00112233445566778899aabbccddeeff" * 2}
    assert send(other, f"{begun}/enter", second).status == 303
    assert "Make the key" in operator.get(begun).text
    done = send(operator, f"{begun}/finish", {"check_value": ""})
    assert done.headers["location"] == "/console/keys/typed"
    assert "typed" in operator.get("/console/keys/_components").text


def test_a_component_is_shown_once(visit: "Doors", keys: KeyHouse) -> None:
    keys.make("kek", "kek-aes-256")
    visit.identity.users.create(SYSTEM, "second", roles=[Role.RA_OFFICER], password=PASSWORD)
    holders = ["ra-officer", "second"]
    from key_house import OPERATOR, person  # noqa: PLC0415

    approver = person("third", Role.RA_OFFICER)
    keys.agreed(keys.keys.parts.split(OPERATOR, "kek", holders), by=approver)
    (entry,) = keys.keys.parts.find(OPERATOR)
    officer = visit(Role.RA_OFFICER)
    place = f"/console/keys/_components/{entry.entry.id}"
    assert "Show it, once" in officer.get(place).text
    shown = send(officer, f"{place}/take", {"number": "1"})
    assert shown.status == 200
    assert "this once" in shown.text
    assert send(officer, f"{place}/take", {"number": "2"}).status == 403
    assert send(officer, f"{place}/take", {"number": "1"}).status == 404
    assert "taken" in officer.get(place).text
