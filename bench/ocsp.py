"""OCSP under load: ``make bench-ocsp``.

A real instance with ``--certificates`` on record, wrk as the load generator on
the same cores.  From memory: one worker, beside what nginx serves as a static
file of the same size to the same load.  Signed on demand: requests with
nonces, beside one core that only signs with a P-256 key.
"""

import argparse
import base64
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from services.csr import p256_csr
from services.instance import CHANCERY, Instance, free_port
from services.rest import Rest

KIND = "application/ocsp-request"


def raw_rate(seconds: float = 2.0) -> float:
    """P-256 signatures a second of one core that does nothing else."""
    key, how, data = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256()), bytes(200)
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        for _ in range(100):
            key.sign(data, how)
        count += 100
    return count / spent


class Asker:
    """Makes requests about certificates on record."""

    def __init__(self, instance: Instance) -> None:
        url = f"{instance.facts['http']}/ca/{instance.facts['issuing']}.cer"
        der = subprocess.run(["curl", "-sSf", url], capture_output=True, check=True).stdout
        self.issuer = x509.load_der_x509_certificate(der)
        digest = hashes.Hash(hashes.SHA1())
        digest.update(self.issuer.subject.public_bytes())
        self._name = digest.finalize()
        self._key = x509.SubjectKeyIdentifier.from_public_key(self.issuer.public_key()).digest
        self.path = f"/ocsp/{instance.facts['issuing']}"

    def request(self, serial: str, nonce: bytes | None = None) -> bytes:
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            self._name, self._key, int(serial, 16), hashes.SHA1()
        )
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.build().public_bytes(Encoding.DER)

    def paths(self, requests: list[bytes]) -> list[bytes]:
        return [f"{self.path}/{quote(base64.b64encode(one), safe='')}".encode() for one in requests]


def script(to: Path, rows: list[bytes], post: str | None = None) -> Path:
    """Have wrk send these in turn: paths to get, or bodies to *post* there."""
    listed = to.with_suffix(".rows")
    listed.write_text("".join(f"{row.hex()}\n" for row in rows))
    ask = "wrk.format(nil, nil, nil, row)" if post else 'wrk.format("GET", row)'
    method = f'wrk.method = "POST"\nwrk.path = "{post}"\n' if post else ""
    kind = f'wrk.headers["Content-Type"] = "{KIND}"\n' if post else ""
    to.write_text(
        f"{method}{kind}local ready, turn = {{}}, 0\n"
        "local octet = function(pair) return string.char(tonumber(pair, 16)) end\n"
        f'init = function()\n for line in io.lines("{listed}") do\n'
        f'  local row = line:gsub("..", octet)\n  ready[#ready + 1] = {ask}\n end\nend\n'
        "request = function()\n turn = turn % #ready + 1\n return ready[turn]\nend\n"
    )
    return to


