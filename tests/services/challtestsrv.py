"""Pebble's challenge test server as a resolver whose answers a test chooses."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.instance import free_port


@dataclass(frozen=True)
class Resolver:
    """Every name is 127.0.0.1, unless something else was set."""

    address: str
    management: str

    def set(self, what: str, **body: object) -> None:
        """Post to the management port: ``set-txt``, ``set-a``, ``add-caa``, ``set-servfail``..."""
        data = json.dumps(body).encode()
        urllib.request.urlopen(f"{self.management}/{what}", data=data, timeout=5).close()


@contextmanager
def resolver() -> Iterator[Resolver]:
    dns, management = free_port(), free_port()
    command = [
        "pebble-challtestsrv", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
        "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{management}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        found = Resolver(f"127.0.0.1:{dns}", f"http://127.0.0.1:{management}")
        try:
            for _ in range(200):
                try:
                    found.set("clear-txt", host="probe.")
                    break
                except urllib.error.URLError:
                    time.sleep(0.02)
            yield found
        finally:
            server.terminate()
