"""SLIP-39 shares: the official vectors, and every way a share can be wrong."""

import json
import secrets
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest, CAError, Conflict
from chancery.wire import shares

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "slip39" / "official.json").read_text()
)["cases"]
SECRET = bytes(range(32))
SET = shares.split(SECRET, threshold=3, count=5)
OTHER = shares.split(SECRET, threshold=3, count=5)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_official_vectors(vector: dict[str, Any]) -> None:
    if vector["secret"]:
        made = shares.combine(vector["mnemonics"], passphrase=b"TREZOR")
        assert made.hex() == vector["secret"]
    else:
        with pytest.raises((BadRequest, Conflict)):
            shares.combine(vector["mnemonics"], passphrase=b"TREZOR")


def test_any_three_of_five_open_it() -> None:
    for chosen in combinations(SET, 3):
        assert shares.combine(chosen) == SECRET


def test_more_than_enough_open_it_too() -> None:
    assert shares.combine(SET) == SECRET
    assert shares.combine(reversed(SET[:4])) == SECRET


def test_says_how_many_are_missing() -> None:
    with pytest.raises(Conflict, match="1 more share needed: 2 given, 3 open it") as caught:
        shares.combine(SET[:2])
    assert caught.value.rule == "shares.missing"


def test_names_the_share_of_another_set() -> None:
    with pytest.raises(Conflict, match="share 2 is of another set") as caught:
        shares.combine([SET[0], OTHER[1], SET[2], SET[3]])
    assert (caught.value.field, caught.value.rule) == ("shares[2]", "shares.other-set")


def test_names_the_share_that_comes_twice() -> None:
    with pytest.raises(Conflict, match="shares 1 and 3 are both number 2") as caught:
        shares.combine([SET[1], SET[0], SET[1]])
    assert caught.value.rule == "shares.twice"


def test_names_the_word_that_is_no_word() -> None:
    words = SET[1].split()
    words[6] = "chancery"
    with pytest.raises(BadRequest, match="word 7 of share 2") as caught:
        shares.combine([SET[0], " ".join(words), SET[2]])
    assert (caught.value.field, caught.value.rule) == ("shares[2]", "shares.word")
    assert "chancery" not in str(caught.value)


def test_names_the_share_with_a_wrong_word() -> None:
    words = SET[2].split()
    words[9] = "academic" if words[9] != "academic" else "acid"
    with pytest.raises(BadRequest, match="share 3 does not hold") as caught:
        shares.combine([SET[0], SET[1], " ".join(words)])
    assert caught.value.rule == "shares.checksum"


def test_names_the_share_with_too_few_words() -> None:
    with pytest.raises(BadRequest, match="share 1 has 10 words"):
        shares.combine([" ".join(SET[0].split()[:10])])


def forged() -> str:
    """Says it is number 3 of the set, and is not: its checksum holds."""
    from shamir_mnemonic.share import Share  # noqa: PLC0415

    true = Share.from_mnemonic(SET[2])
    facts = {name: getattr(true, name) for name in Share.__dataclass_fields__}
    return Share(**facts | {"value": secrets.token_bytes(32)}).mnemonic()


def test_a_forged_share_does_not_pass() -> None:
    with pytest.raises(Conflict, match="do not fit together") as caught:
        shares.combine([SET[0], SET[1], forged()])
    assert caught.value.rule == "shares.digest"


def test_one_share_more_names_the_forged_one() -> None:
    with pytest.raises(Conflict, match="share 3 does not fit") as caught:
        shares.combine([SET[0], SET[1], forged(), SET[4]])
    assert (caught.value.field, caught.value.rule) == ("shares[3]", "shares.forged")


def test_reads_what_people_type() -> None:
    typed = "  ".join(word[:4].upper() for word in SET[3].split()) + "\n"
    share = shares.read(typed)
    assert (share.number, share.threshold, share.words) == (4, 3, SET[3])
    assert share.set_id == shares.read(SET[0]).set_id


def test_a_passphrase_counts() -> None:
    made = shares.split(SECRET, threshold=2, count=3, passphrase=b"late summer")
    assert shares.combine(made[1:], passphrase=b"late summer") == SECRET
    assert shares.combine(made[1:], passphrase=b"early summer") != SECRET
    with pytest.raises(BadRequest, match="printable"):
        shares.combine(made, passphrase="für".encode())


@pytest.mark.parametrize(("threshold", "count"), [(1, 3), (0, 0), (4, 3), (2, 17), (1, 1)])
def test_refuses_numbers_that_protect_nothing(threshold: int, count: int) -> None:
    with pytest.raises(BadRequest) as caught:
        shares.split(SECRET, threshold=threshold, count=count)
    assert caught.value.rule == "shares.numbers"


@pytest.mark.parametrize("length", [0, 15, 17, 66])
def test_refuses_a_secret_of_another_length(length: int) -> None:
    with pytest.raises(BadRequest):
        shares.split(bytes(length), threshold=2, count=3)


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=8, max_size=32), st.integers(2, 5), st.integers(0, 4))
def test_what_is_split_comes_together(half: bytes, threshold: int, more: int) -> None:
    secret = half * 2
    made = shares.split(secret, threshold=threshold, count=threshold + more)
    assert shares.combine(made[more:]) == secret


@given(st.lists(st.text(max_size=200), max_size=4))
def test_never_fails_in_an_unplanned_way(texts: list[str]) -> None:
    with pytest.raises(CAError):
        shares.combine(texts)