def wrk(url: str, what: Path, connections: int, seconds: int) -> tuple[float, float]:
    """(requests a second, 99th percentile in ms)."""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    words += ["-s", str(what)]
    said = subprocess.run([*words, url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    assert "Socket errors" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


@contextmanager
def nginx(folder: Path, content: bytes) -> Iterator[str]:
    """Debian's nginx with one static file."""
    port = free_port()
    (folder / "www").mkdir()
    (folder / "www" / "answer").write_bytes(content)
    (folder / "nginx.conf").write_text(
        f"user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n"
        f" client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;"
        f" fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n"
        " open_file_cache max=100; default_type application/ocsp-response;\n"
        f" server {{ listen 127.0.0.1:{port}; root {folder}/www; error_page 405 =200 $uri; }} }}\n"
    )
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@contextmanager
def openssl_peer(folder: Path, serials: list[str]) -> Iterator[str]:
    """``openssl ocsp`` as a responder with a small index."""
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=peer"
    subprocess.run(
        [*words.split(), "-keyout", folder / "peer.key", "-out", folder / "peer.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "index.txt").write_text(
        "".join(
            f"V\t351231235959Z\t\t{one.upper().zfill(len(one) + len(one) % 2)}\tunknown\t/CN={one}\n"
            for one in serials
        )
    )
    port = free_port()
    process = subprocess.Popen(
        ["openssl", "ocsp", "-port", str(port), "-index", folder / "index.txt", "-CA",
         folder / "peer.pem", "-rkey", folder / "peer.key", "-rsigner", folder / "peer.pem"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def issuing(instance: Instance) -> Iterator[None]:
    """Somebody asks for certificates meanwhile, one after the other."""
    rest, stop = Rest(instance, "requester"), threading.Event()
    csr = p256_csr("meanwhile.example.org")

    def run() -> None:
        while not stop.is_set():
            rest.submit(csr, ra="bench")
            time.sleep(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def one_by_one(port: int, asked: list[bytes], seconds: float) -> float:
    """Answers a second to one client that connects anew each time: openssl keeps nobody."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        body = asked[count % len(asked)]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            link.sendall(b"POST / HTTP/1.0\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                         % (KIND.encode(), len(body), body))  # fmt: skip
            while link.recv(65_536):
                pass
        count += 1
    return count / spent


def report(what: str, rate: float, p99: float, against: float, name: str) -> None:
    print(
        f"{what:44s}{rate:9.0f}/s  p99 {p99:6.2f} ms   {rate / against:5.2f} of {name}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=int, default=100_000)
    parser.add_argument("--revoked", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        instance = Instance.create(folder / "instance")
        fill = [
            CHANCERY,
            "bench",
            "generate",
            "--config",
            str(instance.directory / "chancery.toml"),
        ]
        fill += ["--certificates", str(options.certificates), "--revoked", str(options.revoked)]
        print(subprocess.run(fill, check=True, capture_output=True, text=True).stdout.strip())
        settings = instance.directory / "chancery.toml"
        whole = settings.read_text()
        settings.write_text(whole.replace("[listen]\n", "[listen]\nworkers = 1\n"))
        link = sqlite3.connect(instance.directory / "data" / "chancery.db")
        serials = [row[0] for row in link.execute(
            "SELECT serial FROM certificate WHERE requester = 'bench' ORDER BY sha256 LIMIT 1000"
        )]  # fmt: skip
        link.close()
        from_memory(instance, folder, serials, options)
        settings.write_text(whole)
        on_demand(instance, folder, serials, options)


def from_memory(
    instance: Instance, folder: Path, serials: list[str], options: argparse.Namespace
) -> None:
    began = time.perf_counter()
    with instance.serving():
        print(f"start to ready{time.perf_counter() - began:39.1f} s")
        asker, url = Asker(instance), instance.facts["http"]
        plain = [asker.request(serial) for serial in serials]
        get = script(folder / "get.lua", asker.paths(plain))
        post = script(folder / "post.lua", plain, asker.path)
        body = subprocess.run(
            ["curl", "-sSf", "--data-binary", "@-", "-H", f"Content-Type: {KIND}", url + asker.path],
            input=plain[0], capture_output=True, check=True,
        ).stdout  # fmt: skip
        with nginx(folder, body) as static:
            for one in (get, post):
                wrk(url, one, options.connections, 2)
            same = script(folder / "static.lua", [b"/answer"] * len(plain))
            baseline, p99 = wrk(static, same, options.connections, options.seconds)
            report(f"nginx, a file of {len(body)} octets, GET", baseline, p99, baseline, "itself")
            rate, p99 = wrk(url, get, options.connections, options.seconds)
            report("from memory, one worker, GET", rate, p99, baseline, "nginx")
            rate, p99 = wrk(url, post, options.connections, options.seconds)
            report("from memory, one worker, POST", rate, p99, baseline, "nginx")


def on_demand(
    instance: Instance, folder: Path, serials: list[str], options: argparse.Namespace
) -> None:
    raw = raw_rate()
    with instance.serving():
        instance.automatic_ra("bench")
        asker, url = Asker(instance), instance.facts["http"]
        fresh = [asker.request(one, os.urandom(32)) for one in serials]
        nonces = script(folder / "nonce.lua", fresh, asker.path)
        wrk(url, nonces, options.connections, 2)
        print(f"{'raw P-256 signatures, one core':44s}{raw:9.0f}/s")
        rate, p99 = wrk(url, nonces, options.connections, options.seconds)
        report("signed on demand (nonce), two workers", rate, p99, raw, "raw")
        half = max(1, options.connections // 8)
        rate, p99 = wrk(url, nonces, half, options.seconds)
        report(f"the same, {half} connections", rate, p99, raw, "raw")
        with issuing(instance):
            rate, p99 = wrk(url, nonces, half, options.seconds)
        report("the same, while certificates are issued", rate, p99, raw, "raw")
    with openssl_peer(folder, serials) as peer:
        asked = [asker.request(one, os.urandom(32)) for one in serials]
        rate = one_by_one(int(peer.rpartition(":")[2]), asked, options.seconds)
        report("openssl ocsp as a responder", rate, 0, raw, "raw")


if __name__ == "__main__":
    main()
