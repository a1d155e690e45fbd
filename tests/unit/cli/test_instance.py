"""Making an instance from the command line, and what it says of secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.app.instance_files import Layout, write_settings


def test_quickstart_tells_everything_but_secrets(tmp_path: Path, alone: Any) -> None:
    directory = tmp_path / "demo"

    made = alone("quickstart", directory, "--https-port", "18444", "--json")

    assert (made.code, made.err) == (0, "")
    facts = json.loads((directory / "quickstart.json").read_text())
    passwords = [user["password"] for user in facts["users"].values()]
    assert passwords
    assert not any(password in made.out for password in passwords)
    assert made.json["https"].endswith(":18444")
    assert made.json["facts_file"] == str(directory / "quickstart.json")
    token_file = Path(made.json["users"]["admin"]["token_file"])
    assert token_file.read_text().strip() not in made.out

    checked = alone("config", "check", "--config", directory / "chancery.toml")
    assert (checked.code, "no findings" in checked.out) == (0, True)

    settings = directory / "chancery.toml"
    settings.write_text(settings.read_text().replace("tls/server.pem", "tls/server.key"))
    swapped = alone("config", "check", "--config", settings)
    assert "a certificate and its key (not the PEM it should be)\n" in swapped.out

    again = alone("quickstart", directory)
    assert (again.code, again.out) == (6, "")


def test_a_configuration_that_is_not_there(tmp_path: Path, alone: Any) -> None:
    finished = alone("config", "check", "--config", tmp_path / "no.toml", "--json")

    assert finished.code == 2
    assert finished.json


def test_database_upgrade(tmp_path: Path, alone: Any) -> None:
    config, url_file = tmp_path / "chancery.toml", tmp_path / "url"
    config.write_text(
        '[listen]\nhttp_port = 1\nhttps_port = 2\nhttp_url = "http://a"\nhttps_url = "https://a"\n'
        '[database]\nurl_file = "url"\n'
        '[signer]\nvault = "v"\njournal = "j"\nsocket = "s"\nunseal_key_file = "u"\n'
        '[tls]\ncertificate = "c"\nkey = "k"\nclient_ca = "b"\n'
        '[audit]\ndirectory = "a"\norigin = "o"\n[publication]\ndirectory = "p"\n'
    )
    argv = ("database", "upgrade", "--config", config)

    missing = alone(*argv)
    assert (missing.code, str(url_file) in missing.err) == (2, True)

    url_file.write_text(f"sqlite:///{tmp_path / 'new.db'}\n")
    for _ in range(2):
        made = alone(*argv)
        assert (made.code, made.out, made.err) == (0, "database: current\n", "")
    open_store(url_file.read_text().strip(), clock=SystemClock()).close()
    assert alone(*argv, "--json").json == {"name": "database", "result": "current"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[tls]", "[tsl]", "tsl: no such setting"),
        ('key = "tls/server.key"', "", "tls.key: must be set"),
        ("http_port = 8080", "http_port = 8443", "listen: http_port and https_port must differ"),
        ("[listen]", "[listen]\nhost_name = 1", "listen.host_name: no such setting"),
    ],
)
def test_a_wrong_setting(before: str, after: str, said: str, tmp_path: Path, alone: Any) -> None:
    config = tmp_path / "chancery.toml"
    write_settings(Layout(tmp_path), 8080, 8443, passphrase=False)
    text = config.read_text()
    assert before in text
    config.write_text(text.replace(before, after, 1))

    finished = alone("config", "check", "--config", config)

    assert finished.code == 2
    assert f"{config}: {said}\n" in finished.out


def test_quickstart_by_passphrase(tmp_path: Path, alone: Any) -> None:
    short = tmp_path / "short"
    short.write_text("too short\n")

    for path in (short, tmp_path / "nowhere"):
        finished = alone("quickstart", tmp_path / "a", "--passphrase-file", path)
        assert (finished.code, (tmp_path / "a").exists()) == (2, False), finished
        assert str(path) in finished.err


def test_quickstart_without_its_database(tmp_path: Path, alone: Any) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:9/none"

    finished = alone("quickstart", tmp_path / "a", "--database", url)

    assert finished.code == 7
    assert "(--database, storage.unavailable) — is it running" in finished.err


def test_ceremony(tmp_path: Path, alone: Any) -> None:
    root, secret = tmp_path / "root", tmp_path / "passphrase"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    ann = ("--operator", "ann", "--passphrase-file", secret)
    argv = (*ann, "--operator", "bob")

    made = alone("ceremony", "init-root", root, "--subject", "CN=Root", *argv)
    assert (made.code, made.err) == (0, "")
    assert "subject: CN=Root\n" in made.out
    assert "(in 20 years)\n" in made.out

    listed = alone("ceremony", "crl", root, "-o", tmp_path / "root.crl", *argv, "--json")
    assert listed.json["entries"] == 0
    again = alone("ceremony", "crl", root, "-o", tmp_path / "root.crl", *argv)
    assert again.code == 6  # the file is there

    sign = ("ceremony", "sign-subordinate", root, "-o", tmp_path / "a.pem")
    nothing = alone(*sign, "--csr", tmp_path / "no.csr", *argv)
    assert (nothing.code, "cannot read" in nothing.err) == (2, True)

    (tmp_path / "ca.csr").write_bytes(ca_request())
    one_short = alone(*sign, "--csr", tmp_path / "ca.csr", *ann)
    assert (one_short.code, "1 of 2 approvers (--operator" in one_short.err) == (5, True)

    secret.write_text("another passphrase altogether\n")
    wrong = alone(*sign, "--csr", tmp_path / "ca.csr", *argv)
    assert wrong.code == 2
    assert "the signer did not start: " in wrong.err
    assert "{" not in wrong.err

    secret.chmod(0o644)
    for_all = alone("ceremony", "init-root", tmp_path / "b", "--subject", "CN=B", *argv)
    assert (for_all.code, "chmod" in for_all.err) == (2, True)
    assert not (tmp_path / "b").exists()


def ca_request() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Below")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA384())
        .public_bytes(serialization.Encoding.DER)
    )
