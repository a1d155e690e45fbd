"""A browser without scripts, over an ASGI application: cookies, forms, redirects that it shows."""

import html
import re
from typing import Any
from urllib.parse import urlencode

from asking import Answer, Asker

HOST = "ca.example.org"


class Browser:
    """Keeps cookies as a browser does; ``post`` takes the token from the page seen last."""

    def __init__(self, app: Any) -> None:
        self._asker = Asker(app, host=HOST)
        self.cookies: dict[str, str] = {}
        self.seen: Answer | None = None

    def get(self, path: str, **more: Any) -> Answer:
        self.seen = self._send("GET", path, None, **more)
        return self.seen

    def post(self, path: str, fields: Any = None, **more: Any) -> Answer:
        """Send a form as our own page would; *fields*: a dict, or pairs."""
        pairs = list(fields.items() if isinstance(fields, dict) else fields or [])
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": f"https://{HOST}",
            "sec-fetch-site": "same-origin",
        } | more.pop("headers", {})
        body = urlencode([("csrf", self.token), *pairs]).encode()
        self.seen = self._send("POST", path, body, headers=headers, **more)
        return self.seen

    def bare_post(self, path: str, body: bytes, headers: dict[str, str], **more: Any) -> Answer:
        """Send exactly this, and the cookies."""
        return self._send("POST", path, body, headers=headers, **more)

    def sign_in(self, name: str, password: str) -> Answer:
        self.get("/console/sign-in")
        return self.post("/console/sign-in", {"name": name, "password": password})

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf(?:-token)?" (?:value|content)="([^"]*)"', self.page)
        return found[1] if found else ""

    @property
    def page(self) -> str:
        """The text of the page seen last, entities resolved."""
        return html.unescape(self.seen.text) if self.seen else ""

    def _send(self, method: str, path: str, body: bytes | None, **more: Any) -> Answer:
        headers = more.pop("headers", {})
        if self.cookies:
            headers = headers | {"cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        answer = self._asker(method, path, body, headers=headers, **more)
        for line in answer.cookies:
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer
