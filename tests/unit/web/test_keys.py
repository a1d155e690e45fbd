"""The key pages, over the real services with the key boundary in this process."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import Answer, Browser
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from key_house import ADMIN, GROUP, OPERATOR, KeyHouse, opened, person
from people import PASSWORD, SteppedClock

from chancery.adapters.storage import SqlStore
from chancery.domain.identity import SYSTEM, Role
from chancery.domain.key_groups import KeyGroup
from chancery.services.identity import IdentityService
from chancery.services.roster import Services
from chancery.web import create_web
from chancery.wire import key_wrap


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
    form = {"name": "app-data", "group": "vault", "custodian": "Ops", "labels": "app: shop"}
    assert "/console/keys/_new/data-aes-256" in operator.get("/console/keys/_new").text
    assert "Name" in operator.get("/console/keys/_new/data-aes-256").text
    made = send(operator, "/console/keys/_new/data-aes-256", form)
    assert made.headers["location"] == "/console/keys/app-data", made.text
    page = operator.get("/console/keys/app-data").text
    assert "active" in page
    assert keys.keys.life.show(ADMIN, "app-data").current.facts.check_value in page
    listed = operator.get("/console/keys?group=vault&kind=aes-256&text=app").text
    assert "app-data" in listed
    rotated = send(operator, "/console/keys/app-data/rotate", {"reason": "yearly"})
    assert rotated.headers["location"] == "/console/keys/app-data"
    for event in ("suspend", "resume", "deactivate", "destroy"):
        place = f"/console/keys/app-data/change/{event}"
        assert "What this means" in operator.get(f"{place}?version=2").text
        answer = send(operator, place, {"reason": "test", "version": "2"})
        assert answer.status == 303, answer.text
    assert "destroyed" in operator.get("/console/keys/app-data").text
    refused = send(operator, "/console/keys/app-data/change/resume", {"reason": "test"})
    assert refused.status == 409
    assert "is destroyed since" in refused.text
    branches = operator.get("/console/keys/_tree").text
    assert "1 key<" in branches
    assert "app-data" in branches
    calendar = operator.get("/console/keys/_calendar?days=1825").text
    assert "A new version is made" in calendar
    auditor = visit(Role.AUDITOR)
    assert "app-data" in auditor.get("/console/keys").text
    assert visit(Role.REQUESTER).get("/console/keys/app-data").status == 404


def test_agreement_and_components_in_the_browser(visit: "Doors", keys: KeyHouse) -> None:
    keys.keys.groups.put(ADMIN, KeyGroup("below", "", "", GROUP.grants, 1, "vault"))
    operator, officer = visit(Role.CA_OPERATOR), visit(Role.RA_OFFICER)
    send(operator, "/console/keys/_new/kek-aes-256", {"name": "guarded", "group": "below"})
    deactivate = "/console/keys/guarded/change/deactivate"
    assert "1 other person must agree" in operator.get(deactivate).text
    asked = send(operator, deactivate, {"reason": "over"}).headers["location"]
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
    assert "ra-officer" in officer.get(asked).text

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


def agents(number: int) -> tuple[list[rsa.RSAPrivateKey], str]:
    """Recovery agents, and their public keys one below the other."""
    made = [rsa.generate_private_key(65537, 3072) for _ in range(number)]
    pem = [
        one.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for one in made
    ]
    return made, "\n".join(pem)


def agree(officer: Browser, keys: KeyHouse, asked: str) -> None:
    """Say yes to what stands at the address *asked*."""
    content = keys.keys.orders.show(ADMIN, asked.rpartition("/")[2]).content
    assert send(officer, f"{asked}/approve", {"content": content}).status == 303


def test_every_way_out_and_back(visit: "Doors", keys: KeyHouse) -> None:
    operator, officer = visit(Role.CA_OPERATOR), visit(Role.RA_OFFICER)
    keys.make("kek", "kek-aes-256")
    keys.make("data", "data-aes-256-exportable")
    keys.make("signs", "sign-rsa-3072-exportable")
    keys.make("stays")
    place = "/console/keys/data/export"
    assert "kek (aes-256)" in operator.get(f"{place}/wrapped").text
    assert "it never leaves" in operator.get("/console/keys/stays/export/wrapped").text
    assert "that is trusted" in operator.get(f"{place}/public").text
    block = send(operator, f"{place}/wrapped", {"by": "kek", "method": "tr31-d"})
    assert block.headers["content-disposition"] == 'attachment; filename="data.tr31"'
    assert block.text.startswith("D0")
    wrong = {"by": "kek", "method": "tr31-d", "block_usage": "K1", "block_mode": "B"}
    refused = send(operator, f"{place}/wrapped", wrong)
    assert refused.status == 403
    assert "not those of a key that is to" in refused.text

    private, public = agents(2)
    form = {"agents": public, "threshold": "2"}
    asked = send(operator, f"{place}/escrow", form).headers["location"]
    told = officer.get(asked).text
    assert "2 of 2 agents" in told
    assert "RSA 3072 bits" in told
    agree(officer, keys, asked)
    record = json.loads(send(operator, f"{asked}/perform", {}).text)
    assert json.loads(operator.get("/console/keys/data/escrow").text) == record
    words = [
        key_wrap.unwrap_private(key_wrap.OAEP, one, base64.b64decode(agent["share"])).decode()
        for one, agent in zip(private, record["agents"], strict=True)
    ]
    assert "any 2 of 2 agents" in operator.get(f"{place}/escrow").text.lower()
    few = send(operator, "/console/keys/data/recover", {"to": "back", "shares": words[0]})
    assert few.status == 422
    assert "do not fit together" in few.text
    back = send(operator, "/console/keys/data/recover", {"to": "back", "shares": "\n".join(words)})
    assert back.headers["location"] == "/console/keys/back"

    asked = send(operator, "/console/keys/signs/export/file", {"form": "pkcs12"}).headers[
        "location"
    ]
    agree(officer, keys, asked)
    short = send(operator, f"{asked}/perform", {"passphrase": "short"})
    assert "12 characters" in short.text
    packed = send(operator, f"{asked}/perform", {"passphrase": "correct horse battery"})
    assert packed.headers["content-disposition"].endswith('"signs.p12"')
    both = {"holders": "ra-officer"}
    assert send(operator, "/console/keys/kek/export/components", both).status == 422


def test_trials(visit: "Doors", keys: KeyHouse) -> None:
    operator = visit(Role.CA_OPERATOR)
    for name, template in (("data", "data-aes-256"), ("signs", "sign-ec-p256")):
        keys.make(name, template)
    keys.make("mac", "mac-hmac-sha256")
    made = send(operator, "/console/keys/data/try/encrypt", {"data": "hello", "aad": "row 7"}).text
    (text,) = set(re.findall(r"chy1\.[\w-]{20,}", made))
    read = send(
        operator, "/console/keys/data/try/decrypt", {"ciphertext": text, "aad": "row 7"}
    ).text
    assert "Plain text, by version 1" in read
    assert ">hello<" in read
    other = send(operator, "/console/keys/data/try/decrypt", {"ciphertext": text, "aad": "row 8"})
    assert other.status == 422
    assert "other additional data" in other.text
    assert (
        "chy1."
        in send(
            operator, "/console/keys/data/try/rewrap", {"ciphertext": text, "aad": "row 7"}
        ).text
    )
    signed = send(operator, "/console/keys/signs/try/sign", {"data": "x"}).text
    (signature,) = set(re.findall(r"<code>(M[\w+/=]{60,})</code>", signed))
    form = {"data": "x", "signature": signature}
    assert "It is this key" in send(operator, "/console/keys/signs/try/verify", form).text
    form["data"] = "y"
    assert "It is NOT this key" in send(operator, "/console/keys/signs/try/verify", form).text
    mac = send(operator, "/console/keys/mac/try/mac", {"data": "x"}).text
    (value,) = set(re.findall(r"<code>([0-9a-f]{64})</code>", mac))
    form = {"data": "x", "mac": value}
    assert "It is this key" in send(operator, "/console/keys/mac/try/check", form).text
    assert operator.get("/console/keys/mac/try/encrypt").status == 404
    assert re.search(
        "<code>[0-9a-f]{32}</code>", send(operator, "/console/keys/_random", {"count": "16"}).text
    )


def test_groups_templates_and_policy(visit: "Doors", keys: KeyHouse) -> None:
    admin, operator = visit(Role.ADMINISTRATOR), visit(Role.CA_OPERATOR)
    grants = {"name": "shop", "approvals": "0", "grants": "ca-operator:manage", "parent": "vault"}
    assert send(admin, "/console/keys/_groups/_new", grants).status == 303
    assert send(admin, "/console/keys/_groups/_new", grants).status == 409
    assert "shop" in operator.get("/console/keys/_groups").text
    assert "disabled" in operator.get("/console/keys/_groups/shop").text
    model = {
        "name": "shop-data", "kind": "aes-256", "uses": "encrypt", "entry": "generate",
        "exportability": "N", "every": "30", "overlap": "7", "warn": "5", "cryptoperiod": "60",
        "groups": "shop", "block_usage": "d0", "block_mode": "b",
    }  # fmt: skip
    assert send(admin, "/console/keys/_templates/_new", model | {"uses": "sign"}).status == 422
    assert send(admin, "/console/keys/_templates/_new", model).status == 303
    assert "shop-data" in operator.get("/console/keys/_templates").text
    wrong = send(operator, "/console/keys/_new/shop-data", {"name": "cart", "group": "vault"})
    assert "makes no keys in vault" in wrong.text
    send(operator, "/console/keys/_new/shop-data", {"name": "cart", "group": "shop"})
    policy = {"every": "90", "overlap": "-1", "warn": "30", "custodian": "olga", "labels": "a: b"}
    assert send(operator, "/console/keys/cart/edit", policy).status == 303
    key = keys.keys.life.show(ADMIN, "cart").key
    assert (key.rotation.every, key.rotation.warn, key.labels) == (90, 30, {"a": "b"})
    assert send(admin, "/console/keys/_groups/shop/delete", {}).status == 409
    assert send(admin, "/console/keys/_templates/shop-data/delete", {}).status == 303
