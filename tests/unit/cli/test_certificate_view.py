"""Certificates and authorities as people see them: what one looks for, and no PEM."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

WAITS_FOR_CA = "fetch the CSR with `ca csr root`"


@pytest.fixture
def pem(tls: Path) -> str:
    text = tls.read_text()
    end = "-----END CERTIFICATE-----\n"
    return text[: text.index(end) + len(end)]


def fingerprint(pem: str) -> str:
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()


def authority(pem: str | None, **more: Any) -> dict[str, Any]:
    return {
        "name": "root",
        "state": "active",
        "subject": "CN=Root",
        "certificate": pem,
        "chain": [pem] if pem else [],
        "created_at": 1_777_636_800,
    } | more


def test_ca_show(pem: str, server: Any, run: Any) -> None:
    server.on("GET", "/authorities/root", authority(pem))

    finished = run("ca", "show", "root")

    assert "BEGIN" not in finished.out
    serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
    for text in (
        "name: root\n",
        "subject: CN=Root\n",
        f"  serial: {serial:x}\n",
        "  issuer: CN=127.0.0.1\n",
        "  path length: unlimited\n",
        f"  sha256: {fingerprint(pem)}\n",
        " minutes ago)\n",
        "(in 23 hours)\n",
    ):
        assert text in finished.out
    assert run("ca", "show", "root", "--json").json["certificate"] == pem


@pytest.mark.parametrize("text", [None, "-----BEGIN CERTIFICATE-----\nAAAA\n", "\ud800", ""])
def test_ca_show_without_a_certificate_it_can_read(text: Any, server: Any, run: Any) -> None:
    server.on("GET", "/authorities/root", authority(text))

    finished = run("ca", "show", "root")

    assert (finished.code, "BEGIN" in finished.out) == (0, False)
    assert "state: active" in finished.out


def test_certificate_show(pem: str, server: Any, run: Any) -> None:
    found = {"id": "7", "authority": "issuing", "serial": "ab", "subject": "CN=www"}
    found |= {"names": ["dns:www.example.org"], "status": "valid", "not_after": 1_777_636_800}
    server.on("GET", "/certificates/ab", found | {"sha256": "cd" * 32, "certificate": pem})

    finished = run("certificate", "show", "ab")

    assert "BEGIN" not in finished.out
    assert finished.out.startswith(
        "serial: ab\nstatus: valid\nsubject: CN=www\nnames: dns:www.example.org\n"
        "issuer: CN=127.0.0.1\nauthority: issuing\nnot after: 2026-05-01T12:00:00Z ("
    )
    assert f"sha256: {'cd' * 32}\n" in finished.out


def test_renew_shows_the_new_certificate(pem: str, server: Any, run: Any) -> None:
    server.on("POST", "/authorities/root/renew", authority(pem))
    server.on("GET", "/pending-certificates", [])

    finished = run("ca", "renew", "root")

    assert (finished.code, finished.err) == (0, "")
    assert f"  sha256: {fingerprint(pem)}\n" in finished.out


@pytest.mark.parametrize(
    ("pending", "csr_waiting", "note"),
    [
        ([], True, WAITS_FOR_CA),
        ([{"id": "P", "authority": "root"}], False, "`ca pending` shows P"),
        ([{"id": "P", "authority": "other"}], True, WAITS_FOR_CA),
    ],
)
def test_renew_says_what_it_waits_for(
    pending: Any, csr_waiting: bool, note: str, pem: str, server: Any, run: Any
) -> None:
    server.on("POST", "/authorities/root/renew", authority(pem, csr_waiting=csr_waiting))
    server.on("GET", "/pending-certificates", pending)

    assert note in run("ca", "renew", "root").err
    assert run("ca", "renew", "root", "--json").err == ""


def test_cross_sign_prints_the_certificate_once(
    pem: str, server: Any, run: Any, tmp_path: Path
) -> None:
    answer = {"state": "issued", "serial": "ab", "certificate": pem}
    server.on("POST", "/authorities/root/cross-sign", answer)
    (tmp_path / "other.pem").write_text(pem)
    argv = ("ca", "cross-sign", "root", tmp_path / "other.pem")

    printed = run(*argv)
    assert printed.out.endswith(pem)
    assert f"sha256: {fingerprint(pem)}\n" in printed.out

    kept = run(*argv, "-o", tmp_path / "cross.pem")
    assert (tmp_path / "cross.pem").read_text() == pem
    assert "BEGIN" not in kept.out
    assert f"file: {tmp_path / 'cross.pem'}\n" in kept.out


@pytest.mark.parametrize(
    ("argv", "field"),
    [
        ("", "CERTIFICATE"),
        ("{pem}", "--key"),
        ("{pem} --pkcs12 {pem}", "CERTIFICATE"),
        ("{pem} --key {pem} --offline", "--offline"),
        ("--pkcs12 {pem} --passphrase-file {pem} --offline", "--offline"),
        ("--pkcs12 {pem} --passphrase-file {pem} --key {pem}", "--key"),
        ("{pem} --key {pem} --passphrase-file {pem}", "--passphrase-file"),
    ],
)
def test_import_refuses_what_contradicts_itself(
    argv: str, field: str, pem: str, server: Any, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.pem").write_text(pem)
    words = argv.format(pem=tmp_path / "a.pem").split()

    finished = run("ca", "import", "old", *words, "--container", "c")

    assert (finished.code, server.seen) == (2, [])
    assert f"({field}, usage)" in finished.err


def test_import_sends_the_key_it_is_given(
    pem: str, tls: Path, server: Any, run: Any, tmp_path: Path
) -> None:
    server.on("POST", "/authorities/import", authority(pem))
    (tmp_path / "a.pem").write_text(pem)

    finished = run("ca", "import", "old", tmp_path / "a.pem", "--key", tls, "--container", "c")

    assert finished.code == 0
    assert "PRIVATE KEY" in server.last.json["key"]
