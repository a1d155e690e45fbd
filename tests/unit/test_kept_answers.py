"""What is kept is given up in time, whatever comes first."""

from chancery.services.status.kept import KeptAnswer, Memory

KEY = ("issuing", "1001")


def answer(at: int = 100, until: int = 200) -> KeptAnswer:
    return KeptAnswer(b"der", at, until + 1000, until)


def kept(memory: Memory, as_of: int = 5) -> KeptAnswer:
    memory.note(KEY, b"good", as_of)
    one = answer()
    memory.keep(KEY, b"id", one, as_of)
    return one


def test_a_change_ends_what_was_kept_and_names_what_to_sign_anew() -> None:
    memory = Memory()
    one = kept(memory)
    assert one.serves(150)
    assert memory.answer(KEY, b"id") is one
    assert memory.changed([KEY, ("issuing", "2")], 9) == [(KEY, b"id")]
    assert not one.serves(150)
    assert memory.answer(KEY, b"id") is None
    assert memory.status(KEY) is None


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    """The reading was under way while somebody revoked (a stale "good" for an hour)."""
    memory = Memory()
    memory.changed([KEY], 9)
    late = kept(memory, as_of=8)
    assert not late.live
    assert memory.answer(KEY, b"id") is None
    fresh = kept(memory, as_of=9)
    assert fresh.live


def test_nor_before_a_time_of_which_the_changes_are_not_known() -> None:
    memory = Memory()
    one = kept(memory)
    memory.clear(50)
    assert not one.live
    assert not kept(memory, as_of=49).live
    assert kept(memory, as_of=50).live


def test_a_clock_set_back_or_on_ends_service() -> None:
    one = answer(at=100, until=200)
    assert [one.serves(now) for now in (99, 100, 199, 200)] == [False, True, True, False]


def test_what_is_asked_for_is_signed_ahead_and_the_rest_let_go() -> None:
    memory = Memory()
    one = kept(memory)
    assert memory.due(150, 10) == []
    assert memory.due(195, 10) == [(KEY, b"id")]
    assert memory.due(196, 10) == []  # it is under way
    memory.due(201, 10)
    assert not one.live


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    memory = Memory(most=4)
    used = kept(memory)
    for number in range(20):
        memory.answer(KEY, b"id")
        memory.note(("issuing", f"{number:x}f"), b"good", 5)
    assert used.live
    assert sum(memory.status(("issuing", f"{n:x}f")) is not None for n in range(20)) == 3
