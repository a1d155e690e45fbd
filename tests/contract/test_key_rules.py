"""Ways around the rules for managed keys, each closed: by the services, and again behind them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from key_house import (
    ADMIN,
    GROUP,
    OFFICER,
    OPERATOR,
    OTHER,
    KeyHouse,
    opened,
    person,
)
from people import SteppedClock, refused
from psec import tr31

from chancery.adapters.storage import migrate, open_store
from chancery.domain.errors import (
    BadKey,
    BadRequest,
    Conflict,
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import Role
from chancery.domain.key_groups import KeyGroup, KeyTemplate
from chancery.domain.key_orders import KeyAuthority, OrderState
from chancery.domain.key_states import KeyEvent, KeyState, state_at, transition
from chancery.domain.managed_key import Exportability, KeyKind, KeyRules, KeyUse, RotationPolicy
from chancery.ports_keys import NewKey
from chancery.services.keys.wanted import Wanted
from chancery.wire import key_wrap

DAY = 86_400
S, E = Exportability.SENSITIVE, Exportability.TRUSTED
AGENTS = [rsa.generate_private_key(65537, 3072) for _ in range(2)]


def spki(key: rsa.RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyHouse]:
    """One for all: each test names its own keys."""
    place = tmp_path_factory.mktemp("rules")
    migrate(f"sqlite:///{place}/chancery.db")
    clock = SteppedClock()
    store = open_store(f"sqlite:///{place}/chancery.db", clock=clock)
    with opened(store, clock, place / "home") as made:
        open_kek = KeyRules(frozenset({KeyUse.WRAP, KeyUse.UNWRAP}), S, trusted=True)
        for name, kind, rules in (
            ("open-kek", KeyKind.AES_256, open_kek),
            ("both", KeyKind.AES_256, KeyRules(frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}), S)),
            ("kept", KeyKind.TDES_112, KeyRules(frozenset(), S)),
            ("deriver", KeyKind.AES_256, KeyRules(frozenset({KeyUse.DERIVE}), E)),
        ):
            made.keys.templates.put(ADMIN, KeyTemplate(name, "", kind, rules))
        made.make("kek", "open-kek")
        yield made
    store.close()


def wanted(name: str, template: str, **more: object) -> Wanted:
    return Wanted(name, "vault", template, **more)  # type: ignore[arg-type]


# Key blocks: what the header says, the key is


def block(house: KeyHouse, usage: str, mode: str, exportability: str = "S") -> bytes:
    """A block as a partner makes it, under the key that *house* has as "kek"."""
    handle = house.keys.life.show(OPERATOR, "kek").current.handle
    kbpk = bytes(house.managed.movement._b.vault("software").get(handle).reveal())
    header = tr31.Header("D", usage, "A", mode, "00", exportability)
    return tr31.KeyBlock(kbpk, header).wrap(bytes(range(32))).encode()


@pytest.mark.parametrize(
    ("usage", "mode", "template", "fits"),
    [
        ("D0", "B", "both", True),
        ("D0", "N", "both", True),
        ("D0", "E", "both", False),  # it only encrypts
        ("P0", "B", "both", False),  # PIN encryption decrypts no data
        ("K1", "B", "both", False),
        ("K1", "B", "open-kek", True),
        ("K0", "D", "open-kek", False),  # it only unwraps
        ("D0", "B", "open-kek", False),
        ("M3", "C", "both", False),
    ],
)
def test_a_block_becomes_nothing_else_than_its_usage_says(
    house: KeyHouse, usage: str, mode: str, template: str, *, fits: bool
) -> None:
    want = wanted(f"in-{usage}-{mode}-{template}", template)
    if fits:
        got = house.keys.making.unwrap(OPERATOR, want, "kek", "tr31", block(house, usage, mode))
        assert (got.key.block_usage, got.key.block_mode) == (usage, mode)
        return
    with refused(NotPermitted, "key-block.usage"):
        house.keys.making.unwrap(OPERATOR, want, "kek", "tr31", block(house, usage, mode))


def test_a_block_that_leaves_only_by_trusted_keys_stays_so(house: KeyHouse) -> None:
    with refused(NotPermitted, "key-block.exportability"):
        house.keys.making.unwrap(
            OPERATOR, wanted("wider", "both"), "kek", "tr31", block(house, "D0", "B", "E")
        )
    taken = wanted("as-it-was", "both", exportability=E)
    made = house.keys.making.unwrap(OPERATOR, taken, "kek", "tr31", block(house, "D0", "B", "E"))
    assert made.key.rules.exportability is E


@pytest.mark.parametrize(("usage", "mode"), [("K1", "B"), ("P0", "B"), ("D0", "C"), ("M7", "C")])
def test_a_block_says_no_more_of_a_key_than_is_true(house: KeyHouse, usage: str, mode: str) -> None:
    """A data key that left as a wrapping key would come back as one, and open others."""
    name = f"out-{usage}-{mode}"
    made = house.make(name, "both")
    with refused(NotPermitted, "key-block.usage"):
        house.keys.leaving.wrap(
            OPERATOR, name, "tr31-d", by="kek", block_usage=usage, block_mode=mode
        )
    kek = house.keys.life.show(OPERATOR, "kek").current.handle
    with refused(NotPermitted, "key-block.usage"):
        house.managed.movement.wrap(
            made.current.handle, KeyAuthority("operator"), "tr31-d", by=kek, header=usage + mode
        )


def test_a_key_without_uses_is_kept_and_passed_on(house: KeyHouse) -> None:
    """A PIN key of a partner: nothing is done with it here."""
    house.make("kbpk", "kbpk-tdes-168")
    handle = house.keys.life.show(OPERATOR, "kbpk").current.handle
    kbpk = bytes(house.managed.movement._b.vault("software").get(handle).reveal())
    key = bytes(range(0x10, 0x20))
    theirs = tr31.KeyBlock(kbpk, tr31.Header("B", "P0", "T", "B", "00", "S")).wrap(key)
    made = house.keys.making.unwrap(
        OPERATOR, wanted("pin", "kept"), "kbpk", "tr31", theirs.encode()
    )
    assert made.key.rules.uses == frozenset()
    with refused(NotPermitted, "key.use"):
        house.keys.using.mac(OPERATOR, "pin", b"x")
    back = house.keys.leaving.wrap(OPERATOR, "pin", "tr31-b", by="kbpk").data.decode()
    reader = tr31.KeyBlock(kbpk)
    assert reader.unwrap(back) == key
    assert reader.header.key_usage == "P0"
    with refused(NotPermitted, "key-block.usage"):
        house.keys.leaving.wrap(OPERATOR, "pin", "tr31-b", by="kbpk", block_usage="V0")


@pytest.mark.parametrize("cut", [0, 1, 15, 40, -1])
def test_half_a_block_is_refused_and_told(house: KeyHouse, cut: int) -> None:
    before = len(house.told("key.import-refused"))
    text = block(house, "D0", "B")
    with pytest.raises(BadRequest) as caught:
        house.keys.making.unwrap(OPERATOR, wanted("half", "both"), "kek", "tr31", text[:cut])
    assert caught.value.field == "wrapped"
    assert caught.value.remedy
    assert len(house.told("key.import-refused")) == before + 1


# Out


def test_a_key_for_trusted_wrapping_keys_goes_under_no_strangers(house: KeyHouse) -> None:
    made = house.make("trusted-only", "data-aes-256-exportable")
    public = AGENTS[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with refused(NotPermitted, "wrap.trusted"):
        house.keys.leaving.wrap(OPERATOR, "trusted-only", key_wrap.OAEP, public_key=spki(AGENTS[0]))
    agreed = KeyAuthority("operator", ("officer",))
    with refused(NotPermitted, "wrap.trusted"):
        house.managed.movement.wrap(made.current.handle, agreed, key_wrap.OAEP, public=public)


def test_no_key_wraps_itself(house: KeyHouse) -> None:
    with refused(BadRequest, "wrap.itself"):
        house.keys.leaving.wrap(OPERATOR, "kek", "aes-kw", by="kek")


@pytest.mark.parametrize("what", [KeyEvent.SUSPEND, KeyEvent.COMPROMISE])
def test_a_key_that_is_stopped_does_not_leave(house: KeyHouse, what: KeyEvent) -> None:
    name = f"stopped-{what.value}"
    made = house.make(name, "both")
    house.keys.life.change(OPERATOR, name, what, "lost")
    rule = f"key.{state_at(house.keys.life.show(OPERATOR, name).current.dates, house.clock.s())}"
    with refused(WrongState, rule):
        house.keys.leaving.wrap(OPERATOR, name, "aes-kw", by="kek")
    with refused(WrongState, rule):
        house.keys.escrow.seal(OPERATOR, name, [spki(one) for one in AGENTS], 2)
    kek = house.keys.life.show(OPERATOR, "kek").current.handle
    with refused(WrongState, rule):
        house.managed.movement.wrap(made.current.handle, KeyAuthority("operator"), "aes-kw", by=kek)


def test_what_is_derived_leaves_no_easier_than_its_parent(house: KeyHouse) -> None:
    house.make("parent", "deriver")
    with refused(NotPermitted, "derive.exportability"):
        house.keys.making.derive(OPERATOR, wanted("child", "both"), "parent", "hkdf-sha256", b"app")


def test_components_go_to_holders_and_to_nobody_else(house: KeyHouse) -> None:
    house.make("to-split", "both")
    house.account("officer", Role.RA_OFFICER)
    house.account("requester", Role.REQUESTER)
    with refused(NotPermitted, "key-group.hold"):
        house.keys.parts.split(OPERATOR, "to-split", ["officer", "requester"])


def test_destroyed_keys_leave_no_components_behind(house: KeyHouse) -> None:
    house.account("other", Role.RA_OFFICER)
    house.account("third", Role.RA_OFFICER)
    house.make("halved", "both")
    split = house.keys.parts.split(OPERATOR, "halved", ["other", "third"])
    entry = house.agreed(split).data.decode()
    assert (house.files / f"{entry}.parts.json").exists()
    house.keys.life.change(OPERATOR, "halved", KeyEvent.COMPROMISE, "seen by others")
    assert not (house.files / f"{entry}.parts.json").exists()
    with refused(NotFound, "parts.gone"):
        house.keys.parts.take(OTHER, entry, 1)
    assert house.told("key-component.dropped")


# In


def test_components_that_give_one_holder_the_key_are_refused(house: KeyHouse) -> None:
    entry = house.keys.parts.begin(OPERATOR, wanted("typed", "both"), 3).entry.id
    third = person("third", Role.RA_OFFICER)
    with refused(BadKey, "parts.weak"):
        house.keys.parts.enter(OFFICER, entry, 1, "00" * 32, "")
    house.keys.parts.enter(OFFICER, entry, 1, bytes(range(32)).hex(), "")
    with refused(Conflict, "parts.same"):
        house.keys.parts.enter(OTHER, entry, 2, bytes(range(32)).hex(), "")
    with refused(BadRequest, "parts.check-value"):
        house.keys.parts.enter(OTHER, entry, 2, bytes(range(1, 33)).hex(), "00000000")
    house.keys.parts.enter(OTHER, entry, 2, bytes(range(1, 33)).hex(), "")
    with refused(NotPermitted, "parts.people"):
        house.keys.parts.enter(OTHER, entry, 3, bytes(range(2, 34)).hex(), "")
    house.keys.parts.enter(third, entry, 3, bytes(range(2, 34)).hex(), "")
    with refused(BadRequest, "parts.check-value"):
        house.keys.parts.finish(OPERATOR, entry, "00000000")
    rules = [event.details["rule"] for event in house.told("key-component.refused")]
    assert sorted(rules) == [
        "parts.check-value", "parts.check-value", "parts.people", "parts.same", "parts.weak",
    ]  # fmt: skip


def test_components_may_take_longer_than_the_date_they_were_meant_for(house: KeyHouse) -> None:
    want = wanted("late", "both", activation=house.clock.s() + DAY)
    entry = house.keys.parts.begin(OPERATOR, want, 2).entry.id
    house.keys.parts.enter(OFFICER, entry, 1, bytes(range(3, 35)).hex(), "")
    house.keys.parts.enter(OTHER, entry, 2, bytes(range(5, 37)).hex(), "")
    house.clock.now += 2 * DAY
    made = house.keys.parts.finish(OPERATOR, entry)
    assert made.current.dates.activation == house.clock.s()


def test_weak_des_keys_are_refused(house: KeyHouse) -> None:
    entry = house.keys.parts.begin(OPERATOR, wanted("weak-des", "kbpk-tdes-168"), 2).entry.id
    key = bytes.fromhex("0101010101010101133457799BBCDFF10123456789ABCDEF")
    piece = bytes(range(7, 31))
    other = bytes(a ^ b for a, b in zip(key, piece, strict=True))
    house.keys.parts.enter(OFFICER, entry, 1, piece.hex(), "")
    house.keys.parts.enter(OTHER, entry, 2, other.hex(), "")
    with refused(BadKey, "key.material"):
        house.keys.parts.finish(OPERATOR, entry)


# Escrow


def escrowed(house: KeyHouse, name: str) -> list[str]:
    """The agents' shares of a key that is in escrow from now on."""
    done = house.keys.escrow.seal(OPERATOR, name, [spki(one) for one in AGENTS], 2)
    record = json.loads(house.agreed(done).data)
    return [
        key_wrap.unwrap_private(key_wrap.OAEP, agent, base64.b64decode(one["share"])).decode()
        for agent, one in zip(AGENTS, record["agents"], strict=True)
    ]


