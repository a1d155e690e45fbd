"""Programs that nobody here wrote, run as their users run them."""

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from services.instance import free_port


def openssl(*words: str) -> str:
    """Run openssl and return what it prints; its error text is the failure."""
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {' '.join(words)}: {done.stderr}"
    return done.stdout


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


def handshake(key: Path, chain: Path, root: Path) -> None:
    """Serve with *chain* by openssl s_server; let s_client and curl judge it against *root*."""
    port = free_port()
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain, "-cert_chain", chain,
         "-key", key, "-www", "-quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: _listening(port), seconds=10, what="openssl s_server")
        client = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", root,
             "-verify_hostname", "localhost", "-verify_return_error", "-brief"],
            input="", capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        assert "Verification: OK" in client.stderr, client.stderr
        subprocess.run(
            ["curl", "-sSf", "--cacert", root, "-o", "/dev/null", f"https://localhost:{port}/"],
            check=True, timeout=20,
        )  # fmt: skip
    finally:
        server.kill()
        server.wait()


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
