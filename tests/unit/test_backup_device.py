"""The device: its PIN, how often it may be tried, and what stays when the file is altered."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chancery.adapters.backup import pins
from chancery.adapters.backup.device import FILE, Device
from chancery.app.restore import with_log
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    CAError,
    LockedOut,
    NotAuthenticated,
    NotFound,
)

PIN = "correct7horse"


CHEAP = pins.Costs(64, 1, 4)
"""Argon2id at a cost that tests can bear."""


@pytest.fixture
def device(tmp_path: Path) -> Device:
    made = Device(tmp_path / "usb", now=lambda: 1_790_000_000, costs=CHEAP)
    made.make(PIN, label="USB 1", tries=3, recovery=1, verifiers=("log+00000000+AQ==",))
    return made


def test_its_pin_opens_it_again_and_again(device: Device) -> None:
    first, second = device.open(PIN), device.open(PIN)
    assert first.identity == second.identity
    assert first.identity.startswith("AGE-SECRET-KEY-1")
    assert first.about.verifiers == ("log+00000000+AQ==",)
    assert (device.folder / FILE).stat().st_mode & 0o077 == 0
    assert first.identity not in (device.folder / FILE).read_text()


def test_wrong_pins_are_counted_and_wipe_it(device: Device) -> None:
    with pytest.raises(NotAuthenticated, match="2 more"):
        device.open("wrong-pin-1")
    assert device.open(PIN).failed_before == 1
    for left in ("2", "1"):
        with pytest.raises(NotAuthenticated, match=f"{left} more"):
            device.open("wrong-pin-2")
    with pytest.raises(LockedOut) as wiped:
        device.open("wrong-pin-3")
    assert "recovery PINs left" in (wiped.value.remedy or "")
    with pytest.raises(LockedOut):
        device.open(PIN)  # the right one comes too late
    assert [entry["what"] for entry in device.log()][-1] == "wiped"


def test_pulled_out_before_it_was_wiped(device: Device) -> None:
    """The counter stands at its end, the slot is still there: not one more try."""
    stored = device._read()
    device._write(replace(stored, failed=stored.about.tries))
    with pytest.raises(LockedOut):
        device.open(PIN)
    assert not device.standing().has_pin


def test_what_it_held_before_is_overwritten(device: Device) -> None:
    with (device.folder / "device.json").open("rb") as before:
        device.change(PIN, new_pin="another9horse")
        before.seek(0)
        assert not before.read().strip(b"\0")
    assert [path.name for path in device.folder.glob(".*")] == []


def test_a_recovery_pin_works_once(tmp_path: Path) -> None:
    device = Device(tmp_path / "usb", costs=CHEAP)
    _, (recovery,) = device.make(PIN, label="", tries=3, recovery=1)
    identity = device.open(PIN).identity
    for _ in range(3):
        with pytest.raises(CAError):
            device.open("wrong-pin-1")
    with pytest.raises(NotAuthenticated):
        device.recover("000000-000000-000000-000000", "another9horse")
    with pytest.raises(BadRequest):
        device.recover(recovery, "12345678")
    device.recover(recovery.lower().replace("-", " ").replace("0", "o"), "another9horse")
    assert device.open("another9horse").identity == identity
    with pytest.raises(NotAuthenticated):
        device.recover(recovery, "third3horse")
    assert device.standing().recovery_left == 0


def test_what_it_allows_changes_with_its_pin_only(device: Device) -> None:
    before = device.open(PIN).identity
    device.change(PIN, read_only=True, trust=("other+00000000+AQ==",))
    with pytest.raises(BadRequest, match="read-only"):
        device.writable()
    device.change(PIN, new_pin="another9horse", read_only=False)
    assert device.open("another9horse").identity == before
    assert device.writable().verifiers == ("log+00000000+AQ==", "other+00000000+AQ==")
    with pytest.raises(NotAuthenticated):
        device.change(PIN, read_only=True)


def test_what_was_altered_does_not_open(device: Device) -> None:
    path = device.folder / FILE
    whole = json.loads(path.read_text())

    def altered(**changes: object) -> None:
        path.write_text(json.dumps(whole | changes))

    for name, value in (
        ("recipient", "age1" + "q" * 58), ("read_only", True), ("label", "x"), ("tries", 20),
        ("verifiers", ["evil+00000000+AQ=="]), ("created_at", 1), ("least", 1),
    ):  # fmt: skip
        altered(about=whole["about"] | {name: value})
        with pytest.raises(BadRequest) as refused:
            device.open(PIN)
        assert refused.value.rule == "device.altered", name
    altered(pin=whole["pin"] | {"memory_kib": 8})
    with pytest.raises(BadRequest, match="cost"):
        device.open(PIN)
    path.write_text(path.read_text()[:200])
    with pytest.raises(BadRequest) as refused:
        device.standing()
    assert refused.value.rule == "device.altered"


def test_a_medium_without_a_device_and_one_with(device: Device, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Device(tmp_path / "other").standing()
    with pytest.raises(AlreadyExists):
        device.make(PIN, label="again")


@pytest.mark.parametrize(
    "pin",
    ["short1!", "12345678", "98765432", "aaaabbbb", "abababab", "abcabcabc", "qwertyui", "x" * 65,
     "abcdefgh", "tab\tinside", "9876543210"],
)  # fmt: skip
def test_pins_that_will_not_do(pin: str) -> None:
    with pytest.raises(BadRequest) as refused:
        pins.check_policy(pin)
    assert refused.value.rule == "device.pin-policy"


def test_the_log_of_a_device_shows_where_it_was_altered(device: Device) -> None:
    device.open(PIN)
    path = device.folder / "device.log"
    path.write_bytes(path.read_bytes().replace(b'"label":"USB 1"', b'"label":"USB 2"'))
    assert device.log()[-1] == {"what": "altered"}


def test_the_log_gets_a_new_name_and_all_else_stays() -> None:
    config = '[listen]\nhost = "x"\n\n[audit]  # the log\ndirectory = "audit"\norigin = "old"\n\n[tls]\nkey_id = "k"\n'
    changed = with_log(config, "old/r1", "audit-r1")
    assert changed == (
        '[listen]\nhost = "x"\n\n[audit]  # the log\norigin = "old/r1"\nkey_id = "audit-r1"\n'
        'directory = "audit"\n\n[tls]\nkey_id = "k"\n'
    )