def test_a_recovered_key_reads_what_the_lost_one_protected(house: KeyHouse) -> None:
    house.make("lost", "both")
    sealed = house.keys.using.encrypt(OPERATOR, "lost", b"letters", b"aad")
    shares = escrowed(house, "lost")
    house.keys.life.change(OPERATOR, "lost", KeyEvent.DEACTIVATE, "over")
    house.keys.life.change(OPERATOR, "lost", KeyEvent.DESTROY, "over")
    house.keys.escrow.recover(OPERATOR, "lost", shares, to="found")
    assert house.keys.using.decrypt(OPERATOR, "found", sealed, b"aad") == (b"letters", 1)
    with refused(BadRequest, "ciphertext.key"):
        house.keys.using.decrypt(OPERATOR, "kek", sealed, b"aad")
    with pytest.raises(WrongState):  # its time was over when it was lost
        house.keys.using.encrypt(OPERATOR, "found", b"more")
    house.make("fresh-one", "both")
    moved = house.keys.using.rewrap(OPERATOR, "found", sealed, b"aad", to="fresh-one")
    assert house.keys.using.decrypt(OPERATOR, "fresh-one", moved, b"aad")[0] == b"letters"


def test_escrow_does_not_launder_a_compromise(house: KeyHouse) -> None:
    house.make("known", "both")
    sealed = house.keys.using.encrypt(OPERATOR, "known", b"x")
    shares = escrowed(house, "known")
    house.keys.life.change(OPERATOR, "known", KeyEvent.COMPROMISE, "on a paste site")
    back = house.keys.escrow.recover(OPERATOR, "known", shares, to="known-again")
    assert state_at(back.current.dates, house.clock.s()) is KeyState.COMPROMISED
    with refused(WrongState, "key.compromised"):
        house.keys.using.encrypt(OPERATOR, "known-again", b"y")
    assert house.keys.using.decrypt(OPERATOR, "known-again", sealed, despite="court") == (b"x", 1)


