"""A webhook receiver of our own: HTTPS, and what it got is kept."""

import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers *statuses* one by one, then 204; ``location`` comes with every redirect.

    *answers*: bodies, one by one, with 200 where no status is left.
    """

    context: ssl.SSLContext
    statuses: list[int] = field(default_factory=list)
    got: list[Received] = field(default_factory=list)
    location: str = "https://localhost/elsewhere"
    silent: bool = False
    answers: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self
        self.hold = threading.Event()
        self._arrived = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._arrived:
                    receiver.got.append(Received(self.path, headers, body))
                    receiver._arrived.notify_all()
                if receiver.silent:
                    receiver.hold.wait(30)
                    return
                answer = receiver.answers.pop(0) if receiver.answers else b""
                usual = 200 if answer else 204
                status = receiver.statuses.pop(0) if receiver.statuses else usual
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", receiver.location)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> "Receiver":
        self._thread.start()
        return self

    def stop(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_port}/hook?from=chancery"

    def wait(self, count: int, timeout_s: float = 20) -> list[Received]:
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.got) >= count, timeout_s)
        assert arrived, self.got
        return self.got
