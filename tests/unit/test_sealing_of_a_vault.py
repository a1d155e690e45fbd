"""The vault of an instance given to custodians, and handed on; a signer that waits for them."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chancery.app import custody as desk
from chancery.cli.custodian import _replaced
from chancery.domain.custody import Custodian, CustodyPurpose, ShareSet
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    CAError,
    Conflict,
    Unavailable,
    WrongState,
)
from chancery.settings import load
from chancery.signer.unseal import record, waiting
from chancery.signer.unseal.custodians import Gathered
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create, open_vault
from chancery.wire import custody

SETTINGS = """
[listen]
http_port = 1
https_port = 2
http_url = "http://127.0.0.1:1"
https_url = "https://127.0.0.1:2"
[database]
url_file = "url"
[signer]
vault = "vault"
journal = "journal"
socket = "signer.sock"
unseal_key_file = "unseal.key"
[tls]
certificate = "c"
key = "k"
client_ca = "ca"
[audit]
directory = "audit"
origin = "o"
[publication]
directory = "public"
"""
PEOPLE = [Custodian(name) for name in ("ada", "eva", "mary")]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "url").write_text("sqlite:///x.db")
    key = tmp_path / "unseal.key"
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    create(tmp_path / "vault", KeyFile(key))
    (tmp_path / "chancery.toml").write_text(SETTINGS)
    return tmp_path / "chancery.toml"


def nobody(share_set: ShareSet) -> Sequence[str]:
    raise AssertionError("nobody is asked")


def bring(out: Path, *names: str) -> Callable[[ShareSet], Sequence[str]]:
    return lambda _: words(out, *names)


def words(out: Path, *names: str) -> list[str]:
    return [custody.words_of((out / f"{name}.share.txt").read_text()) for name in names]


def test_a_vault_is_given_away_and_handed_on(config: Path) -> None:
    home = config.parent
    with pytest.raises(WrongState):
        desk.vault_set(config)
    made = desk.seal(config, PEOPLE, 2, home / "one", nobody)
    assert desk.vault_set(config) == made
    people = _replaced(made, ["ada=zoe"])
    assert [one.name for one in people] == ["zoe", "eva", "mary"]
    with pytest.raises(Conflict, match="1 more share needed"):
        desk.seal(config, people, 2, home / "two", bring(home / "one", "ada"))
    assert not (home / "two").exists(), "what is refused leaves nothing"
    with pytest.raises(AlreadyExists):
        desk.seal(config, people, 2, home / "one", bring(home / "one", "ada", "eva"))
    desk.seal(config, people, 2, home / "two", bring(home / "one", "ada", "eva"))
    with pytest.raises(Conflict, match="of set"):
        open_vault(home / "vault", Gathered(words(home / "one", "ada", "eva")))
    open_vault(home / "vault", Gathered(words(home / "two", "zoe", "mary"))).close()
    seal = desk.seal_seen(load(config))
    assert seal is not None
    assert seal.kind == "custodians"
    with pytest.raises(BadRequest):
        _replaced(made, ["nobody=zoe"])


def test_a_signer_waits_and_judges_each_share(config: Path) -> None:
    home = config.parent
    out = home / "one"
    desk.seal(config, PEOPLE, 2, out, nobody)
    found: list[Any] = []
    log: list[str] = []
    path = home / "unseal.sock"
    with pytest.raises(WrongState, match="nothing waits"):
        desk.demand_sealed(config)

    def work() -> None:
        found.append(
            waiting.wait(
                home / "vault", path, uid=os.geteuid(), log=lambda event, **_: log.append(event)
            )
        )

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while desk.standing(config) is None:
        assert thread.is_alive()
    ada, eva = words(out, "ada", "eva")
    assert desk.give_share(config, ada)["missing"] == 1
    for wrong, rule in (
        (ada, "shares.twice"),
        ("chancery", "shares.word"),
        (_other(), "shares.other-set"),
    ):
        with pytest.raises(CAError) as caught:
            desk.give_share(config, wrong)
        assert caught.value.rule == rule
    assert desk.forget_shares(config)["given"] == []
    assert desk.give_share(config, ada)["taken"] == "ada"
    assert desk.give_share(config, eva)["sealed"] is False
    thread.join(10)
    assert found[0] is not None
    found[0].close()
    assert not path.exists()
    noted = (home / "vault" / record.EVENTS).read_text()
    assert ada.split()[5] not in noted.split('"'), "no word of a share is ever written"
    assert log[-1] == "vault.unsealed"


def _other() -> str:
    _, shares = custody.split(bytes(32), PEOPLE, threshold=2, purpose=CustodyPurpose.VAULT, now=0)
    return shares["ada"]


def test_a_vault_that_opens_by_a_file_waits_for_nobody(config: Path) -> None:
    with pytest.raises(Unavailable, match="key-file") as caught:
        waiting.Gathering(config.parent / "vault", lambda *_, **__: None)
    assert caught.value.rule == "unseal.kind"