def test_short_agents_keys_are_refused_before_anybody_agrees(house: KeyHouse) -> None:
    house.make("for-agents", "both")
    short = [spki(rsa.generate_private_key(65537, 2048)) for _ in range(2)]
    with refused(BadKey, "escrow.agent-key"):
        house.keys.escrow.seal(OPERATOR, "for-agents", short, 2)


# States and agreement


def test_two_who_sign_in_together_are_one_who_agrees(house: KeyHouse) -> None:
    keys = house.keys
    keys.groups.put(ADMIN, KeyGroup("two", "", "", GROUP.grants, approvals=2))
    keys.making.generate(OPERATOR, Wanted("watched", "two", "both"))
    order = keys.making.rotate(OPERATOR, "watched", "yearly").order
    assert order is not None
    together = person("officer", Role.RA_OFFICER, partner="other")
    assert keys.orders.approve(together, order.id).state is OrderState.OPEN
    with pytest.raises(Conflict, match="agreed already"):
        keys.orders.approve(OTHER, order.id)
    third = person("third", Role.RA_OFFICER)
    assert keys.orders.approve(third, order.id).state is OrderState.APPROVED
    assert keys.orders.perform(OPERATOR, order.id).view is not None


def test_the_boundary_counts_people_not_names() -> None:
    joint = KeyAuthority("operator", ("officer+other", "other", "operator+officer"))
    assert joint.others == {"officer+other"}


