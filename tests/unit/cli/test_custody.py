"""Custodians and bundles on the command line: what each command asks, and what it never takes."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from chancery.adapters import qr
from chancery.cli import bundle
from chancery.cli.conversation import Terminal
from chancery.domain.custody import Custodian, CustodyPurpose
from chancery.domain.errors import BadRequest
from chancery.wire import custody

PAGE = {"items": [], "next": None}
CASES: list[tuple[str, str, str, Any]] = [
    ("custodian list", "GET", "/custody/custodians", None),
    ("custodian sets", "GET", "/custody/sets", None),
    ("custodian server-seal", "GET", "/custody/seal", None),
    (
        "custodian put ada --full-name Ada --recipient age1x",
        "PUT",
        "/custody/custodians/ada",
        {"full_name": "Ada", "recipient": "age1x"},
    ),
    ("custodian retire ada", "POST", "/custody/custodians/ada/retire", None),
    ("custodian record {set}", "POST", "/custody/sets", {"document": "{}"}),
    ("bundle list", "GET", "/custody/bundles", None),
    ("bundle show 1", "GET", "/custody/bundles/1", None),
    ("bundle withdraw 1", "DELETE", "/custody/bundles/1", None),
    ("bundle import {set}", "POST", "/custody/bundles/import", {"answer": "{}"}),
    (
        "bundle import {set} --key {set}",
        "POST",
        "/custody/bundles/import",
        {"answer": "{}", "key": "{}"},
    ),
    ("bundle fetch 1", "GET", "/custody/bundles/1/file", None),
    (
        "bundle export --ca a --crl b --revoke b:0x00AB --revoke c:1:superseded",
        "POST",
        "/custody/bundles",
        {
            "authorities": ["a"],
            "crls": [
                {"authority": "b", "revoke": [["ab", "unspecified"]]},
                {"authority": "c", "revoke": [["1", "superseded"]]},
            ],
        },
    ),
]


@pytest.mark.parametrize(("argv", "method", "path", "body"), CASES, ids=[c[0] for c in CASES])
def test_asks_for(
    argv: str, method: str, path: str, body: Any, server: Any, run: Any, tmp_path: Path
) -> None:
    given = tmp_path / "set.json"
    given.write_text("{}")
    server.on("GET", "/custody/bundles/1/file", b"bundle")
    server.on(method, path, b"bundle" if path.endswith("/file") else {"id": "1"} | PAGE)
    finished = run(*(word.format(set=given) for word in argv.split()))
    assert finished.code == 0, finished
    asked = server.seen[0]
    assert (asked.method, asked.path) == (method, f"/api/v1{path}")
    assert (asked.json if asked.body else None) == body


def test_a_revocation_names_its_ca(run: Any, server: Any) -> None:
    assert run("bundle", "export", "--revoke", "1234").code == 2


def test_images_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytes(range(256)) * 20
    (tmp_path / "b.json").write_bytes(data)
    bundle.qr(tmp_path / "b.json", out=tmp_path / "images", as_json=True)
    parts = qr.parts(data)
    assert len(json.loads(capsys.readouterr().out)["images"]) == len(parts)
    (tmp_path / "t.txt").write_text("\n".join(parts))
    bundle.scan(tmp_path / "t.txt", to=tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


SET, WORDS = custody.split(
    bytes(32),
    [Custodian("ada"), Custodian("eva"), Custodian("mary")],
    threshold=2,
    purpose=CustodyPurpose.VAULT,
    now=1,
)


def test_shares_are_judged_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong one is asked for again; the words of none are shown."""
    paper = tmp_path / "eva.share.txt"
    paper.write_text(custody.paper(WORDS["eva"], "eva", SET))
    _answers(monkeypatch, WORDS["ada"], WORDS["ada"], f"@{paper}")
    assert Terminal().shares(SET) == [WORDS["ada"], WORDS["eva"]]
    told = capsys.readouterr().err
    assert "Not taken: ada has given a share already" in told
    assert "Taken: share 2, eva." in told
    assert WORDS["ada"].split()[5] + " " + WORDS["ada"].split()[6] not in told


def test_an_encrypted_share_is_opened_by_its_custodian(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sealed = tmp_path / "ada.share.age"
    sealed.write_text("-----BEGIN AGE ENCRYPTED FILE-----\n")
    _answers(monkeypatch, f"@{sealed}")
    with pytest.raises(BadRequest, match="encrypted to its custodian"):
        Terminal().share("Your share")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch)
    with pytest.raises(BadRequest, match="nobody answered"):
        Terminal().ask("Who is there")


def _answers(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
