"""Scripts of ceremonies: what they may say, and the hash that people confirm."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.ceremony import running
from chancery.ceremony import script as scripts
from chancery.domain.errors import BadRequest, CAError, Conflict, TooLarge

HEAD = 'name = "x"\nwitnesses = ["Ada"]\nstore = "x.store"\n'
ROOT = '[[step]]\ndo = "root"\nname = "root"\nsubject = "CN=R"\n'
NEW = '[new_store]\nthreshold = 2\ncustodians = [{name = "ada"}, {name = "grace"}]\n'


def test_a_script_is_read() -> None:
    found = scripts.parse(HEAD + NEW + ROOT)
    assert isinstance(found.step[0], scripts.Root)
    assert (found.step[0].years, found.out) == (20, "out")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "ceremony.script"),
        ("name = ", "ceremony.script"),
        (HEAD + ROOT + 'colour = "red"\n', "ceremony.script"),
        (HEAD + ROOT.replace('"root"\nname', '"dance"\nname'), "ceremony.script"),
        (HEAD.replace('"x"', '"X Y"') + ROOT, "ceremony.name"),
        (HEAD.replace('["Ada"]', "[]") + ROOT, "ceremony.witnesses"),
        (HEAD.replace('["Ada"]', '["Ada", " ada "]') + ROOT, "ceremony.witnesses"),
        (HEAD + "step = []\n", "ceremony.steps"),
        (HEAD + '[new_store]\n' + ROOT, "ceremony.new_store"),
        (HEAD + NEW.replace("= 2", "= 3") + ROOT, "shares.numbers"),
        (HEAD + NEW.replace("grace", "ada") + ROOT, "custody.one-share"),
        (HEAD + ROOT + ROOT, "ceremony.out"),
        (HEAD + '[[step]]\ndo = "crl"\nissuer = "r"\nout = "../x"\n', "ceremony.out"),
        (HEAD + '[[step]]\ndo = "intermediate"\nissuer = "r"\nout = "x"\n', "ceremony.csr"),
        (
            HEAD + '[[step]]\ndo = "crl"\nissuer = "r"\nout = "x"\nrevoke = '
            '[{serial = "1", reason = "bored"}]\n',
            "revocation.reason",
        ),
    ],
)  # fmt: skip
def test_a_script_that_cannot_be(text: str, rule: str) -> None:
    with pytest.raises((BadRequest, Conflict)) as caught:
        scripts.parse(text)
    assert caught.value.rule == rule


@given(st.text(max_size=200))
def test_never_fails_in_an_unplanned_way(text: str) -> None:
    with pytest.raises(CAError):
        scripts.parse(text)


def test_the_hash_covers_the_script_and_what_it_reads(tmp_path: Path) -> None:
    step = '[[step]]\ndo = "intermediate"\nissuer = "r"\ncsr = "a.csr"\nout = "x"\n'
    (tmp_path / "s.toml").write_text(HEAD + step)
    (tmp_path / "a.csr").write_bytes(b"one")
    first = scripts.load(tmp_path / "s.toml").sha256
    assert scripts.load(tmp_path / "s.toml").sha256 == first
    (tmp_path / "a.csr").write_bytes(b"two")
    second = scripts.load(tmp_path / "s.toml").sha256
    (tmp_path / "s.toml").write_text(HEAD + step + "# remark\n")
    assert len({first, second, scripts.load(tmp_path / "s.toml").sha256}) == 3


def test_what_it_reads_must_be_there_small_and_no_key(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        HEAD + '[[step]]\ndo = "intermediate"\nissuer = "r"\ncsr = "a.csr"\nout = "x"\n'
    )
    with pytest.raises(BadRequest, match=r"cannot read .*a\.csr"):
        scripts.load(tmp_path / "s.toml")
    (tmp_path / "a.csr").write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(BadRequest, match="private key"):
        scripts.load(tmp_path / "s.toml")
    (tmp_path / "a.csr").write_bytes(bytes(70_000))
    with pytest.raises(TooLarge):
        scripts.load(tmp_path / "s.toml")


def test_the_plan_says_everything(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(HEAD + NEW + ROOT)
    plan = scripts.load(tmp_path / "s.toml")
    told = "\n".join(running.told(plan))
    for part in ("Ada", "2 of ada, grace", "subject = CN=R", running.grouped(plan.sha256)):
        assert part in told
