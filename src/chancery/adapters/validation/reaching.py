"""Connections to hosts that a stranger named: to addresses we looked at, and not for long."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from chancery.adapters.validation.failing import Failed

_PATIENCE: Final = 2
"""A whole exchange may take so many times what one step of it may."""


def connect(addresses: Sequence[str], port: int, timeout_s: float) -> socket.socket:
    """To the first that answers; Failed where none does."""
    for address in addresses:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), timeout_s)
    tried = ", ".join(addresses)
    raise Failed("connection", f"nobody answers on port {port} of {tried}")


class Pinned(http.client.HTTPConnection):
    """Speaks HTTP, perhaps within TLS, with addresses that were looked at.

    Whoever resolved the name again in between could be sent elsewhere.
    """

    def __init__(
        self, host: str, port: int, addresses: Sequence[str], timeout_s: float, *, tls: bool
    ) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self.default_port = 443 if tls else 80
        self._addresses = addresses
        self._seconds = timeout_s
        self._tls = tls

    def connect(self) -> None:
        raw = connect(self._addresses, self.port, self._seconds)
        self.sock = (
            trusting_nobody().wrap_socket(raw, server_hostname=self.host) if (self._tls) else raw
        )


def trusting_nobody() -> ssl.SSLContext:
    """TLS with whatever certificate: a name is proved by content, not by the web's CAs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def bounded(connection: http.client.HTTPConnection, timeout_s: float) -> Iterator[None]:
    """Each read may take the time-out; all of them together may not."""
    late = threading.Timer(_PATIENCE * timeout_s, _cut, (connection,))
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
