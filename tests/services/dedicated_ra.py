"""A dedicated registration authority for tests: enrolled and served as its operators would."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.instance import CHANCERY, Instance, clean_environment, free_port
from services.rest import Rest


@dataclass
class DedicatedRa(Instance):
    """Beside *centre*; driven like an instance, at its own address."""

    centre: Instance = field(kw_only=True)

    @classmethod
    def enrolled(cls, centre: Instance, directory: Path, *, ra: str) -> "DedicatedRa":
        """Ask, have two officers approve, bind, and tell the centre's settings; it must restart."""
        ports = {"http": free_port(), "https": free_port()}
        words = (
            *("ra", "enrol", str(directory), "--ra", ra, "--via", "main", "--host", "127.0.0.1"),
            *("--http-port", str(ports["http"]), "--https-port", str(ports["https"])),
        )
        first = centre.json(*words)
        assert not first["ready"]
        assert len(first["to_do"]) == 2
        state = json.loads((directory / "enrolment.json").read_text())
        for asked in state.values():
            for officer in ("officer1", "officer2"):
                done = Rest(centre, officer)("POST", f"/requests/{asked['id']}/approve")
                assert done.status == 200, done.body
        last = centre.json(*words, user="admin")
        assert last["ready"], last
        toml = directory / "ra.toml"
        toml.write_text(toml.read_text().replace('"0.0.0.0"', '"127.0.0.1"'))
        with (centre.directory / "chancery.toml").open("a") as settings:
            settings.write("\n" + last["centre_settings"] + "\n")
        facts = centre.facts | {
            "http": f"http://127.0.0.1:{ports['http']}",
            "https": f"https://127.0.0.1:{ports['https']}",
        }
        log = directory.parent / f"{directory.name}.log"
        return cls(directory, facts, log=log, centre=centre)

    def launch(self) -> None:
        with self.log.open("ab") as log:
            command = [CHANCERY, "serve", "--role", "ra", "--config", "ra.toml"]
            self.process = subprocess.Popen(
                command, cwd=self.directory, stdout=log, stderr=log, env=clean_environment()
            )

    def readiness(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.facts["http"] + "/readyz", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def ready(self) -> bool:
        try:
            return self.readiness()["status"] == "ready"
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """(status, text, header fields) of a page."""
        context = ssl.create_default_context(cafile=self.facts["ca_bundle"])
        request = urllib.request.Request(
            self.facts["https"] + path, headers={"accept": "text/html", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)
