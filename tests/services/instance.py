"""A running instance of Chancery for tests: made by quickstart, served, driven like a user would."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHANCERY = str(Path(sys.executable).with_name("chancery"))


def clean_environment() -> dict[str, str]:
    """Ours, without what would bend foreign clients or point ours elsewhere."""
    bent = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    return {k: v for k, v in os.environ.items() if k not in bent and not k.startswith("CHANCERY_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        subprocess.run(command, check=True, capture_output=True, env=clean_environment())
        facts = json.loads((directory / "quickstart.json").read_text())
        return cls(directory, facts, log=directory.parent / f"{directory.name}.log")

    def start(self, *, timeout_s: float = 30) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [CHANCERY, "serve", "--config", str(self.directory / "chancery.toml")],
                stdout=log,
                stderr=log,
                env=clean_environment(),
                start_new_session=True,  # so that the whole family can be killed at once
            )
        self.wait_ready(timeout_s)

    def wait_ready(self, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended: {self.log.read_text()[-4000:]}")
            if self.ready():
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready in {timeout_s} s: {self.log.read_text()[-4000:]}")

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
        """SIGKILL to every process of the instance at once: the power cut of processes."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=30)
            self.process = None

    @contextmanager
    def serving(self) -> Iterator["Instance"]:
        self.start()
        try:
            yield self
        except BaseException:
            self.kill()
            raise
        self.stop()

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
