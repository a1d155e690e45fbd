"""Do lego and certbot get their certificates, renew and revoke them?"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from services.challtestsrv import Resolver, resolver
from services.instance import Instance, clean_environment, free_port

pytestmark = pytest.mark.interop

CERTBOT = str(Path(sys.executable).with_name("certbot"))


@dataclass(frozen=True)
class World:
    """One instance whose door for ACME asks our resolver, and goes to ports of ours."""

    instance: Instance
    dns: Resolver
    http_port: int
    tls_port: int
    directory: str
    home: Path

    def key(self, *options: str) -> tuple[str, str]:
        made = self.instance.json("acme", "eab", "create", "--ra", "main", *options, user="admin")
        return made["kid"], made["hmac_key"]

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.instance.json("acme", "order", "list", user="admin")
        return found

    def run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            command,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("acme")
    instance, web, tls = Instance.create(home / "instance"), free_port(), free_port()
    with resolver() as dns, instance.serving():
        profile = instance.json("profile", "show", "tls-server", user="admin")["profile"]
        rules = [rule | {"wildcards": rule["kind"] == "dns"} for rule in profile["san"]]
        rules = [
            rule | {"suffixes": [".test"]} if rule["kind"] == "dns" else rule for rule in rules
        ]
        path = home / "profile.json"
        path.write_text(json.dumps(profile | {"san": rules}))
        assert instance.run("profile", "put", str(path), user="admin").returncode == 0
        settings = {
            "resolvers": [dns.address],
            "networks": ["127.0.0.0/8"],
            "http_port": web,
            "tls_port": tls,
        }
        words = [
            part
            for name, one in settings.items()
            for part in ("--setting", f"{name}={json.dumps(one)}")
        ]
        done = instance.run("door", "set", "acme", "main", *words, user="admin")
        assert done.returncode == 0, done.stderr
        directory = f"{instance.facts['https']}/acme/{instance.facts['acme_label']}/directory"
        yield World(instance, dns, web, tls, directory, home)


@dataclass(frozen=True)
class Lego:
    """One lego account: with *external* it says its key on every command, as lego wants."""

    world: World
    name: str
    external: tuple[str, str]

    def __call__(self, *words: str, host: str, how: tuple[str, ...], **environment: str) -> str:
        kid, secret = self.external
        return self.world.run(
            "lego", "--server", self.world.directory, "--email", "a@example.org", "--accept-tos",
            "--path", str(self.world.home / self.name), "--eab", "--kid", kid, "--hmac", secret,
            "--domains", host, *how, *words,
            LEGO_CA_CERTIFICATES=self.world.instance.facts["ca_bundle"], **environment,
        )  # fmt: skip

    def certificate(self, host: str) -> x509.Certificate:
        path = self.world.home / self.name / "certificates" / f"{host.replace('*', '_')}.crt"
        return x509.load_pem_x509_certificates(path.read_bytes())[0]


def test_lego_by_http_renews_and_revokes(world: World) -> None:
    lego = Lego(world, "lego-http", world.key("--subject-suffix", ".lego.test"))
    how = ("--http", "--http.port", f"127.0.0.1:{world.http_port}")
    assert "responded with a certificate" in lego("run", host="a.lego.test", how=how)
    first = lego.certificate("a.lego.test")
    lego("renew", "--days", "9999", "--no-random-sleep", host="a.lego.test", how=how)
    second = lego.certificate("a.lego.test")
    assert second.serial_number != first.serial_number
    assert "was revoked" in lego("revoke", host="a.lego.test", how=how)
    serial = f"{second.serial_number:x}"
    record = world.instance.json("certificate", "show", serial, user="admin")
    assert record["status"] == "revoked"
    kid, secret = lego.external
    stranger = Lego(world, "lego-again", (kid, secret))
    with pytest.raises(AssertionError, match="opened another account"):
        stranger("run", host="a.lego.test", how=how)
    with pytest.raises(AssertionError, match="rejectedIdentifier"):
        lego("run", host="a.other.test", how=how)


def test_lego_by_tls(world: World) -> None:
    lego = Lego(world, "lego-tls", world.key())
    how = ("--key-type", "ec256", "--tls", "--tls.port", f"127.0.0.1:{world.tls_port}")
    assert "tls-alpn-01" in lego("run", host="t.lego.test", how=how)
    assert lego.certificate("t.lego.test").not_valid_after_utc


HOOK = """#!{python}
import json, sys, urllib.request
action, name, value = sys.argv[1:4]
body = {{"host": name}} | ({{"value": value}} if action == "present" else {{}})
where = "{management}/" + ("set-txt" if action == "present" else "clear-txt")
urllib.request.urlopen(where, data=json.dumps(body).encode(), timeout=5)
"""


def test_lego_gets_a_wildcard_by_dns(world: World) -> None:
    hook = world.home / "hook"
    hook.write_text(HOOK.format(python=sys.executable, management=world.dns.management))
    hook.chmod(0o700)
    lego = Lego(world, "lego-dns", world.key())
    how = ("--dns", "exec", "--dns.resolvers", world.dns.address, "--dns.disable-cp")
    lego(
        "run",
        host="*.wild.test",
        how=how,
        EXEC_PATH=str(hook),
        EXEC_POLLING_INTERVAL="1",
        EXEC_PROPAGATION_TIMEOUT="5",
        PATH=os.environ["PATH"],
    )
    names = lego.certificate("*.wild.test").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["*.wild.test"]


def test_certbot_renews_early_where_the_ca_says_so(world: World) -> None:
    places = [
        part
        for kind in ("config", "work", "logs")
        for part in (f"--{kind}-dir", str(world.home / "certbot" / kind))
    ]

    def certbot(*words: str) -> str:
        return world.run(
            CERTBOT,
            *words,
            "--non-interactive",
            *places,
            REQUESTS_CA_BUNDLE=world.instance.facts["ca_bundle"],
        )

    kid, secret = world.key()
    web = ("--http-01-port", str(world.http_port), "--http-01-address", "127.0.0.1")
    certbot(
        "certonly", "--agree-tos", "-m", "a@example.org", "--server", world.directory,
        "--standalone", *web, "-d", "c.certbot.test", "--eab-kid", kid, "--eab-hmac-key", secret,
    )  # fmt: skip
    live = world.home / "certbot" / "config" / "live" / "c.certbot.test" / "cert.pem"
    first = x509.load_pem_x509_certificate(live.read_bytes())
    serial = f"{first.serial_number:x}"
    early = ("acme", "renew-early", "--serial", serial, "--within", "1s")
    assert world.instance.json(*early, user="admin")["serial"] == serial
    renewed = certbot("renew", "--no-random-sleep-on-renew")
    assert "Congratulations" in renewed, renewed
    second = x509.load_pem_x509_certificate(live.read_bytes())
    assert second.serial_number != first.serial_number
    assert [one["status"] for one in world.orders()[:2]] == ["valid", "valid"]
    certbot("revoke", "--cert-name", "c.certbot.test", "--reason", "superseded", "--no-delete-after-revoke", "--server", world.directory)  # fmt: skip
    certbot("unregister", "--server", world.directory)
    accounts = world.instance.json("acme", "account", "list", user="admin")
    assert [one["status"] for one in accounts if one["reference"] == kid] == ["deactivated"]
