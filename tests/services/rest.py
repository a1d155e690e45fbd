"""The REST API of an instance, as a program with no library of ours would call it."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.instance import Instance


@dataclass(frozen=True)
class Reply:
    """What came back: *body* is the decoded JSON, or the text where it is none."""

    status: int
    body: Any

    @property
    def rule(self) -> str | None:
        """The rule that a problem document names."""
        return self.body.get("rule") if isinstance(self.body, dict) else None


@dataclass(frozen=True)
class Rest:
    """Calls as *user*, or as nobody."""

    instance: Instance
    user: str | None = None
    timeout_s: float = 30

    def __call__(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> Reply:
        """*body*: JSON, or bytes that go out as NDJSON.  Raises OSError if there is no answer."""
        headers = {"Content-Type": "application/json"}
        if isinstance(body, bytes):
            data, headers["Content-Type"] = body, "application/x-ndjson"
        else:
            data = None if body is None else json.dumps(body).encode()
        if token is None and self.user is not None:
            file = self.instance.facts["users"][self.user]["token_file"]
            token = Path(file).read_text().strip()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(
            f"{self.instance.facts['https']}/api/v1{path}",
            data=data,
            headers=headers,
            method=method,
        )
        context = ssl.create_default_context(cafile=self.instance.facts["ca_bundle"])
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s, context=context) as answer:
                return Reply(answer.status, _decoded(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _decoded(error.read()))

    def submit(self, csr: str, *, ra: str, profile: str = "tls-server") -> Reply:
        return self("POST", "/requests", {"profile": profile, "ra": ra, "csr": csr})


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
