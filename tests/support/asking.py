"""A client for an ASGI application, without sockets."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()  # each Set-Cookie field

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        """A whole RFC 9457 document that agrees with its status."""
        if self.headers.get("content-type") != "application/problem+json":
            return False
        document = self.json
        return {"type", "title", "status", "detail"} <= set(document) and document[
            "status"
        ] == self.status


class Asker:
    """Sends requests to *app*; *headers* go with each."""

    def __init__(self, app: Any, *, scheme: str = "https", **headers: str) -> None:
        self._app = app
        self._scheme = scheme
        self._headers = headers

    def as_bearer(self, token: str) -> "Asker":
        return Asker(
            self._app, scheme=self._scheme, **self._headers | {"authorization": f"Bearer {token}"}
        )

    def as_basic(self, name: str, password: str) -> "Asker":
        credential = base64.b64encode(f"{name}:{password}".encode()).decode()
        return Asker(
            self._app,
            scheme=self._scheme,
            **self._headers | {"authorization": f"Basic {credential}"},
        )

    def get(self, path: str, **more: Any) -> Answer:
        return self("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self("POST", path, body, **more)

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return asyncio.run(self.ask(method, path, body, **more))

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        chain: tuple[str, ...] = (),
        pieces: int = 1,
    ) -> Answer:
        """Send one request; *body* is bytes, or anything that becomes JSON."""
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        fields = {"host": "ca.example.org", **self._headers}
        if body is not None:
            fields |= {"content-type": "application/json", "content-length": str(len(data))}
        fields |= headers or {}
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": self._scheme,
            "path": unquote(raw_path),
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in fields.items()
            ],
            "client": ("192.0.2.7", 50_000),
            "server": ("127.0.0.1", 443),
            "state": {},
        }
        if chain:
            scope["extensions"] = {"tls": {"client_cert_chain": list(chain)}}
        size = max(1, -(-len(data) // pieces))
        parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        messages = [
            {"type": "http.request", "body": part, "more_body": number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await asyncio.wait_for(self._app(scope, receive, send), 30)
        answered = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in sent[0]["headers"]
        }
        cookies = tuple(v.decode() for k, v in sent[0]["headers"] if k.lower() == b"set-cookie")
        body = b"".join(m.get("body", b"") for m in sent[1:])
        return Answer(sent[0]["status"], answered, body, cookies)
