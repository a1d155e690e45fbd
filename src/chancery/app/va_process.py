"""The process of a validation authority: OCSP, and nothing else.

``python -m chancery.app.va_process CONFIG HTTP_FD NAME``: on a socket that the supervisor opened.
It reads the record (or a feed of it), and signs with keys of its own.
"""

import gc
import socket
import sys
import threading
from pathlib import Path
from typing import Final

import structlog

from chancery.adapters.clock import SystemClock
from chancery.app import logs
from chancery.app.fast import fast_lane
from chancery.app.signer_process import socket_path
from chancery.app.va_renewal import Renewal
from chancery.app.va_store import ReadingStore
from chancery.domain.errors import CAError
from chancery.protocols.ocsp.handler import OcspHandler
from chancery.server.dispatch import Dispatcher
from chancery.server.health import Check, Readiness, alive
from chancery.server.listeners import Listener, StartFailed, serve
from chancery.server.memo import FileMemo
from chancery.server.metrics import Metrics
from chancery.server.status import ocsp_app
from chancery.services.status.appointed import AppointedResponders
from chancery.services.status.composing import Answer, Spans
from chancery.services.status.desk import Desk
from chancery.services.status.issuer_index import IssuerIndex
from chancery.services.status.ocsp import OcspResponder
from chancery.settings_va import ValidationHost, load
from chancery.signer.client import SignerClient
from chancery.wire import pem

_log = structlog.get_logger("va")
_LOOK_S: Final = 1.0  # between two looks at feed and certificates
_RENEW_S: Final = 60.0  # between two looks at what is to be renewed
_MAX_CERTIFICATE: Final = 64 * 1024
_SOON_S: Final = 3 * 86_400  # a responder certificate that ends sooner is news


def main() -> int:
    config, descriptor, name = sys.argv[1:4]
    logs.configure(name)
    try:
        return _serve(load(Path(config)), socket.socket(fileno=int(descriptor)))
    except (CAError, StartFailed) as error:
        logs.start_failed(error)
        return 1


class _Status:
    """What the OCSP handler stands on."""

    def __init__(self, responder: OcspResponder) -> None:
        self._responder = responder

    def ocsp(self, name: str, request: bytes) -> Answer:
        return self._responder.answer(name, request)


def _serve(host: ValidationHost, http: socket.socket) -> int:
    clock = SystemClock()
    store = ReadingStore(host.database.url, clock)
    vault = SignerClient(socket_path(host.signer.socket))
    responders = AppointedResponders(vault, clock, lambda: _certificates(host.responders.directory))
    responders.refresh()
    index = IssuerIndex(store, responders.serves)
    answering = OcspResponder(store, vault, clock, responders, index, Spans())
    desk = Desk(store, vault, clock, index, responders, Spans())
    metrics = Metrics()
    app = Dispatcher(
        {
            "ocsp": ocsp_app(OcspHandler(_Status(answering), clock)),
            "healthz": alive,
            "readyz": Readiness(_checks(store, responders, clock)),
            "metrics": metrics,
        },
        {},
        metrics,
    )
    stop = threading.Event()
    looking = threading.Thread(
        target=_look, args=(store, responders, index, stop), name="va-look", daemon=True
    )
    looking.start()
    if host.renewal is not None:
        renewing = (Renewal(host, vault, clock), stop)
        threading.Thread(target=_renew, args=renewing, name="va-renew", daemon=True).start()
    gc.freeze()
    serve(
        app,
        [Listener(host.listen.host, host.listen.http_port, opened=http)],
        ready=lambda urls: print("ready", *urls, flush=True),
        fast=fast_lane(desk, clock, metrics, FileMemo(), socket_path(host.signer.socket)),
    )
    stop.set()
    desk.close()
    store.close()
    return 0


def _look(
    store: ReadingStore,
    responders: AppointedResponders,
    index: IssuerIndex,
    stop: threading.Event,
) -> None:
    """Take in what was put in place meanwhile."""
    while not stop.wait(_LOOK_S):
        try:
            if store.refresh() | responders.refresh():
                index.forget()
                _log.info("renewed", responders=responders.ends())
        except (CAError, OSError) as error:
            _log.warning("not.renewed", error=str(error))


def _renew(renewal: Renewal, stop: threading.Event) -> None:
    """Ask for what is past half its life, and look whether it was issued."""
    while not stop.wait(_RENEW_S):
        try:
            for step in renewal.run():
                if step.state != "waits":
                    _log.info("renewal", file=step.file, state=step.state, request=step.request)
        except (CAError, OSError) as error:
            _log.warning("not.renewed", error=str(error))
        except Exception:  # noqa: BLE001 - told in full; it is tried again
            _log.exception("not.renewed")


def _checks(
    store: ReadingStore, responders: AppointedResponders, clock: SystemClock
) -> dict[str, Check]:
    def record() -> str | None:
        with store.read() as session:
            session.statuses.as_of()
        return None

    def certificates() -> str | None:
        ends = responders.ends()
        late = [name for name, end in ends.items() if end - clock.s() < _SOON_S]
        return f"ending: {', '.join(late)}" if late else None if ends else "none installed"

    return {"record": record, "responders": certificates}


def _certificates(directory: Path) -> list[bytes]:
    found = []
    for path in sorted(directory.glob("*.pem")):
        blocks = pem.decode_all(path.read_bytes(), ("CERTIFICATE",), _MAX_CERTIFICATE)
        found += [der for _, der in blocks[:1]]
    return found


if __name__ == "__main__":
    sys.exit(main())
