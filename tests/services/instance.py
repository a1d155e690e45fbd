"""A running instance of Chancery for tests: made by quickstart, served, driven like a user would."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHANCERY = str(Path(sys.executable).with_name("chancery"))


def clean_environment() -> dict[str, str]:
    """Ours, without what would bend foreign clients or point ours elsewhere."""
    bent = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    return {k: v for k, v in os.environ.items() if k not in bent and not k.startswith("CHANCERY_")}


_RANGE = 1_500
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_PORTS = itertools.count(97 * (os.getpid() % 100))


def free_port() -> int:
    """A port that nobody listens on, and that nobody else will be given meanwhile.

    An instance is made seconds before it is served.  So each worker of a run has a
    range of its own, and all lie below 32768, where the kernel's for clients begin.
    """
    for number in _PORTS:
        port = 20_000 + _RANGE * _WORKER + number % _RANGE
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the count has no end")


@dataclass
class Instance:
    """One instance directory; ``serving()`` runs it."""

    directory: Path
    facts: dict[str, Any]
    process: "subprocess.Popen[bytes] | None" = None
    log: Path = field(default=Path("/dev/null"))

    @classmethod
    def create(cls, directory: Path, *, database: str | None = None) -> "Instance":
        command = [
            CHANCERY, "quickstart", str(directory), "--json",
            "--http-port", str(free_port()), "--https-port", str(free_port()),
        ]  # fmt: skip
        if database is not None:
            command += ["--database", database]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=clean_environment()
        )
        assert done.returncode == 0, done.stderr
        facts = json.loads((directory / "quickstart.json").read_text())
        return cls(directory, facts, log=directory.parent / f"{directory.name}.log")

    def start(self, *, timeout_s: float = 30) -> None:
        self.launch()
        self.wait_ready(timeout_s)

    def launch(self) -> None:
        """Start ``chancery serve`` without waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [CHANCERY, "serve", "--config", str(self.directory / "chancery.toml")],
                stdout=log,
                stderr=log,
                env=clean_environment(),
            )

    def wait_ready(self, timeout_s: float = 30) -> None:
        assert self.becomes_ready(timeout_s), f"not ready: {self.log.read_text()[-4000:]}"

    def becomes_ready(self, timeout_s: float = 30) -> bool:
        """Whether it answers before it ends or *timeout_s* is over."""
        assert self.process is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.ready():
                return True
            time.sleep(0.05)
        return False

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.facts["http"] + "/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout=30) == 0, self.log.read_text()[-4000:]
            self.process = None

    def kill(self) -> None:
        """SIGKILL to every process of the instance: the power cut of processes."""
        if self.process is not None:
            family = self.family()
            for pid in family:  # frozen first, so that none sees another die
                _send(pid, signal.SIGSTOP)
            for pid in family:
                _send(pid, signal.SIGKILL)
            self.process.wait(timeout=30)
            for pid in family:
                _wait_gone(pid)
            self.process = None

    def family(self) -> list[int]:
        """Pids of the supervisor and everything below it, parents first."""
        assert self.process is not None
        found = [self.process.pid]
        for pid in found:  # grows while we look
            children = Path(f"/proc/{pid}/task/{pid}/children")
            if children.exists():
                found += [int(child) for child in children.read_text().split()]
        return found

    def child(self, module: str) -> int | None:
        """Pid of one child that runs ``python -m MODULE``; waits while it is being restarted.

        None if ``serve`` itself has ended.
        """
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                return None
            if found := self.children(module):
                return random.choice(found)
            time.sleep(0.02)
        raise AssertionError(f"no {module} among the children")

    def children(self, module: str) -> list[int]:
        """Pids of every child that runs ``python -m MODULE`` now."""
        found = []
        for pid in self.family()[1:]:
            with suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if module.encode() in words:
                    found.append(pid)
        return found

    @contextmanager
    def serving(self) -> Iterator["Instance"]:
        self.start()
        try:
            yield self
        except BaseException:
            self.kill()
            raise
        self.stop()

    def automatic_ra(self, name: str) -> None:
        """Make an RA that issues tls-server certificates to signed-in requesters at once."""
        document = {
            "name": name,
            "profiles": ["tls-server"],
            "authorities": [self.facts["issuing"]],
            "approval_group": "officers",
            "approvals": 0,
            "anonymous": False,
        }
        path = self.directory.parent / f"{name}.json"
        path.write_text(json.dumps(document))
        done = self.run("ra", "put", str(path), user="admin")
        assert done.returncode == 0, done.stderr

    # The command line, as a user of this instance

    def environment(self, user: str | None) -> dict[str, str]:
        environment = clean_environment() | {
            "CHANCERY_URL": self.facts["https"],
            "CHANCERY_CA_BUNDLE": self.facts["ca_bundle"],
        }
        if user is not None:
            environment["CHANCERY_TOKEN_FILE"] = self.facts["users"][user]["token_file"]
        return environment

    def run(self, *words: str, user: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [CHANCERY, *words],
            env=self.environment(user),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def json(self, *words: str, user: str | None = None) -> Any:
        done = self.run(*words, "--json", user=user)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_gone(pid: int) -> None:
    """Until *pid* ran its last: a socket or a lock of a dying process must not outlive it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state in "ZX":
            return
        time.sleep(0.005)
    raise AssertionError(f"process {pid} did not die")