def test_refused_agreement_is_on_record(house: KeyHouse) -> None:
    house.make("asked", "kek-aes-256")
    order = house.keys.leaving.wrap(OPERATOR, "asked", "aes-kw", by="kek").order
    assert order is not None
    before = len(house.told("key-order.refused"))
    for attempt in (
        lambda: house.keys.orders.approve(OPERATOR, order.id),
        lambda: house.keys.orders.perform(OPERATOR, order.id),
        lambda: house.keys.orders.approve(OFFICER, order.id, "0" * 64),
    ):
        with pytest.raises((NotPermitted, Conflict)):
            attempt()
    told = house.told("key-order.refused")
    assert len(told) == before + 3
    assert {event.outcome.value for event in told} == {"failure"}


def test_the_cryptoperiod_begins_when_the_key_does(house: KeyHouse) -> None:
    start = house.clock.s() + 10 * DAY
    made = house.make("later", "data-aes-256", activation=start)
    assert made.key.rotates_at == start + 365 * DAY
    view = house.keys.life.change(OPERATOR, "later", KeyEvent.ACTIVATE, "needed now").view
    assert view is not None
    now = house.clock.s()
    assert view.current.dates.protect_stop == now + 730 * DAY
    assert view.key.rotates_at == now + 365 * DAY
    made = house.make("much-later", "data-aes-256", activation=start)
    later = start + 800 * DAY
    moved = house.keys.life.change(OPERATOR, "much-later", KeyEvent.ACTIVATE, "put off", at=later)
    assert moved.view is not None
    assert moved.view.current.dates.protect_stop == later + 730 * DAY


