"""What the key services promise, over a real record and the key boundary in this process."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from key_house import ADMIN, GROUP, OFFICER, OPERATOR, OTHER, STRANGER, KeyHouse, opened, person
from people import SteppedClock

from chancery.adapters.storage import open_store
from chancery.domain.errors import (
    BadRequest,
    CAError,
    Conflict,
    NotFound,
    NotPermitted,
    Unavailable,
    WrongState,
)
from chancery.domain.identity import Role
from chancery.domain.key_groups import KeyGroup, KeyTemplate
from chancery.domain.key_orders import KeyAuthority, OrderState
from chancery.domain.key_states import KeyEvent, KeyState, state_at
from chancery.domain.managed_key import (
    Exportability,
    KeyKind,
    KeyRules,
    KeyUse,
    RotationPolicy,
)
from chancery.services.keys import KeyService
from chancery.services.keys.wanted import Wanted
from chancery.signer.journal import Operation
from chancery.signer.managed.client import ManagedClient
from chancery.wire import key_envelope, key_wrap

DAY = 86_400


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path) -> Iterator[KeyHouse]:
    clock = SteppedClock()
    store = open_store(sqlite_url, clock=clock)
    with opened(store, clock, tmp_path / "keys") as made:
        yield made
    store.close()


def wanted(name: str, template: str, **more: object) -> Wanted:
    return Wanted(name, "vault", template, **more)  # type: ignore[arg-type]


def test_a_life_with_rotation(house: KeyHouse) -> None:
    """What was encrypted stays readable through versions, and ends with its own."""
    keys = house.keys
    first = house.make("data")
    old = keys.using.encrypt(OPERATOR, "data", b"hello", b"row 7")
    assert key_envelope.decode(old).version == 1
    view = keys.making.rotate(OPERATOR, "data", "yearly").view
    assert view is not None
    assert [v.number for v in view.versions] == [2, 1]
    assert view.current.facts.check_value != first.current.facts.check_value
    new = keys.using.rewrap(OPERATOR, "data", old, b"row 7")
    assert key_envelope.decode(new).version == 2
    assert keys.using.decrypt(OPERATOR, "data", old, b"row 7") == (b"hello", 1)
    assert keys.using.decrypt(OPERATOR, "data", new, b"row 7") == (b"hello", 2)
    with pytest.raises(BadRequest, match="other additional data"):
        keys.using.decrypt(OPERATOR, "data", new, b"row 8")
    keys.life.change(OPERATOR, "data", KeyEvent.DEACTIVATE, "over", version=1)
    keys.life.change(OPERATOR, "data", KeyEvent.DESTROY, "over", version=1)
    with pytest.raises(WrongState, match="data version 1 is destroyed since 2026-"):
        keys.using.decrypt(OPERATOR, "data", old, b"row 7")
    assert not list(house.files.glob(f"{first.key.id}.1.secret.json"))
    assert list(house.files.glob(f"{first.key.id}.1.rules.json")), "the record of it stays"
    assert [e.details["version"] for e in house.told("key.destroyed")] == [1]
    (refused,) = house.told("key.use-refused")
    assert refused.outcome.value == "failure"


def test_suspended_and_compromised_keys_are_read_only_by_decision(house: KeyHouse) -> None:
    keys = house.keys
    house.make("data")
    sealed = keys.using.encrypt(OPERATOR, "data", b"hello")
    for event in (KeyEvent.SUSPEND, KeyEvent.COMPROMISE):
        keys.life.change(OPERATOR, "data", event, "laptop lost")
        with pytest.raises(WrongState, match="it may not protect"):
            keys.using.encrypt(OPERATOR, "data", b"more")
        with pytest.raises(WrongState, match="it may not process"):
            keys.using.decrypt(OPERATOR, "data", sealed)
        with pytest.raises(NotPermitted, match="may not do this"):
            keys.using.decrypt(OFFICER, "data", sealed, despite="court order")
        plain, _ = keys.using.decrypt(OPERATOR, "data", sealed, despite="court order 7")
        assert plain == b"hello"
    assert len(house.told("key.read-despite")) == 2


def test_nobody_gets_what_nothing_grants(house: KeyHouse) -> None:
    keys = house.keys
    house.make("data")
    for attempt in (
        lambda who: keys.life.show(who, "data"),
        lambda who: keys.using.encrypt(who, "data", b"x"),
    ):
        with pytest.raises(NotFound):
            attempt(STRANGER)
    with pytest.raises(NotPermitted):
        keys.using.encrypt(ADMIN, "data", b"x")
    with pytest.raises(NotPermitted):
        keys.making.generate(OFFICER, wanted("mine", "data-aes-256"))
    with pytest.raises(NotPermitted):
        keys.groups.put(OPERATOR, GROUP)
    owners = KeyGroup("owned", "", "", {"requester": frozenset()})
    keys.groups.put(ADMIN, owners)
    assert [g.name for g in keys.groups.all(STRANGER)] == []
    with pytest.raises(BadRequest, match="neither a role nor group:NAME"):
        keys.groups.put(ADMIN, KeyGroup("bad", "", "", {"everybody": frozenset()}))
    with pytest.raises(Conflict, match="not empty"):
        keys.groups.delete(ADMIN, "vault")


def test_the_boundary_judges_for_itself(house: KeyHouse) -> None:
    """Whatever the services above let through: rules, states and approvals hold inside."""
    view = house.make("kek", "kek-aes-256")
    handle, who = view.current.handle, KeyAuthority("operator")
    inside = house.managed
    for attempt in (
        lambda: inside.operations.encrypt(handle, b"x", b"", who),
        lambda: inside.movement.wrap(handle, who, "aes-kw", by=handle),
        lambda: inside.movement.wrap(handle, KeyAuthority("a", ("a",)), "aes-kw", by=handle),
        lambda: inside.parts.split("e.1", handle, ["x", "y"], who),
    ):
        with pytest.raises(NotPermitted):
            attempt()
    refusals = [e for e in house.journal() if e.operation is Operation.REFUSED]
    assert [e.detail["rule"] for e in refusals] == [
        "key.use",
        "key.approvals",
        "key.approvals",
        "key.approvals",
    ]
    rules = next(house.files.glob(f"{handle}.rules.json"))
    text = rules.read_text()
    rules.write_text(text.replace('"approvals": 1', '"approvals": 0'))
    inside.movement._b.book._cache.clear()
    with pytest.raises(Unavailable, match="changed outside the vault"):
        inside.operations.mac(handle, b"x", who)
    rules.write_text(text)


@pytest.mark.parametrize(
    ("method", "wrapping", "template"),
    [
        ("aes-kw", "kek-aes-256", "data-aes-256-exportable"),
        ("aes-kwp", "kek-aes-256", "sign-rsa-3072-exportable"),
        ("tr31-d", "kek-aes-256", "data-aes-256-exportable"),
        ("rsa-oaep-sha256", "wrap-rsa-trusted", "data-aes-128"),
        ("rsa-aes-sha256", "wrap-rsa-trusted", "data-aes-128"),
        ("tr31-b", "kbpk-tdes-168", "tdes"),
    ],
)
def test_a_key_goes_out_wrapped_and_comes_back(
    house: KeyHouse, method: str, wrapping: str, template: str
) -> None:
    keys = house.keys
    extra = (
        ("wrap-rsa-trusted", KeyKind.RSA_2048, {KeyUse.WRAP, KeyUse.UNWRAP}, True),
        ("data-aes-128", KeyKind.AES_128, {KeyUse.ENCRYPT, KeyUse.DECRYPT}, False),
        ("tdes", KeyKind.TDES_112, {KeyUse.ENCRYPT, KeyUse.DECRYPT}, False),
    )
    for name, kind, uses, trusted in extra:
        rules = KeyRules(frozenset(uses), Exportability.SENSITIVE, trusted=trusted)
        keys.templates.put(ADMIN, KeyTemplate(name, "", kind, rules, block_usage="D0"))
    house.make("by", wrapping)
    made = house.make("out", template)
    if made.key.kind.strength > keys.life.show(OPERATOR, "by").key.kind.strength:
        with pytest.raises(NotPermitted, match="bits of strength"):
            keys.leaving.wrap(OPERATOR, "out", method, by="by")
        assert house.told("key.export-refused")
        return
    outcome = keys.leaving.wrap(OPERATOR, "out", method, by="by")
    if outcome.order is not None:
        outcome = house.agreed(outcome)
    opening = "tr31" if method.startswith("tr31") else method
    back = keys.making.unwrap(OPERATOR, wanted("back", template), "by", opening, outcome.data)
    assert back.current.facts == made.current.facts
    altered = outcome.data[:-1] + bytes([outcome.data[-1] ^ 1])
    with pytest.raises(BadRequest):
        keys.making.unwrap(OPERATOR, wanted("bad", template), "by", opening, altered)
    with pytest.raises(NotFound):
        keys.life.show(OPERATOR, "bad")
    assert house.told("key.exported")


def test_what_may_not_leave_does_not(house: KeyHouse) -> None:
    keys = house.keys
    house.make("kek", "kek-aes-256")
    house.make("plain-kek", "kek-aes-256", uses=frozenset({KeyUse.UNWRAP}))
    house.make("stays")
    house.make("signs", "sign-ec-p256")
    trusted_only = house.make("careful", "data-aes-256-exportable")
    assert trusted_only.key.rules.exportability is Exportability.TRUSTED
    for attempt, rule in (
        (lambda: keys.leaving.wrap(OPERATOR, "stays", "aes-kw", by="kek"), "key.exportability"),
        (lambda: keys.leaving.package(OPERATOR, "signs", "pkcs12"), "key.exportability"),
        (lambda: keys.parts.split(OPERATOR, "stays", ["a", "b"]), "key.exportability"),
        (lambda: keys.leaving.wrap(OPERATOR, "careful", "aes-kw", by="plain-kek"), "key.use"),
    ):
        with pytest.raises((NotPermitted, NotFound)) as caught:
            attempt()
        assert caught.value.rule in {rule, "account.known"}
    assert not house.told("key.exported")
    assert len(house.told("key.export-refused")) >= 3


def test_a_private_key_leaves_when_others_agree(house: KeyHouse) -> None:
    keys = house.keys
    made = house.make("sig", "sign-rsa-3072-exportable")
    signature = keys.using.sign(OPERATOR, "sig", b"data", "rsa-pss-sha256")
    assert keys.using.verify(OPERATOR, "sig", b"data", signature.data, "rsa-pss-sha256")
    assert not keys.using.verify(OPERATOR, "sig", b"Data", signature.data, "rsa-pss-sha256")
    order = keys.leaving.package(OPERATOR, "sig", "pkcs8").order
    assert order is not None
    both = person("operator", Role.CA_OPERATOR, partner="officer")
    for bad, kind in (
        (lambda: keys.orders.perform(OPERATOR, order.id), NotPermitted),
        (lambda: keys.orders.approve(OPERATOR, order.id), NotPermitted),
        (lambda: keys.orders.approve(both, order.id), NotPermitted),
        (lambda: keys.orders.approve(OFFICER, order.id, "0" * 64), Conflict),
        (lambda: keys.orders.approve(STRANGER, order.id), NotFound),
    ):
        with pytest.raises(kind):
            bad()
    approved = keys.orders.approve(OFFICER, order.id, order.content)
    assert approved.state is OrderState.APPROVED
    with pytest.raises(NotPermitted, match="for operator to carry out"):
        keys.orders.perform(both, order.id)
    with pytest.raises(BadRequest, match="12 characters"):
        keys.orders.perform(OPERATOR, order.id, "short")
    packed = keys.orders.perform(OPERATOR, order.id, "correct horse battery").data
    with pytest.raises(WrongState, match="this is done"):
        keys.orders.perform(OPERATOR, order.id, "correct horse battery")
    back = keys.making.insert(
        OPERATOR, wanted("back", "sign-rsa-3072-exportable"), packed, "correct horse battery"
    )
    assert back.current.facts.fingerprint == made.current.facts.fingerprint
    with pytest.raises(BadRequest, match="wrong passphrase"):
        keys.making.insert(OPERATOR, wanted("no", "sign-rsa-3072-exportable"), packed, "wrong")
    late = keys.leaving.package(OPERATOR, "sig", "pkcs12").order
    assert late is not None
    house.clock.now += 8 * DAY
    with pytest.raises(WrongState, match="this is expired"):
        keys.orders.approve(OFFICER, late.id)


def test_components_come_from_different_people(house: KeyHouse) -> None:
    keys = house.keys
    made = house.make("kek", "kek-aes-256")
    entry = keys.parts.begin(OPERATOR, wanted("typed", "kek-aes-256"), 3).entry
    third = person("third", Role.RA_OFFICER)
    pieces = [bytes([n + 1] * 16 + list(range(16))).hex() for n in range(3)]
    keys.parts.enter(OFFICER, entry.id, 1, pieces[0], "")
    for who, number, text, value, kind in (
        (OFFICER, 2, pieces[1], "", NotPermitted),
        (OTHER, 1, pieces[1], "", Conflict),
        (OTHER, 2, pieces[1][:-2], "", BadRequest),
        (OTHER, 2, "no hex", "", BadRequest),
        (OTHER, 2, pieces[1], "0000000000", BadRequest),
        (OTHER, 4, pieces[1], "", BadRequest),
        (STRANGER, 2, pieces[1], "", NotFound),
    ):
        with pytest.raises(kind):
            keys.parts.enter(who, entry.id, number, text, value)
    with pytest.raises(Conflict, match="2 of 3 components are missing"):
        keys.parts.finish(OPERATOR, entry.id)
    keys.parts.enter(OTHER, entry.id, 2, pieces[1], "")
    keys.parts.enter(third, entry.id, 3, pieces[2], "")
    assert pieces[0] not in "".join(f.read_text() for f in house.files.iterdir())
    with pytest.raises(BadRequest, match="check value of the key is"):
        keys.parts.finish(OPERATOR, entry.id, "0000000000")
    keys.parts.finish(OPERATOR, entry.id)
    with pytest.raises(WrongState, match="closed"):
        keys.parts.enter(OTHER, entry.id, 2, pieces[1], "")
    assert not list(house.files.glob("*.parts.json"))
    assert made.key.kind is keys.life.show(OPERATOR, "typed").key.kind
    assert len(house.told("key-component.entered")) == 3


def test_rotation_by_itself(house: KeyHouse) -> None:
    keys = house.keys
    house.make("yearly")
    rules = KeyRules(frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}))
    keys.templates.put(
        ADMIN, KeyTemplate("weekly", "", KeyKind.AES_256, rules, RotationPolicy(7, 2))
    )
    house.make("weekly", "weekly")
    sealed = keys.using.encrypt(OPERATOR, "weekly", b"x")
    assert keys.rotation.run() == 0
    house.clock.now += 7 * DAY
    assert keys.rotation.run() == 1
    assert keys.rotation.run() == 0
    view = keys.life.show(OPERATOR, "weekly")
    assert view.key.current == 2
    assert house.told("key.rotated")[0].actor == "system"
    assert keys.using.decrypt(OPERATOR, "weekly", sealed) == (b"x", 1)
    house.clock.now += 2 * DAY
    states = [state_at(v.dates, house.clock.s()) for v in view.versions]
    assert states == [KeyState.ACTIVE, KeyState.DEACTIVATED]
    assert keys.using.decrypt(OPERATOR, "weekly", sealed) == (b"x", 1), "it still reads"
    keys.life.change(OPERATOR, "weekly", KeyEvent.SUSPEND, "look")
    house.clock.now += 30 * DAY
    assert keys.rotation.run() == 0, "what people stopped is for people to go on with"
    due = keys.life.calendar(OPERATOR, house.clock.s(), 800)
    assert [(d.key, d.what) for d in due if d.key == "yearly"][:1] == [("yearly", "rotation")]


def test_where_the_group_asks_others_agree_to_every_change(house: KeyHouse) -> None:
    keys = house.keys
    keys.groups.put(ADMIN, KeyGroup("vault", "", "", GROUP.grants, approvals=2))
    house.make("data")
    waiting = keys.making.rotate(OPERATOR, "data", "yearly").order
    assert waiting is not None
    keys.orders.approve(OFFICER, waiting.id)
    with pytest.raises(Conflict, match="agreed already"):
        keys.orders.approve(OFFICER, waiting.id)
    with pytest.raises(NotPermitted, match="1 more must agree"):
        keys.orders.perform(OPERATOR, waiting.id)
    keys.orders.approve(OTHER, waiting.id)
    assert keys.orders.perform(OPERATOR, waiting.id).view is not None
    assert keys.life.change(OPERATOR, "data", KeyEvent.SUSPEND, "now").view is not None
    resumed = keys.life.change(OPERATOR, "data", KeyEvent.RESUME, "fine").order
    assert resumed is not None
    denied = keys.orders.deny(OTHER, resumed.id, "not yet")
    assert denied.state is OrderState.DENIED
    with pytest.raises(WrongState, match="this is denied"):
        keys.orders.perform(OPERATOR, resumed.id)


def test_derived_keys_are_no_more_than_their_parent(house: KeyHouse) -> None:
    keys = house.keys
    house.make("root", "derive-aes-256")
    one = keys.making.derive(
        OPERATOR, wanted("one", "data-aes-256"), "root", "hkdf-sha256", b"app 1"
    )
    with pytest.raises(NotPermitted, match="may not leave either"):
        keys.making.derive(
            OPERATOR, wanted("two", "data-aes-256-exportable"), "root", "hkdf-sha256", b"app 1"
        )
    same = keys.making.derive(
        OPERATOR, wanted("again", "data-aes-256"), "root", "hkdf-sha256", b"app 1"
    )
    assert same.current.facts.check_value == one.current.facts.check_value
    other = keys.making.derive(
        OPERATOR, wanted("other", "data-aes-256"), "root", "kbkdf-cmac", b"app 1"
    )
    assert other.current.facts.check_value != one.current.facts.check_value


def test_macs(house: KeyHouse) -> None:
    keys = house.keys
    house.make("mac", "mac-hmac-sha256")
    made = keys.using.mac(OPERATOR, "mac", b"message")
    assert keys.using.check_mac(OPERATOR, "mac", b"message", made.data[:8])
    assert not keys.using.check_mac(OPERATOR, "mac", b"message", made.data[:7])
    assert not keys.using.check_mac(OPERATOR, "mac", b"messagf", made.data)
    assert len(keys.using.random(OPERATOR, 32)) == 32


def test_recovery_needs_its_agents(house: KeyHouse) -> None:
    keys = house.keys
    made = house.make("precious", "data-aes-256-exportable")
    agents = [rsa.generate_private_key(65537, 3072) for _ in range(3)]
    public = [
        base64.b64encode(
            agent.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()
        for agent in agents
    ]
    record = house.agreed(keys.escrow.seal(OPERATOR, "precious", public, 2)).data
    assert keys.escrow.record(OPERATOR, "precious") == record
    found = json.loads(record)
    shares = [
        key_wrap.unwrap_private(key_wrap.OAEP, agent, base64.b64decode(one["share"])).decode()
        for agent, one in zip(agents, found["agents"], strict=True)
    ]
    for bad in ([], shares[:1], [shares[0], shares[0]], [shares[0], "word " * 33]):
        with pytest.raises(CAError):
            keys.escrow.recover(OPERATOR, "precious", bad, to="back")
    back = keys.escrow.recover(OPERATOR, "precious", [shares[2], shares[0]], to="back")
    assert back.current.facts == made.current.facts
    assert back.key.rules == made.key.rules


def test_what_waits_too_long_lapses(house: KeyHouse) -> None:
    keys = house.keys
    house.make("sig", "sign-rsa-3072-exportable")
    order = keys.leaving.package(OPERATOR, "sig", "pkcs12").order
    assert order is not None
    entry = keys.parts.begin(OPERATOR, wanted("typed", "kek-aes-256"), 2).entry
    keys.parts.enter(OFFICER, entry.id, 1, "00112233445566778899aabbccddeeff" * 2, "")
    assert keys.rotation.lapse() == 0
    house.clock.now += 7 * DAY
    assert list(house.files.glob("*.parts.json"))
    assert keys.rotation.lapse() == 2
    assert keys.rotation.lapse() == 0
    assert not list(house.files.glob("*.parts.json"))
    assert keys.orders.show(OPERATOR, order.id).state is OrderState.EXPIRED
    with pytest.raises(WrongState, match="closed"):
        keys.parts.enter(OTHER, entry.id, 2, "00112233445566778899aabbccddeeff" * 2, "")


def test_approved_mode_makes_no_tdes_key(house: KeyHouse) -> None:
    strict = KeyService(
        house.store, ManagedClient(house.ask), house.clock, os.urandom, approved_mode=True
    )
    with pytest.raises(NotPermitted, match="TDES is no approved algorithm"):
        strict.making.generate(OPERATOR, wanted("old", "kbpk-tdes-168"))
    strict.making.generate(OPERATOR, wanted("new", "kek-aes-256"))


def test_two_at_once(house: KeyHouse) -> None:
    """Of two that change the same key at the same moment one is told to look again."""
    view = house.make("data")
    stale = view.key
    house.keys.making.rotate(OPERATOR, "data")
    with pytest.raises(Conflict):
        house.keys.making.renew(OPERATOR, stale, view.current, "late")
