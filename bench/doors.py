"""Enrolment through each door, as a ratio to the REST API of the same run; pebble beside ACME.

Every client is the same few lines: messages made beforehand, sent over kept TLS connections.
ACME takes several signed requests an order, which its clients make on the way; pebble is asked
by the same clients in the same way.
"""

import argparse
import asyncio
import base64
import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
import acme_client as acme
import scep_client
from cmp_door import template

from chancery.adapters.clock import SystemClock
from chancery.protocols.cmp.client import CmpClient, SharedSecret, request
from chancery.protocols.cmp.signing import spki
from chancery.wire import cmp, cmp_bodies, cmp_mac, pem, pkcs7
from services.csr import p256_csr
from services.instance import CHANCERY, Instance, clean_environment, free_port

CONNECTIONS = 32
LABELS = ("CERTIFICATE REQUEST",)


@dataclass
class Door:
    """Where the messages go, and how."""

    path: str
    headers: dict[str, str]
    bodies: Sequence[bytes]

    def requests(self, host: str) -> Iterator[bytes]:
        for body in self.bodies:
            head = f"POST {self.path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            more = "".join(f"{name}: {text}\r\n" for name, text in self.headers.items())
            yield (head + more + "\r\n").encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    size = next(int(x.split(":")[1]) for x in lines if x.lower().startswith("content-length"))
    return int(lines[0].split()[1]), await reader.readexactly(size)


async def _send(url: str, context: ssl.SSLContext, door: Door) -> list[tuple[int, bytes]]:
    parts = urlsplit(url)
    waiting = door.requests(parts.netloc)
    answers: list[tuple[int, bytes]] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        for message in waiting:
            writer.write(message)
            answers.append(await _answer(reader))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return answers


def rate(instance: Instance, door: Door, good: Callable[[int, bytes], bool]) -> float:
    """Certificates a second; every answer must be *good*."""
    context = ssl.create_default_context(cafile=instance.facts["ca_bundle"])
    start = time.perf_counter()
    answers = asyncio.run(_send(instance.facts["https"], context, door))
    spent = time.perf_counter() - start
    bad = [(status, body[:300]) for status, body in answers if not good(status, body)]
    assert not bad, bad[0]
    return len(answers) / spent


