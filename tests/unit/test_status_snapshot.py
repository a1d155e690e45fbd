"""Snapshots of status: everybody in the set is found, and only what was signed is read."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.domain.merkle import EMPTY_ROOT
from chancery.wire import note, status_filter
from chancery.wire.note import Checkpoint, VerifierKey
from chancery.wire.status_filter import SerialSet
from chancery.wire.status_snapshot import Part, Snapshot, encode, join, open_snapshot, revoked

SERIALS = st.sets(st.integers(1, 1 << 159).map(lambda n: f"{n:x}"), max_size=200)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
VKEY = VerifierKey("log.example.org", KEY.public_key().public_bytes_raw())


@given(SERIALS, st.binary(max_size=8))
def test_a_set_comes_back_whole(serials: set[str], salt: bytes) -> None:
    made = SerialSet.of(salt, serials)
    data = made.encode()
    read = status_filter.decode(salt, data, len(serials))
    assert list(read.numbers) == list(made.numbers)
    assert all(serial in read for serial in serials)
    assert len(data) * 8 <= 23 * len(serials) + 16 + 8 * 8


@given(st.binary(max_size=64), st.integers(0, 30))
def test_a_damaged_set_is_refused_or_read(data: bytes, count: int) -> None:
    try:
        read = status_filter.decode(b"", data, count)
    except BadRequest:
        return
    assert len(read.numbers) == count


def test_mistakes_are_about_as_rare_as_promised() -> None:
    made = SerialSet.of(b"ca", (f"{n:x}" for n in range(2_000)))
    wrong = sum(f"fff{n:x}" in made for n in range(200_000))
    assert wrong < 5  # 0.2 expected


def signed() -> bytes:
    gone = {"10", "20"}
    made = SerialSet.of(b"ca", gone)
    part = Part("ca", (b"id",), 5, len(gone), made.encode(), ("77",))
    body, line = encode(Snapshot(1_800_000_000, 1_800_600_000, (part,)))
    text = Checkpoint("log.example.org", 7, EMPTY_ROOT, (line,)).text()
    return join(note.sign_note(text, VKEY, KEY.sign(text.encode())), body)


def test_who_is_revoked() -> None:
    snapshot = open_snapshot(signed(), VKEY)
    (part,) = snapshot.parts
    assert [revoked(part, serial) for serial in ("10", "20", "30", "77")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_only_what_was_signed_is_read() -> None:
    whole = signed()
    other = VerifierKey(
        "log.example.org", Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    )
    for data, key in (
        (whole[:-1] + bytes([whole[-1] ^ 1]), VKEY),
        (whole + b"\0", VKEY),
        (whole, other),
        (whole.replace(b"status-snapshot ", b"status_snapshot "), VKEY),
        (b"", VKEY),
    ):
        with pytest.raises(BadRequest):
            open_snapshot(data, key)
