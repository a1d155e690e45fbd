"""The running service asked by others: OpenSSL, GnuTLS, curl, nginx that staples, pkilint."""

import base64
import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from services.foreign import wait_for
from services.instance import CHANCERY, Instance, clean_environment, free_port
from services.rest import Rest

pytestmark = pytest.mark.interop
LINT = str(Path(CHANCERY).with_name("lint_ocsp_response"))


@dataclass
class World:
    """An instance that is served, a certificate and its key on file, and what verifies them."""

    instance: Instance
    folder: Path
    serial: str

    @property
    def url(self) -> str:
        return f"{self.instance.facts['http']}/ocsp"

    def openssl(self, *words: str, url: str | None = None) -> str:
        done = run(
            "openssl", "ocsp", "-issuer", self.file("ca.pem"), "-CAfile", self.file("roots.pem"),
            "-url", url or f"{self.url}/issuing-ca", "-timeout", "5", *words,
        )  # fmt: skip
        assert "Response verify OK" in done
        assert "WARNING" not in done
        return done

    def file(self, name: str) -> str:
        return str(self.folder / name)


def run(*words: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        words, input=data, capture_output=True, check=False, timeout=30, env=clean_environment()
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("ocsp")
    instance = Instance.create(folder / "instance")
    with instance.serving():
        instance.automatic_ra("auto")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", str(folder / "leaf.key"), "-out", str(folder / "leaf.csr"))  # fmt: skip
        reply = Rest(instance, "requester").submit((folder / "leaf.csr").read_text(), ra="auto")
        assert reply.body["state"] == "issued", reply
        done = instance.run(
            "request", "download", str(reply.body["id"]), "-o",
            str(folder / "leaf.pem"), user="requester",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for name in ("issuing-ca", "root-ca"):
            run("curl", "-sSf", f"{instance.facts['http']}/ca/{name}.cer", "-o",
                str(folder / f"{name}.cer"))  # fmt: skip
            run("openssl", "x509", "-inform", "DER", "-in", str(folder / f"{name}.cer"), "-out",
                str(folder / f"{name}.pem"))  # fmt: skip
        (folder / "ca.pem").write_text((folder / "issuing-ca.pem").read_text())
        (folder / "roots.pem").write_text((folder / "root-ca.pem").read_text())
        (folder / "chain.pem").write_text(
            (folder / "leaf.pem").read_text() + (folder / "ca.pem").read_text()
        )
        yield World(instance, folder, reply.body["serial"])
        log = instance.log.read_text()
        assert "Traceback" not in log


@pytest.mark.parametrize("where", ["", "/issuing-ca", "//issuing-ca", "/issuing-ca/"])
def test_openssl_at_every_address(world: World, where: str) -> None:
    said = world.openssl("-cert", world.file("leaf.pem"), url=world.url + where)
    assert f"{world.file('leaf.pem')}: good" in said


@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
def test_openssl_options(world: World, nonce: str, digest: str) -> None:
    words = (nonce, digest, "-cert", world.file("leaf.pem"), "-serial", "0x1001")
    said = world.openssl(*words)
    assert "leaf.pem: good" in said
    assert "0x1001: unknown" in said
    text = world.openssl(nonce, digest, "-cert", world.file("leaf.pem"), "-resp_text")
    assert f"Hash Algorithm: {digest[1:]}" in text


def test_openssl_signs_its_request_and_is_answered(world: World) -> None:
    world.openssl(
        "-cert", world.file("leaf.pem"), "-signer", world.file("leaf.pem"),
        "-signkey", world.file("leaf.key"),
    )  # fmt: skip


def test_gnutls(world: World) -> None:
    done = run(
        "ocsptool", f"--ask={world.url}", "--load-issuer", world.file("ca.pem"), "--load-cert",
        world.file("leaf.pem"), "--load-trust", world.file("ca.pem"), "--nonce",
    )  # fmt: skip
    assert "Certificate Status: good" in done


def request(world: World, *words: str) -> bytes:
    run("openssl", "ocsp", "-issuer", world.file("ca.pem"), "-cert", world.file("leaf.pem"),
        "-reqout", world.file("request.der"), *words)  # fmt: skip
    return (world.folder / "request.der").read_bytes()


def test_a_cache_gets_what_it_needs_by_every_spelling(world: World) -> None:
    text = base64.b64encode(request(world, "-no_nonce")).decode()
    seen = set()
    for path in (quote(text, safe=""), text, text.replace("=", "%3d"), "/" + text):
        said = run("curl", "-sSfi", f"{world.url}/issuing-ca/{path}")
        assert "max-age=300" in said
        etag = said.partition('etag: "')[2].partition('"')[0]
        assert etag
        seen.add(etag)
        address = f"{world.url}/issuing-ca/{path}"
        again = run("curl", "-sSi", "-H", f'If-None-Match: "{etag}"', address)
        assert again.startswith("HTTP/1.1 304") or etag not in again  # another worker's answer
    assert len(seen) <= 2  # each worker signs for itself
    old = run("curl", "-sSi0", f"{world.url}/{quote(text, safe='')}")
    assert "content-length" in old.lower()


@pytest.mark.parametrize("words", [("-no_nonce",), ("-nonce",)])
def test_pkilint_finds_nothing(world: World, words: tuple[str, ...]) -> None:
    data = request(world, *words)
    ask = urllib.request.Request(
        f"{world.url}/issuing-ca", data, {"Content-Type": "application/ocsp-request"}
    )
    with urllib.request.urlopen(ask, timeout=5) as answer:
        (world.folder / "answer.der").write_bytes(answer.read())
    found = subprocess.run(
        [LINT, "lint", "-s", "WARNING", world.file("answer.der")],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


@contextmanager
def nginx(world: World) -> Iterator[int]:
    port, home = free_port(), world.folder / "nginx"
    home.mkdir()
    places = " ".join(
        f"{kind}_temp_path {home}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (home / "nginx.conf").write_text(
        f"daemon off; user root; worker_processes 1; pid {home}/pid; error_log {home}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\n"
        f" server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {world.file('chain.pem')};\n"
        f"  ssl_certificate_key {world.file('leaf.key')}; ssl_stapling on;"
        f" ssl_stapling_verify on; ssl_trusted_certificate {home}/trust.pem;"
        f" ssl_stapling_responder {world.url}/issuing-ca; }} }}\n"
    )
    trust = (world.folder / "ca.pem").read_text() + (world.folder / "roots.pem").read_text()
    (home / "trust.pem").write_text(trust)
    process = subprocess.Popen(["nginx", "-c", str(home / "nginx.conf"), "-p", str(home)])
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def test_nginx_staples_and_openssl_takes_it(world: World) -> None:
    with nginx(world) as port:

        def stapled() -> bool:
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-status", "-CAfile",
                 world.file("roots.pem"), "-servername", "localhost"],
                capture_output=True, text=True, check=False, input="", timeout=10,
            )  # fmt: skip
            return "OCSP Response Status: successful" in done.stdout

        wait_for(stapled, seconds=10, what="nginx to staple")


def test_a_clock_beyond_next_update_is_seen_by_the_client(world: World) -> None:
    """An answer that was kept from yesterday does not pass for today's."""
    data = request(world, "-no_nonce")
    ask = urllib.request.Request(
        f"{world.url}/issuing-ca", data, {"Content-Type": "application/ocsp-request"}
    )
    with urllib.request.urlopen(ask, timeout=5) as answer:
        (world.folder / "kept.der").write_bytes(answer.read())
    words = [
        "openssl", "ocsp", "-respin", world.file("kept.der"), "-issuer", world.file("ca.pem"),
        "-CAfile", world.file("roots.pem"), "-cert", world.file("leaf.pem"), "-no_nonce",
    ]  # fmt: skip
    assert "good" in run(*words)
    late = run("faketime", "-f", "+1d", *words)
    assert "Status times invalid" in late


def test_a_validation_authority_that_knows_a_feed_alone(world: World) -> None:
    """No way in to the CA: a file from it, and keys of its own that the CA appointed."""
    instance, home = world.instance, world.folder / "va"
    config = str(home / "va.toml")
    feed, settings = world.file("feed.db"), str(instance.directory / "chancery.toml")
    run(CHANCERY, "status", "feed", feed, "--config", settings)
    port = free_port()
    run(CHANCERY, "va", "init", str(home), "--database", f"sqlite:///{feed}",
        "--http-port", str(port))  # fmt: skip
    run(CHANCERY, "va", "request", world.file("ca.pem"), "--config", config, "-o",
        world.file("va.csr"))  # fmt: skip
    ra = {
        "name": "va", "profiles": ["ocsp-signer"], "authorities": ["issuing-ca"],
        "approval_group": "officers", "approvals": 1, "anonymous": False,
    }  # fmt: skip
    (world.folder / "va.json").write_text(json.dumps(ra))
    assert instance.run("ra", "put", world.file("va.json"), user="admin").returncode == 0
    csr = world.file("va.csr")
    words = ("request", "submit", csr, "--profile", "ocsp-signer", "--ra", "va")
    asked = instance.json(*words, user="requester")
    done = instance.run("request", "approve", asked["id"], user="officer1")
    assert done.returncode == 0, done.stderr
    got = ("request", "download", asked["id"], "-o", world.file("va.pem"))
    assert instance.run(*got, user="requester").returncode == 0
    run(CHANCERY, "va", "install", world.file("va.pem"), "--config", config)
    with (world.folder / "va.log").open("w") as log:
        process = subprocess.Popen(
            [CHANCERY, "serve", "--role", "va", "--config", config],
            stdout=log, stderr=log, env=clean_environment(),
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/ocsp"
    try:
        wait_for(lambda: answers(port), seconds=15, what="the validation authority")
        assert "leaf.pem: good" in world.openssl("-cert", world.file("leaf.pem"), url=url)
        plain = ("-no_nonce", "-cert", world.file("leaf.pem"))
        for _ in range(6):  # the kernel spreads them over both workers, who keep the answer
            assert "leaf.pem: good" in world.openssl(*plain)
        revoked = ("certificate", "revoke", world.serial, "--reason", "superseded")
        done = instance.run(*revoked, user="officer1")
        assert done.returncode == 0, done.stderr
        for _ in range(6):
            assert "leaf.pem: revoked" in world.openssl(*plain)
        assert "leaf.pem: good" in world.openssl("-cert", world.file("leaf.pem"), url=url)
        renewed(world, home, config)
        run(CHANCERY, "status", "feed", feed, "--config", settings)
        wait_for(
            lambda: "revoked" in world.openssl("-cert", world.file("leaf.pem"), url=url),
            seconds=5, what="the feed to be taken up",
        )  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (world.folder / "va.log").read_text()
    assert Path(feed).stat().st_size < 1_000_000


def renewed(world: World, home: Path, config: str) -> None:
    """Its certificate renews itself, where the CA's people agree."""
    facts = world.instance.facts
    with Path(config).open("a") as settings:
        settings.write(
            f'[renewal]\nurl = "{facts["https"]}"\nca_file = "{facts["ca_bundle"]}"\n'
            f'token_file = "{facts["users"]["requester"]["token_file"]}"\nra = "va"\n'
        )

    def step() -> dict[str, str]:
        said = run(CHANCERY, "va", "renew", "--now", "--config", config, "--json")
        (found,) = json.loads(said)
        return dict(found)

    (file,) = (home / "responders").glob("*.pem")
    former = file.read_bytes()
    assert json.loads(run(CHANCERY, "va", "renew", "--config", config, "--json")) == []
    asked = step()
    assert (asked["state"], step()["state"]) == ("asked", "waits")
    done = world.instance.run("request", "approve", asked["request"], user="officer1")
    assert done.returncode == 0, done.stderr
    assert step() == {"file": file.name, "state": "renewed", "request": asked["request"]}
    assert file.read_bytes() != former
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as found:
            return bool(found.status == 200)
    except OSError:
        return False
