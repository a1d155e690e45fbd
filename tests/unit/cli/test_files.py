"""Files: whole or not at all, never over another one unasked, secrets for their owner."""

import stat
from pathlib import Path
from typing import Any

import pytest

from chancery.cli import files
from chancery.domain.errors import AlreadyExists, BadRequest, TooLarge

from .conftest import Answer


def test_refuses_to_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write(path, b"one", force=False)
    with pytest.raises(AlreadyExists):
        files.write(path, b"two", force=False)
    assert path.read_bytes() == b"one"

    files.write(path, b"two", force=True)
    assert path.read_bytes() == b"two"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    old = tmp_path / "a"
    old.write_bytes(b"world-readable before")
    old.chmod(0o644)

    files.write(old, b"key", force=True, secret=True)

    assert stat.S_IMODE(old.stat().st_mode) == 0o600


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot write"):
        files.write(tmp_path / "no" / "a", b"x", force=False)


def test_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(11))
    with pytest.raises(TooLarge):
        files.read(path, 10)


def test_an_existing_file_stops_before_the_server_is_asked(
    server: Any, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "root.pem"
    path.write_text("mine")

    finished = run("ca", "export", "root", "-o", path)

    assert finished.code == 6
    assert "--force" in finished.err
    assert (server.seen, path.read_text()) == ([], "mine")


def test_download_to_a_file_and_to_stdout(server: Any, run: Any, tmp_path: Path) -> None:
    der = bytes(range(256))
    server.on("GET", "/authorities/root/export", Answer(der))
    path = tmp_path / "root.cer"

    to_file = run("ca", "export", "root", "--format", "der", "-o", path, "--json")
    assert to_file.json == {"file": str(path), "octets": 256}
    assert path.read_bytes() == der

    server.on("GET", "/authorities/root/csr", Answer(b"PEM\n"))
    assert run("ca", "csr", "root").out == "PEM\n"
    assert run("ca", "csr", "root", "-o", "-").out == "PEM\n"


def test_crl_comes_as_relying_parties_get_it(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("GET", "/crl/issuing.crl", Answer(b"\x30\x00"), prefix="")

    assert run("crl", "download", "--ca", "issuing", "-o", tmp_path / "a.crl").code == 0
    assert "authorization" not in server.last.headers


def test_a_token_goes_to_a_file_of_its_own(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/session/token", {"token": "chy_secret", "id": "7", "expires_at": 9})
    path = tmp_path / "new.token"

    finished = run("token", "create", "-o", path, "--json")

    assert finished.json == {"id": "7", "expires_at": 9, "file": str(path)}
    assert "chy_secret" not in finished.out + finished.err
    assert path.read_text() == "chy_secret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sign_in_with_a_password(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/session/token", {"token": "chy_secret", "id": "7"})
    (tmp_path / "pw").write_text("correct horse\n")

    finished = run(
        "token", "create", "--user", "alice", "--password-file", tmp_path / "pw", "-o", "-"
    )

    assert finished.out == "chy_secret\n"
    assert server.last.headers["authorization"] == "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ=="


def test_pkcs12(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("GET", "/requests/1/download", Answer(b"\x30\x82"))
    (tmp_path / "pw").write_text("correct horse")
    argv = ("request", "download", "1", "--format", "p12", "--passphrase-file", tmp_path / "pw")

    assert run(*argv).code == 2  # it holds a key: not for stdout

    finished = run(*argv, "-o", tmp_path / "a.p12")
    assert finished.code == 0
    assert server.last.headers["x-passphrase"] == "correct horse"
    assert "correct horse" not in finished.out + finished.err
    assert stat.S_IMODE((tmp_path / "a.p12").stat().st_mode) == 0o600


def test_a_secret_that_others_can_read_is_told(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/users/u/password", {"done": True})
    (tmp_path / "pw").write_text("correct horse\n")
    argv = ("user", "password", "u", "--password-file", tmp_path / "pw")

    for mode, told in ((0o644, True), (0o600, False)):
        (tmp_path / "pw").chmod(mode)
        finished = run(*argv)
        assert (finished.code, "chmod 600" in finished.err) == (0, told)


def test_a_secret_is_not_taken_from_a_pipe_unasked(run: Any, server: Any) -> None:
    finished = run("user", "password", "alice")

    assert finished.code == 2
    assert "--password-file" in finished.err
    assert server.seen == []


@pytest.mark.parametrize("content", ["", "\n", "zwölf\n"])
def test_passphrases_that_no_header_can_carry(
    content: str, run: Any, server: Any, tmp_path: Path
) -> None:
    (tmp_path / "pw").write_text(content)
    argv = ("request", "download", "1", "--format", "p12", "-o", tmp_path / "a")

    assert run(*argv, "--passphrase-file", tmp_path / "pw").code == 2
    assert server.seen == []
