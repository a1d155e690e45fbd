"""Commands of backups: what each asks of the server, and what the local ones do with files."""

import json
from pathlib import Path
from typing import Any

import pytest

from chancery.wire import custody, shares
from chancery.wire.backup_source import SourceSecret

KEY = {"id": "K", "kind": "device", "public": "age1", "state": "proposed"}
ORDER = {"id": "O", "every_s": None, "state": "proposed"}
BACKUP = {
    "id": "B",
    "sequence": 3,
    "order_id": "O",
    "state": "done",
    "tables": {"crl": 2, "job": 0},
}
STANDING = {"configured": True, "medium": None, "last": None, "concerns": []}
PAGE: dict[str, Any] = {"items": [], "next": None}

# argv, method, path, query, body, answer
CASES: list[tuple[str, str, str, dict[str, str], Any, Any]] = [
    ("backup create --comment why", "POST", "/backups/orders", {}, {"comment": "why"}, ORDER),
    ("backup create --every 12h", "POST", "/backups/orders", {}, {"every_s": 43_200}, ORDER),
    ("backup approve O", "POST", "/backups/orders/O/approve", {}, None, ORDER),
    ("backup withdraw O", "POST", "/backups/orders/O/withdraw", {}, None, ORDER),
    ("backup orders", "GET", "/backups/orders", {}, None, [ORDER]),
    ("backup list", "GET", "/backups", {"limit": "101"}, None, PAGE),
    ("backup show B", "GET", "/backups/B", {}, None, BACKUP),
    ("backup standing", "GET", "/backups/standing", {}, None, STANDING),
    ("backup drills", "GET", "/backups/drills", {}, None, []),
    ("backup key list", "GET", "/backups/keys", {}, None, [KEY]),
    ("backup key approve K", "POST", "/backups/keys/K/approve", {}, None, KEY),
    ("backup key withdraw K", "POST", "/backups/keys/K/withdraw", {}, None, KEY),
]  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_asks_for(case: Any, as_json: bool, server: Any, run: Any) -> None:
    argv, method, path, query, body, answer = case
    server.on(method, path, answer)
    finished = run(*argv.split(), *(["--json"] if as_json else []))
    assert finished.code == 0, finished
    asked = server.seen[0]
    assert (asked.method, asked.query) == (method, query)
    assert (asked.json if asked.body else None) == body
    if as_json:
        json.loads(finished.out)


def test_a_second_operator_who_is_here_approves_at_once(
    server: Any, run: Any, tmp_path: Path
) -> None:
    token = tmp_path / "second"
    token.write_text("chy_second")
    token.chmod(0o600)
    server.on("POST", "/backups/orders", ORDER)
    server.on("POST", "/backups/orders/O/approve", ORDER | {"state": "approved"})
    server.on("GET", "/backups", {"items": [BACKUP], "next": None})
    finished = run("backup", "create", "--second-token-file", str(token), "--wait")
    assert finished.code == 0, finished
    assert "2 in 1 tables" in finished.out
    first, second, *_ = server.seen
    assert first.headers["authorization"] != second.headers["authorization"] == "Bearer chy_second"


@pytest.mark.parametrize("every", ["1", "d", "1w", "-1d", "x"])
def test_spans_that_are_none(run: Any, every: str) -> None:
    assert run("backup", "create", f"--every={every}").code == 2


def test_a_source_key_is_made_for_custodians_and_registered(
    server: Any, run: Any, alone: Any, tmp_path: Path
) -> None:
    people = ["--custodian", "alice", "--custodian", "bob", "--custodian", "carol"]
    folder = tmp_path / "source"
    finished = alone("backup", "source", "init", str(folder), "--threshold", "2", *people)
    assert finished.code == 0, finished
    letters = sorted(folder.glob("*.txt"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in letters)
    told = json.loads((folder / "source.json").read_text())
    words = [custody.words_of(path.read_text()) for path in letters]
    made = SourceSecret(shares.combine(words[1:])).public()
    assert (told["id"], told["public"]) == (made.id, str(made))
    assert words[0] not in (folder / "source.json").read_text() + finished.out
    assert alone("backup", "source", "init", str(folder), "--threshold", "2", *people).code == 2

    server.on("POST", "/backups/keys", KEY)
    assert run("backup", "source", "register", str(folder / "source.json")).code == 0
    sent = server.seen[0].json
    assert (sent["kind"], sent["threshold"], sent["shares"]) == ("source", 2, 3)


def test_the_life_of_a_device(server: Any, run: Any, alone: Any, tmp_path: Path) -> None:
    for name, text in (("pin", "correct7horse"), ("new", "another9horse")):
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o600)
    usb, pin, new = str(tmp_path / "usb"), str(tmp_path / "pin"), str(tmp_path / "new")
    device = ("backup", "device")

    def does(*words: str) -> Any:
        finished = (run if words[0] == "register" else alone)(*device, *words)
        assert finished.code == 0, finished
        return finished

    assert alone(*device, "show", usb).code == 4
    recovery = str(tmp_path / "recovery")
    does("init", usb, "--label", "USB", "--pin-file", pin, "--recovery-file", recovery,
         "--recovery", "1")  # fmt: skip
    assert alone(*device, "init", usb, "--label", "USB", "--pin-file", pin).code == 6
    does("pin", usb, "--pin-file", pin, "--new-pin-file", new)
    assert alone(*device, "pin", usb, "--pin-file", pin, "--read-only").code == 5
    does("pin", usb, "--pin-file", new, "--read-only")
    does("recover", usb, "--recovery-file", recovery, "--new-pin-file", pin)
    assert (
        alone(*device, "recover", usb, "--recovery-file", recovery, "--new-pin-file", pin).code == 5
    )
    identity = tmp_path / "identity"
    does("show", usb, "--identity-out", str(identity), "--pin-file", pin)
    assert identity.stat().st_mode & 0o077 == 0
    shown = json.loads(does("show", usb, "--log", "--json").out)
    assert (shown["read_only"], shown["recovery_left"]) == (True, 0)
    assert {"made", "refused", "recovered", "recovery-refused"} <= {e["what"] for e in shown["log"]}
    server.on("POST", "/backups/keys", KEY)
    does("register", usb)
    assert server.seen[0].json["public"] == shown["recipient"]


def test_pins_and_shares_are_never_arguments(alone: Any, tmp_path: Path) -> None:
    words = ["backup", "restore", "f.age", str(tmp_path / "new"), "--device", str(tmp_path)]
    assert alone(*words, "--pin", "correct7horse").code == 2
    assert alone(*words, "--share", "word word").code == 2
    assert "no share" in alone(*words).err
