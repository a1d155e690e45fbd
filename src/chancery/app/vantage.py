"""A vantage point for ACME: looks at names for a CA elsewhere, and knows nothing else."""

import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from chancery.adapters.validation.remote import answer
from chancery.domain.acme_settings import AcmeSettings

_MOST: Final = 4_096  # octets of a request
_PATIENCE_S: Final = 30.0


class _Server(ThreadingHTTPServer):
    """TLS is spoken in the thread of each connection: nobody waits for a slow handshake."""

    daemon_threads = True
    token: str
    settings: AcmeSettings
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_PATIENCE_S)
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Strangers and scanners: nothing that a log should fill up with."""


class _Asked(BaseHTTPRequestHandler):
    timeout = _PATIENCE_S

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)  # serve makes no other
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MOST:
            self.send_error(413)
            return
        authorization = self.headers.get("Authorization", "")
        body = self.rfile.read(int(length))
        status, found = answer(body, authorization, server.token, server.settings)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_: object) -> None:
        """The CA keeps the record."""


class VantageServer:
    """Opened at once, so that the port is known; ``run`` serves until ``stop``."""

    def __init__(
        self, address: tuple[str, int], tls: tuple[Path, Path], token: str, settings: AcmeSettings
    ) -> None:
        """*tls* are certificate and key, PEM; *token* is what the CA shows."""
        self._server = _Server(address, _Asked)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*tls)
        self._server.token, self._server.settings = token, settings
        self._server.context = context

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def run(self) -> None:
        with self._server:
            self._server.serve_forever()

    def stop(self) -> None:
        self._server.shutdown()
