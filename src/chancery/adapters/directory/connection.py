"""One TLS connection to one LDAP server: a bind, a few searches, and gone.

Every wait has the same deadline.  Nothing but StartTLS itself ever travels in
clear.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from chancery.adapters.directory.plan import Server
from chancery.domain.errors import BadRequest
from chancery.wire import ldap
from chancery.wire.ldap import Answer, Code, Entry, Message, Scope

Resolve = Callable[..., list[Any]]
"""As ``socket.getaddrinfo`` does."""

_CHUNK: Final = 64 * 1024
_REFUSED: Final = frozenset(
    {
        Code.INVALID_CREDENTIALS,
        Code.CONSTRAINT_VIOLATION,  # locked by the directory's own count
        Code.NO_SUCH_OBJECT,
        Code.INVALID_DN,
        Code.INAPPROPRIATE_AUTHENTICATION,
        Code.INSUFFICIENT_ACCESS,
        Code.UNWILLING,
    }
)
"""Answers to a bind that are about who binds, not about the server."""


class Away(Exception):
    """This server did not serve: why, for the operator."""


class TooMany(Exception):
    """A search found more than it may."""


class Connection:
    """Made by ``connected``.  Not for two threads at once."""

    def __init__(self, server: Server, deadline: float, resolve: Resolve) -> None:
        self._server = server
        self._deadline = deadline
        self._number = 0
        self._buffer = bytearray()
        self._socket = self._dial(resolve)

    def secure(self, context: ssl.SSLContext) -> None:
        """Begin TLS: at once, or by StartTLS (RFC 4511 §4.14)."""
        if not self._server.tls:
            answer = self._ask(ldap.start_tls(self._next()), Answer.EXTENDED)
            if answer.code != Code.SUCCESS:
                raise Away(f"refuses StartTLS: {answer.code} {answer.text}".rstrip())
            if self._buffer:  # somebody on the way put it there, before anything was protected
                raise Away("sent more than its answer to StartTLS")
        try:
            self._socket = context.wrap_socket(
                self._socket, server_hostname=self._server.host, do_handshake_on_connect=False
            )
            self._wait()
            self._socket.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise Away(f"its certificate does not hold: {error.verify_message}") from error

    def bind(self, dn: str, password: str) -> bool:
        """Whether *password* opens *dn*."""
        if not dn or not password:
            raise ValueError("bug: a bind without a name or a password proves nothing")
        answer = self._ask(ldap.bind(self._next(), dn, password), Answer.BIND)
        if answer.code == Code.SUCCESS:
            return True
        if answer.code in _REFUSED:
            return False
        raise Away(f"cannot bind: {answer.code} {answer.text}".rstrip())

    def search(
        self,
        base: str,
        condition: bytes,
        attributes: Sequence[str],
        *,
        limit: int,
    ) -> list[Entry]:
        """Entries below *base*, never more than *limit*; TooMany if there are more."""
        number = self._next()
        self._send(
            ldap.search(
                number,
                base,
                Scope.SUBTREE,
                condition,
                attributes,
                size_limit=limit + 1,
                time_limit_s=max(1, int(self._left())),
            )
        )
        found: list[Entry] = []
        while (answer := self._receive(number)).kind != Answer.DONE:
            if answer.entry is not None:
                found.append(answer.entry)
            elif answer.kind != Answer.REFERENCE:  # another directory's part is not ours to ask
                raise Away(f"answered a search with {answer.kind:#x}")
            if len(found) > limit:
                raise TooMany
        if answer.code == Code.SIZE_LIMIT_EXCEEDED:
            raise TooMany
        if answer.code != Code.SUCCESS:
            raise Away(f"cannot search {base}: {answer.code} {answer.text}".rstrip())
        return found

    def replace(self, dn: str, attribute: str, values: Sequence[bytes]) -> None:
        """Put *values* in the place of those that *attribute* of *dn* has."""
        answer = self._ask(ldap.replace(self._next(), dn, attribute, values), Answer.MODIFY)
        if answer.code != Code.SUCCESS:
            raise Away(f"does not take {attribute}: {answer.code} {answer.text}".rstrip())

    def close(self) -> None:
        try:
            self._socket.settimeout(0.1)
            self._socket.sendall(ldap.unbind(self._next()))
        except OSError:
            pass  # it is over either way
        finally:
            self._socket.close()

    def _dial(self, resolve: Resolve) -> socket.socket:
        """Connect to any address of the server; none may use up the time of the next."""
        server, last = self._server, "no address"
        try:
            rows = resolve(server.host, server.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Away(f"its name does not resolve: {error}") from error
        for position, (family, kind, protocol, _, address) in enumerate(rows):
            dialled = socket.socket(family, kind, protocol)
            try:
                dialled.settimeout(self._left() / (len(rows) - position))
                dialled.connect(address)
                return dialled
            except OSError as error:
                dialled.close()
                last = error.strerror or str(error)
        raise Away(last)

    def _ask(self, request: bytes, kind: Answer) -> Message:
        self._send(request)
        answer = self._receive(self._number)
        if answer.kind != kind:
            raise Away(f"answered with {answer.kind:#x}")
        return answer

    def _send(self, request: bytes) -> None:
        self._wait()
        self._socket.sendall(request)

    def _receive(self, number: int) -> Message:
        while True:
            size = ldap.size_of(self._buffer)
            if size is not None and len(self._buffer) >= size:
                break
            self._wait()
            data = self._socket.recv(_CHUNK)
            if not data:
                raise Away("closed the connection")
            self._buffer += data
        message = ldap.decode(bytes(self._buffer[:size]))
        del self._buffer[:size]
        if message.id != number:  # 0: a notice of disconnection (RFC 4511 §4.4.1)
            raise Away(f"ended it: {message.code} {message.text}".rstrip())
        return message

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Away("took too long")
        return left

    def _wait(self) -> None:
        self._socket.settimeout(self._left())


@contextmanager
def connected(
    server: Server,
    context: ssl.SSLContext,
    timeout_s: float,
    resolve: Resolve = socket.getaddrinfo,
) -> Iterator[Connection]:
    """Yield a connection under TLS; Away for whatever goes wrong with the server."""
    try:
        connection = Connection(server, time.monotonic() + timeout_s, resolve)
        try:
            connection.secure(context)
            yield connection
        finally:
            connection.close()
    except TimeoutError as error:
        raise Away("took too long") from error
    except BadRequest as error:
        raise Away(str(error)) from error
    except ssl.SSLError as error:
        raise Away(f"TLS: {error.reason or error}") from error
    except OSError as error:
        raise Away(error.strerror or str(error)) from error


def tls_context(ca: str) -> ssl.SSLContext:
    """Trust only *ca* (PEM), and only for the server's name; BadRequest if it holds nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca)
    except ssl.SSLError as error:
        raise BadRequest(
            "the CA file of the directory holds no certificate in PEM", field="ca_file"
        ) from error
    return context
