"""One HTTP/1.1 connection: uvicorn's, with the client's TLS identity, deadlines and bounds.

What the fast lane (``lane``) can answer never meets uvicorn: the parser sees
whole requests of its own, and none of the lane's.

Subclasses internals of uvicorn 0.54 (pinned exactly): ``tests/contract`` holds
what is relied on here.
"""

import json
from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from chancery.server import tls
from chancery.server.lane import OK, Head, Lane

HEADER_TIMEOUT_S: Final = (
    10.0  # from the connection, or a request's first octet, to its last header
)
BODY_TIMEOUT_S: Final = 120.0  # from there to the end of its body
MAX_CONNECTIONS: Final = 8192  # at once, in one process
MAX_HEADER: Final = 64 * 1024  # octets of request line and header fields

_REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


class Connection(HttpToolsProtocol):
    """Adds to uvicorn: ``scope["extensions"]["tls"]``, read deadlines, a bound on headers.

    A request that arrives in one piece starts no timer.  One that does not has
    until its deadline to be complete, however often it sends a little.
    """

    header_timeout_s = HEADER_TIMEOUT_S
    body_timeout_s = BODY_TIMEOUT_S

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
        *,
        max_connections: int = MAX_CONNECTIONS,
        lane: Lane | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._max_connections = max_connections
        self._tls: dict[object, object] | None = None
        self._deadline: TimerHandle | None = None
        self._deadline_is_for_body = False
        self._in_message = False  # between the first octet of a request and its end
        self._in_body = False
        self._header_octets = 0
        self._lane = lane
        self._waiting: Head | None = None  # of the fast lane: its answer comes later
        self._held = bytearray()  # what came meanwhile
        self._ending = False  # after the answer that is due
        self._quiet_since = 0.0  # the loop's time of the lane's last answer
        self._lull: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._max_connections:
            transport.abort()  # an answer would cost what there is no more of
            return
        if (connection := transport.get_extra_info("ssl_object")) is not None:
            self._tls = tls.extension(connection)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        if self._lull is not None:
            self._lull.cancel()
            self._lull = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._waiting is not None:
            self._held += data
            self.flow.pause_reading()
        elif self._lane is None or not self._between() or not self._quick(self._lane, data):
            self._parsed(data)

    def _between(self) -> bool:
        """Whether no request is being read or answered, and the client takes what it asks for."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self._in_message and not self.flow.write_paused

    def _quick(self, lane: Lane, data: bytes) -> bool:
        """Take the fast lane, if this is for it."""
        asked = lane.read(data)
        if asked is None:
            return False
        head, body = asked

        def come(octets: bytes | None, status: bytes = OK) -> None:
            self._waiting = None
            if self.transport.is_closing():
                return
            if octets is None:
                self._parsed(data)
            else:
                self._tell(lane, head, octets, status)
            if self._held and not self.transport.is_closing():
                held, self._held = bytes(self._held), bytearray()
                self.flow.resume_reading()
                self.data_received(held)

        if head.token is None:
            found = lane.quick[head.segment].answer(head.target, body, come)
        elif self._tls is None:
            return False
        else:
            client = self.client[0] if self.client else ""
            found = lane.submitted(head, body or b"", client, come)
        if isinstance(found, bytes):
            self._tell(lane, head, found)
        elif found:
            self._waiting = head
            self._clear_deadline()
            self._unset_keepalive_if_required()
        return bool(found)

    def _tell(self, lane: Lane, asked: Head, octets: bytes, status: bytes = OK) -> None:
        """Write an answer of the fast lane, and wait for the next request."""
        if self._deadline is not None:
            self._clear_deadline()
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        lane.given(asked)
        head = lane.head(status, self.server_state.default_headers)
        if asked.keep and not self._ending:
            self.transport.write(head + octets)
        else:
            self.transport.write(head + b"connection: close\r\n" + octets)
            self.transport.close()
            return
        self._quiet_since = self.loop.time()
        if self._lull is None:
            self._lull = self.loop.call_later(self.timeout_keep_alive, self._lulled)

    def _lulled(self) -> None:
        """Close an idle connection; one timer serves any number of quick answers."""
        self._lull = None
        busy = self._waiting is not None or not self._between() or self._deadline is not None
        if busy or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            return  # other timers rule
        left = self._quiet_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._lull = self.loop.call_later(left, self._lulled)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Finish what was begun, then end (called by uvicorn)."""
        if self._waiting is not None:
            self._ending = True
        else:
            super().shutdown()

    def _parsed(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            self._clear_deadline()
        elif self._in_body:
            if not self._deadline_is_for_body:
                self._clear_deadline()
            self._set_deadline(body=True)
        elif self._in_message or self._idle():
            self._header_octets += len(data)
            if self._header_octets > MAX_HEADER:
                self._refuse(431, "the header fields are too long")
                return
            self._set_deadline()
        else:
            self._clear_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message = True
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._header_octets = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_message = self._in_body = False
        super().on_message_complete()

    def _idle(self) -> bool:
        """Say whether nothing is being read or answered, and no keep-alive timer runs.

        So it is at the start, and after stray line ends between requests.
        """
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None

    def _set_deadline(self, *, body: bool = False) -> None:
        if self._deadline is None:
            seconds = self.body_timeout_s if body else self.header_timeout_s
            self._deadline = self.loop.call_later(seconds, self._too_slow)
            self._deadline_is_for_body = body

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._deadline_is_for_body = False

    def _too_slow(self) -> None:
        self._deadline = None
        if self._in_message:
            self._refuse(408, "the request took too long to arrive")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what does not parse (called by uvicorn)."""
        self._refuse(400, msg)

    def _refuse(self, status: int, detail: str) -> None:
        """Answer with a problem document and close.

        If an answer to an earlier request is still due, nothing is written:
        the client would take it for that answer.  A complete earlier request is
        answered before the connection ends.
        """
        self._clear_deadline()
        if self.cycle is not None and not self.cycle.response_complete:
            if self._in_body:  # this very request broke off: nobody waits for its rest
                self.transport.close()
            else:
                self.cycle.keep_alive = False
            return
        self.transport.write(_problem(status, detail))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        # Anybody can ask for an upgrade: not worth a line in the log.  The request
        # itself is served; what may follow it is no HTTP.
        if self.cycle is not None:
            self.cycle.keep_alive = False


def _problem(status: int, detail: str) -> bytes:
    slug = _REASONS[status].lower().replace(" ", "-")
    body = json.dumps(
        {
            "type": f"urn:chancery:problem:{slug}",
            "title": _REASONS[status],
            "status": status,
            "detail": detail,
        }
    ).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\n"
        "cache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
