"""Static files: what is in the tree is what was locked, and it is served for good."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from chancery.web.assets import FOLDER, Assets

ROOT = Path(__file__).parents[3]
VENDORED = [FOLDER / "vendor", ROOT / "tests/browser/vendor"]
SELF_DESCRIPTION = {"SHA256SUMS", "files.json", "package.json", "package-lock.json"}
BY_HAND = {"tabler/LICENSE"}  # the package has none; its text is the MIT licence that it names


@pytest.mark.parametrize("folder", VENDORED, ids=lambda path: path.parent.name)
def test_vendored_files_are_what_was_brought(folder: Path) -> None:
    sums = dict(
        reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there - SELF_DESCRIPTION - BY_HAND == set(sums)


@pytest.mark.parametrize("folder", VENDORED, ids=lambda path: path.parent.name)
def test_versions_are_exact_and_locked(folder: Path) -> None:
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        locked = lock[f"node_modules/{name}"]
        assert (locked["version"], "resolved" in locked) == (version, False)
        assert locked["integrity"].startswith("sha512-")


@pytest.mark.parametrize("folder", VENDORED, ids=lambda path: path.parent.name)
def test_every_part_keeps_its_licence(folder: Path) -> None:
    for part in folder.iterdir():
        if part.is_dir():
            assert (part / "LICENSE").stat().st_size > 300, part


def test_a_file_is_kept_for_good_under_its_digest(house) -> None:  # type: ignore[no-untyped-def]
    url = Assets().url("chancery.css")
    plain = house.stranger.get(url)
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.body == (FOLDER / "chancery.css").read_bytes()
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    squeezed = house.stranger.get(url, headers={"accept-encoding": "br, gzip"})
    assert gzip.decompress(squeezed.body) == plain.body
    assert squeezed.headers["vary"] == "accept-encoding"
    again = house.stranger.get(url, headers={"if-none-match": plain.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_nothing_outside_is_served(house) -> None:  # type: ignore[no-untyped-def]
    for name in ("../pages.py", "%2e%2e/pages.py", "vendor/package.json", "vendor/../../pages.py"):
        assert house.stranger.get(f"/static/x/{name}").status == 404


def test_the_digest_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "vendor/icons").mkdir(parents=True)
    (tmp_path / "vendor/icons/icons.svg").write_text('<symbol id="x"></symbol>')
    before = Assets(tmp_path)
    (tmp_path / "a.js").write_text("1")
    after = Assets(tmp_path)
    assert before.digest != after.digest
    assert after.url("a.js") == f"/static/{after.digest}/a.js"
    with pytest.raises(KeyError):
        after.url("b.js")
    with pytest.raises(KeyError):
        after.icon("y")


def test_our_scripts_are_no_programs_in_strings() -> None:
    for path in FOLDER.glob("*.js"):
        text = path.read_text()
        for word in ("eval(", "new Function", "innerHTML", "document.write", "insertAdjacentHTML"):
            assert word not in text, (path.name, word)