def test_a_key_that_has_not_begun_is_not_rotated(house: KeyHouse) -> None:
    house.make("to-come", "both", activation=house.clock.s() + DAY)
    with refused(WrongState, "key.rotate"):
        house.keys.making.rotate(OPERATOR, "to-come")


def test_a_suspended_version_is_retired_like_any_other(house: KeyHouse) -> None:
    house.make("halted", "both")
    house.keys.life.change(OPERATOR, "halted", KeyEvent.SUSPEND, "look")
    view = house.keys.making.rotate(OPERATOR, "halted", "go on").view
    assert view is not None
    assert state_at(view.versions[1].dates, house.clock.s()) is KeyState.DEACTIVATED


def test_only_active_keys_are_renewed_and_none_stands_in_the_way(house: KeyHouse) -> None:
    rules = KeyRules(frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}))
    house.keys.templates.put(
        ADMIN, KeyTemplate("daily", "", KeyKind.AES_128, rules, RotationPolicy(1, 0))
    )
    ends = {"d-ended": KeyEvent.DEACTIVATE, "d-known": KeyEvent.COMPROMISE, "d-runs": None}
    for name, what in ends.items():
        house.make(name, "daily")
        if what is not None:
            house.keys.life.change(OPERATOR, name, what, "by a person")
    house.clock.now += 2 * DAY
    house.keys.rotation.run()
    current = {name: house.keys.life.show(OPERATOR, name).key.current for name in ends}
    assert current == {"d-ended": 1, "d-known": 1, "d-runs": 2}


def test_a_compromise_after_destruction_waits_for_nobody(house: KeyHouse) -> None:
    house.make("gone", "kek-aes-256")
    house.agreed(house.keys.life.change(OPERATOR, "gone", KeyEvent.DEACTIVATE, "over"))
    house.agreed(house.keys.life.change(OPERATOR, "gone", KeyEvent.DESTROY, "over"))
    view = house.keys.life.change(OPERATOR, "gone", KeyEvent.COMPROMISE, "a copy was found").view
    assert view is not None
    assert state_at(view.current.dates, house.clock.s()) is KeyState.DESTROYED_COMPROMISED


