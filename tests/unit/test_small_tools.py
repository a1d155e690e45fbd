"""Small tools of the hot path say what their slower relatives say."""

import uuid
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from chancery.adapters.entropy import EntropyPool
from chancery.domain.copying import changed
from chancery.domain.ids import made_ms, new_id


@dataclass(frozen=True, slots=True)
class Three:
    first: int
    second: str = ""
    third: tuple[int, ...] = ()


def test_a_changed_copy_is_a_replaced_one() -> None:
    value = Three(1, "a", (2,))
    assert changed(value, second="b") == replace(value, second="b")
    assert changed(value) == value


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_ids_are_uuids(now_ms: int, entropy: bytes) -> None:
    text = new_id(now_ms, entropy)
    read = uuid.UUID(text)
    assert str(read) == text
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert made_ms(text) == now_ms


def test_no_octet_of_the_pool_is_given_twice() -> None:
    pool = EntropyPool()
    drawn = [pool(size) for size in (1, 16, 10, 4_000, 100, 4_096, 5_000)]
    assert [len(one) for one in drawn] == [1, 16, 10, 4_000, 100, 4_096, 5_000]
    many = [pool(16) for _ in range(2_000)]
    assert len(set(many)) == 2_000
