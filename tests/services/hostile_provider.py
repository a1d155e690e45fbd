"""An OpenID provider that says whatever a test wants it to say."""

import base64
import hmac
import json
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet

from services.tls_files import Authority


@dataclass
class HostileProvider:
    """*metadata* and *claims* are laid over what an honest one would say; None removes a member."""

    authority: Authority = field(default_factory=lambda: Authority.create("Hostile Root"))
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    token: str | None = None  # instead of one that is signed
    header: dict[str, Any] = field(default_factory=dict)
    status: int = 200  # of the token endpoint
    nonce: str = ""
    keys: list[Key] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = [ECKey.generate_key("P-256", {"kid": "one"})]
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["content-length"])).decode())

            def _answer(self, body: str) -> None:
                status, document = provider.answer(self.path, dict(parse_qsl(body)))
                data = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            files = Path(directory, "server.pem"), Path(directory, "server.key")
            self.authority.server("localhost").write(*files)
            context.load_cert_chain(*files)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        self.requests.append((path, form))
        match path:
            case "/.well-known/openid-configuration":
                return 200, _over(self._honest_metadata(), self.metadata)
            case "/jwks":
                return 200, KeySet(self.keys).as_dict()
            case "/token":
                answer = {"access_token": "opaque", "token_type": "Bearer"}
                return self.status, answer | {"id_token": self.token or self.signed()}
            case "/userinfo":
                return 200, self.userinfo
            case _:
                return 404, {}

    def signed(self, key: Key | None = None, algorithm: str = "ES256") -> str:
        key = key or self.keys[-1]
        header = _over({"alg": algorithm, "kid": key.kid}, self.header)
        return jwt.encode(header, self._claims(), key, algorithms=[algorithm])

    def unsigned(self) -> str:
        """RFC 8725 §2.1: a token without a signature, which says so."""
        return f"{_part({'alg': 'none'})}.{_part(self._claims())}."

    def confused(self) -> str:
        """RFC 8725 §2.1: signed by HMAC, the public key being the secret."""
        text = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(self._claims())}"
        mac = hmac.digest(self.keys[0].as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def _claims(self) -> dict[str, Any]:
        now = int(time.time())
        honest = {
            "iss": self.issuer,
            "aud": "chancery",
            "sub": "mallory",
            "nonce": self.nonce,
            "iat": now,
            "exp": now + 300,
            "preferred_username": "mallory",
            "groups": ["ra-officers"],
        }
        return _over(honest, self.claims)

    def _honest_metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (below | above).items() if value is not None}


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
