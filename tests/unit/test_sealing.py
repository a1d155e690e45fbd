"""Secrets that a copy of the database does not give away."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chancery.adapters.sealing import KeyFileSealer
from chancery.domain.errors import Unavailable


def test_what_was_sealed_opens_in_its_own_context_only(tmp_path: Path) -> None:
    sealer = KeyFileSealer(tmp_path / "key")
    sealed = sealer.seal(b"secret", "totp rita")
    assert b"secret" not in sealed
    assert sealer.seal(b"secret", "totp rita") != sealed
    assert KeyFileSealer(tmp_path / "key").open(sealed, "totp rita") == b"secret"
    for bent, context in (
        (sealed, "totp oscar"),
        (sealed[:-1], "totp rita"),
        (b"\x02" + sealed[1:], "totp rita"),
        (b"", "totp rita"),
        (b"\x01", "totp rita"),
    ):
        with pytest.raises(Unavailable) as caught:
            sealer.open(bent, context)
        assert caught.value.rule == "sealing.key"


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    KeyFileSealer(tmp_path / "key").seal(b"", "")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_processes_that_begin_at_once_agree_on_one_key(tmp_path: Path) -> None:
    sealers = [KeyFileSealer(tmp_path / "key") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda one: one.seal(b"x", "c"), sealers))
    assert {sealers[0].open(one, "c") for one in sealed} == {b"x"}


def test_another_key(tmp_path: Path) -> None:
    sealed = KeyFileSealer(tmp_path / "one").seal(b"x", "c")
    with pytest.raises(Unavailable) as caught:
        KeyFileSealer(tmp_path / "two").open(sealed, "c")
    assert caught.value.remedy is not None
    assert "two" in caught.value.remedy


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(Unavailable) as caught:
        KeyFileSealer(tmp_path / "key").seal(b"x", "c")
    assert caught.value.rule == "sealing.key-file"
    with pytest.raises(Unavailable):
        KeyFileSealer(tmp_path / "none" / "key").seal(b"x", "c")