def command(instance: Instance, *words: str) -> Any:
    token = instance.facts["users"]["admin"]["token_file"]
    done = subprocess.run(
        [CHANCERY, *words, "--json", "--url", instance.facts["https"], "--ca-bundle",
         instance.facts["ca_bundle"], "--token-file", token],
        capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rest(instance: Instance, hosts: Sequence[str]) -> Door:
    instance.automatic_ra("bench")
    token = Path(instance.facts["users"]["requester"]["token_file"]).read_text().strip()
    bodies = [
        json.dumps({"profile": "tls-server", "ra": "bench", "csr": p256_csr(host)}).encode()
        for host in hosts
    ]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    return Door("/api/v1/requests", headers, bodies)


def est(instance: Instance, hosts: Sequence[str]) -> Door:
    made = credential(instance, "est", "user", uses=len(hosts))
    basic = base64.b64encode(f"{made['reference']}:{made['secret']}".encode()).decode()
    headers = {"Content-Type": "application/pkcs10", "Authorization": f"Basic {basic}"}
    bodies = [base64.b64encode(pem.decode(p256_csr(h).encode(), LABELS, 65_536)[1]) for h in hosts]
    return Door("/.well-known/est/main/simpleenroll", headers, bodies)


def credential(instance: Instance, protocol: str, kind: str, uses: int | None) -> Any:
    """One that names nobody, good for *uses*."""
    token = Path(instance.facts["users"]["admin"]["token_file"]).read_text().strip()
    body = json.dumps({"door": f"{protocol}/main", "kind": kind, "uses": uses}).encode()
    asked = urllib.request.Request(
        instance.facts["https"] + "/api/v1/credentials",
        body,
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cafile=instance.facts["ca_bundle"])
    with urllib.request.urlopen(asked, context=context) as answer:
        return json.load(answer)


def scep(instance: Instance, hosts: Sequence[str]) -> Door:
    command(instance, "door", "set", "scep", "main", "--setting", "shared_challenge=true")
    otp = credential(instance, "scep", "one-time", uses=len(hosts))["secret"]
    key = scep_client.key("ra")
    me = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    ra = _ra_certificate(instance)
    client = scep_client.Client(key, scep_client.self_signed(key, me), ra)
    bodies = []
    for host in hosts:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        csr = scep_client.csr(key, name, challenge=otp, names=[x509.DNSName(host)])
        bodies.append(client.message(19, csr, secrets.token_hex(16)))
    return Door(
        "/scep/main?operation=PKIOperation", {"Content-Type": "application/x-pki-message"}, bodies
    )


def _ra_certificate(instance: Instance) -> bytes:
    """The one that clients encrypt to: not the CA's."""
    url = instance.facts["http"] + "/scep/main?operation=GetCACert"
    with urllib.request.urlopen(url) as got:
        found = [x509.load_der_x509_certificate(one) for one in pkcs7.certificates(got.read())]
    usages = [one.extensions.get_extension_for_class(x509.KeyUsage).value for one in found]
    usable = [one for one, usage in zip(found, usages, strict=True) if usage.key_encipherment]
    return usable[0].public_bytes(Encoding.DER)


class _Caught(Exception):
    pass


def cmp_(instance: Instance, hosts: Sequence[str]) -> Door:
    made = credential(instance, "cmp", "secret", uses=len(hosts))
    caught: list[bytes] = []

    def catch(message: bytes) -> bytes:
        caught.append(message)
        raise _Caught

    who = SharedSecret(
        made["reference"].encode(), made["secret"].encode(), iterations=cmp_mac.MIN_ITERATIONS
    )
    client = CmpClient(catch, who, SystemClock(), secrets.token_bytes)
    for host in hosts:
        key = ec.generate_private_key(ec.SECP256R1())
        wanted = template(f"CN={host}", (f"dns:{host}",), spki(key))
        try:
            client.enrol(cmp.Body.IR, request(key, wanted), implicit=True)
        except _Caught:
            continue
    return Door("/pkix/main", {"Content-Type": "application/pkixcmp"}, caught)


def _cmp_good(status: int, body: bytes) -> bool:
    message = cmp.decode(body)
    if status != 200 or message.kind is not cmp.Body.IP:
        return False
    return cmp_bodies.read_response(message.content).certificate is not None


class Wire(acme.AcmeClient):
    """The tests' client, over a kept TLS connection."""

    def connect(self, address: str, context: ssl.SSLContext, directory: str) -> None:
        host, _, port = address.partition(":")
        self.address = address
        self.http = http.client.HTTPSConnection(host, int(port), context=context)
        self.http.request("GET", directory, headers={"Host": address})
        self.where = json.loads(self.http.getresponse().read())

    def url(self, *path: str) -> str:
        names = {"new-nonce": "newNonce", "new-account": "newAccount", "new-order": "newOrder"}
        return str(self.where[names[path[0]]])

    def fetch(
        self, method: str, url: str, body: bytes = b"", content_type: str = "application/jose+json"
    ) -> acme.Answer:
        path = url.partition(self.address)[2]
        self.http.request(method, path, body, {"Content-Type": content_type, "Host": self.address})
        reply = self.http.getresponse()
        data, headers = reply.read(), {n.lower(): v for n, v in reply.getheaders()}
        self.nonce = headers.get("replay-nonce", "")
        return acme.Answer(reply.status, headers, [], data)

    def certificate(self, host: str) -> bytes:
        """One order from beginning to end."""
        order = self.order(host)
        assert order.status == 201, order.body
        at = order.headers["location"]
        for one in order.json["authorizations"] if order.json["status"] == "pending" else ():
            challenge = next(c for c in self.post(one).json["challenges"] if c["type"] == "http-01")
            self.post(challenge["url"], {})
            self.until(one, "valid")
        self.until(at, "ready")
        done = self.finalize(order, acme.csr(acme.new_key(), host))
        assert done.status == 200, done.body
        return self.post(self.until(at, "valid").json["certificate"]).body

    def until(self, url: str, state: str) -> acme.Answer:
        while (found := self.post(url)).json["status"] != state:
            assert found.json["status"] in ("pending", "processing", "ready"), found.body
            time.sleep(0.005)
        return found


def acme_rate(
    address: str, context: ssl.SSLContext, directory: str, eab: Callable[[], Any], count: int
) -> float:
    """Certificates a second by eight clients."""

    def client() -> Wire:
        made = Wire(lambda _: None, "")  # type: ignore[arg-type, return-value]
        made.connect(address, context, directory)
        found = eab()
        opened = made.register(found.get("reference", ""), found.get("secret", ""))
        assert made.kid, opened.body
        return made

    clients = [client() for _ in range(8)]

    def work(one: Wire) -> None:
        for _ in range(count // len(clients)):
            assert b"BEGIN CERTIFICATE" in one.certificate(f"{secrets.token_hex(8)}.example.org")

    start = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(work, clients))
    return count / (time.perf_counter() - start)


def ours(instance: Instance, count: int) -> float:
    command(instance, "door", "set", "acme", "main", "--setting", 'trusted=[".example.org"]')
    context = ssl.create_default_context(cafile=instance.facts["ca_bundle"])
    address = instance.facts["https"].removeprefix("https://")
    return acme_rate(
        address, context, "/acme/main/directory",
        lambda: credential(instance, "acme", "account", uses=None), count,
    )  # fmt: skip


@contextmanager
def pebble(folder: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Debian's pebble, which believes every name."""
    certificate, key, port = folder / "pebble.pem", folder / "pebble.key", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    settings = {
        "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{free_port()}",
        "certificate": str(certificate), "privateKey": str(key), "httpPort": 1, "tlsPort": 2,
    }  # fmt: skip
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    believing = {
        "PEBBLE_VA_NOSLEEP": "1",
        "PEBBLE_VA_ALWAYS_VALID": "1",
        "PEBBLE_WFE_NONCEREJECT": "0",
    }
    command_ = ["pebble", "-config", str(folder / "pebble.json")]
    with subprocess.Popen(
        command_, env=os.environ | believing, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        context = ssl.create_default_context(cafile=str(certificate))
        time.sleep(1)
        yield f"localhost:{port}", context
        process.terminate()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=1500, help="certificates through each door")
    count = asked.parse_args().count
    with TemporaryDirectory() as name:
        folder = Path(name)
        instance = Instance.create(folder / "instance")
        instance.start()
        try:
            measure(instance, folder, count)
        finally:
            instance.stop()


def measure(instance: Instance, folder: Path, count: int) -> None:
    hosts = [f"d{number}.example.org" for number in range(count)]
    yes: Callable[[int, bytes], bool] = lambda status, _: status in (200, 201)  # noqa: E731
    base = 0.0
    for title, make, good in (
        ("REST", rest, yes), ("EST", est, yes), ("SCEP", scep, yes), ("CMP", cmp_, _cmp_good),
    ):  # fmt: skip
        found = rate(instance, make(instance, hosts), good)
        base = base or found
        print(f"{title:8} {found:8.0f}/s  {found / base:5.2f} of REST", flush=True)
    found = ours(instance, count // 3)
    print(f"{'ACME':8} {found:8.0f}/s  {found / base:5.2f} of REST", flush=True)
    with pebble(folder) as (address, context):
        peer = acme_rate(address, context, "/dir", dict, count // 3)
    print(f"{'pebble':8} {peer:8.0f}/s  ACME is {found / peer:5.2f} of it")


if __name__ == "__main__":
    main()
