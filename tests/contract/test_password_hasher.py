"""What ports.PasswordHasher promises, held against Argon2id."""

import threading
import time

import pytest

from chancery.adapters.passwords import Argon2Hasher
from chancery.domain.errors import Unavailable


@pytest.fixture
def hasher() -> Argon2Hasher:
    return Argon2Hasher(memory_kib=1024, passes=1)


def test_hashes_and_verifies(hasher: Argon2Hasher) -> None:
    phc = hasher.hash("correct horse battery staple")
    assert phc.startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    assert hasher.verify(phc, "correct horse battery staple")
    assert not hasher.verify(phc, "correct horse battery stapler")
    assert hasher.hash("correct horse battery staple") != phc, "each has its own salt"


@pytest.mark.parametrize("phc", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_damaged_hash_matches_nothing(hasher: Argon2Hasher, phc: str) -> None:
    assert not hasher.verify(phc, "")
    assert hasher.outdated(phc)


def test_other_parameters_are_outdated(hasher: Argon2Hasher) -> None:
    assert not hasher.outdated(hasher.hash("x"))
    assert Argon2Hasher().outdated(hasher.hash("x"))


def test_the_defaults_are_no_weaker_than_owasps_floor() -> None:
    assert "m=19456,t=2,p=1" in Argon2Hasher().hash("x")


def test_a_flood_waits_and_then_hears_that_it_waited() -> None:
    hasher = Argon2Hasher(memory_kib=64 * 1024, passes=20, concurrency=1, wait_s=0.01)
    busy = threading.Thread(target=hasher.hash, args=("x",))
    busy.start()
    time.sleep(0.05)
    with pytest.raises(Unavailable) as refused:
        hasher.verify("", "x")
    busy.join()
    assert refused.value.rule == "password.concurrency"
    hasher.hash("x")