def test_what_is_said_about_a_key_has_bounds(house: KeyHouse) -> None:
    house.make("said", "both")
    with refused(BadRequest, "key.labels"):
        house.keys.life.edit(OPERATOR, "said", labels={f"l{n}": "x" for n in range(40)})
    with refused(BadRequest, "rotation.days"):
        RotationPolicy(1, 0, warn=-1)
    with refused(BadRequest, "key-block.header"):
        template = house.keys.templates.show(ADMIN, "both")
        house.keys.templates.put(ADMIN, replace(template, block_usage="long"))


def test_refusals_of_every_use_are_on_record(house: KeyHouse) -> None:
    house.make("quiet", "both")
    house.keys.life.change(OPERATOR, "quiet", KeyEvent.SUSPEND, "look")
    before = len(house.told("key.use-refused"))
    for attempt in (
        lambda: house.keys.using.check_mac(OPERATOR, "quiet", b"x", b"y" * 8),
        lambda: house.keys.using.verify(OPERATOR, "quiet", b"x", b"y"),
    ):
        with pytest.raises(WrongState):
            attempt()
    assert len(house.told("key.use-refused")) == before + 2


def test_huge_inputs_are_refused(house: KeyHouse) -> None:
    house.make("big", "both")
    with refused(BadRequest, "data.size"):
        house.keys.using.encrypt(OPERATOR, "big", bytes(16 * 1024 * 1024 + 1))
    with refused(BadRequest, "wrap.size"):
        house.keys.making.unwrap(
            OPERATOR, wanted("too-long", "both"), "kek", "aes-kwp", bytes(70_000)
        )


# What a crash leaves between the boundary and the record


def test_a_version_that_never_came_on_record_stands_in_nobodys_way(house: KeyHouse) -> None:
    made = house.make("half-rotated", "both")
    orphan = NewKey(
        f"{made.key.id}.2", "software", made.key.kind, made.key.rules, made.current.dates
    )
    house.managed.movement.generate(orphan, KeyAuthority("operator"))
    view = house.keys.making.rotate(OPERATOR, "half-rotated").view
    assert view is not None
    assert view.key.current == 2
    sealed = house.keys.using.encrypt(OPERATOR, "half-rotated", b"x")
    assert house.keys.using.decrypt(OPERATOR, "half-rotated", sealed) == (b"x", 2)


@pytest.mark.parametrize("what", [KeyEvent.COMPROMISE, KeyEvent.SUSPEND, KeyEvent.DEACTIVATE])
def test_what_the_boundary_did_alone_is_done_again(house: KeyHouse, what: KeyEvent) -> None:
    """The record was away when the boundary had moved the key: the same again goes through."""
    name = f"half-{what.value}"
    made = house.make(name, "both")
    moved = transition(made.current.dates, what, house.clock.s())
    house.managed.movement.move(made.current.handle, moved, KeyAuthority("operator"))
    house.clock.now += 60
    view = house.keys.life.change(OPERATOR, name, what, "again").view
    assert view is not None
    wanted = {
        KeyEvent.COMPROMISE: KeyState.COMPROMISED,
        KeyEvent.SUSPEND: KeyState.SUSPENDED,
        KeyEvent.DEACTIVATE: KeyState.DEACTIVATED,
    }
    assert state_at(view.current.dates, house.clock.s()) is wanted[what]


def test_a_component_that_the_record_missed_is_brought_again(house: KeyHouse) -> None:
    entry = house.keys.parts.begin(OPERATOR, wanted("noted-late", "both"), 2).entry.id
    piece = bytes(range(40, 72))
    house.managed.parts.put(entry, KeyKind.AES_256, (1, 2), piece, "", KeyAuthority(OFFICER.name))
    house.keys.parts.enter(OFFICER, entry, 1, piece.hex(), "")
    house.keys.parts.enter(OTHER, entry, 2, bytes(range(50, 82)).hex(), "")
    assert house.keys.parts.finish(OPERATOR, entry).key.name == "noted-late"
