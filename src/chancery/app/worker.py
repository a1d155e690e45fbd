"""The web worker: every door of one machine.  ``python -m chancery.app.worker CONFIG``."""

import gc
import sys
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from chancery.api.application import create_api
from chancery.api.services import Services
from chancery.app.office import Office, open_office
from chancery.domain.errors import CAError
from chancery.protocols.crl.handler import FileHandler
from chancery.protocols.ocsp.handler import OcspHandler
from chancery.server.dispatch import Dispatcher
from chancery.server.health import Check, Readiness, alive
from chancery.server.listeners import Listener, StartFailed, serve
from chancery.server.metrics import Metrics
from chancery.server.status import status_apps
from chancery.server.tls import TlsContexts
from chancery.settings import load

_log = structlog.get_logger("worker")

_SWITCH_S = 0.001
"""Seconds a thread may keep the interpreter while another waits: the pipeline hands over often."""


def main() -> int:
    try:
        settings = load(Path(sys.argv[1]))
        with open_office(settings) as office:
            return _serve(office)
    except (CAError, StartFailed) as error:
        print(f"chancery: {error}", file=sys.stderr)
        return 1


def _serve(office: Office) -> int:
    """Settle what a crash left open, then open the doors."""
    found = office.reconciliation.run()
    recovered = office.authorities.recover()
    _log.info(
        "started",
        completed=found.completed,
        signed=found.signed,
        abandoned=found.abandoned,
        authorities=recovered,
    )
    listen, tls = office.settings.listen, office.settings.tls
    contexts = TlsContexts(tls.certificate, tls.key, tls.client_ca)
    app = application(office)
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()  # what start-up made stays: no collection needs to look at it again
    serve(
        app,
        [
            Listener(listen.host, listen.http_port),
            Listener(listen.host, listen.https_port, contexts),
        ],
        ready=lambda urls: print("ready", *urls, flush=True),
    )
    return 0


def application(office: Office) -> Dispatcher:
    """Everything this machine answers, by the first segment of the path."""
    metrics = Metrics()
    api = create_api(
        Services(
            identity=office.identity,
            registration=office.registration,
            decisions=office.decisions,
            changes=office.changes,
            delivery=office.delivery,
            certificates=office.certificates,
            authorities=office.authorities,
            status=office.status,
            profiles=office.profiles,
            ras=office.ras,
            audit=office.audit,
            audit_files=office.audit_files,
            store=office.store,
            clock=office.clock,
        )
    )
    everywhere: dict[str, ASGIApp] = {
        **status_apps(
            OcspHandler(office.status, office.clock), FileHandler(office.status, office.clock)
        ),
        "healthz": alive,
        "readyz": Readiness(checks(office)),
        "metrics": metrics,
    }
    return Dispatcher(everywhere, {"api": api}, metrics)


def checks(office: Office) -> dict[str, Check]:
    """What must be true for this machine to be of use."""
    return {
        "signer": lambda: _signer(office),
        "record": lambda: _record(office),
        "crl": lambda: _crls(office),
    }


def _signer(office: Office) -> str | None:
    office.vault.key(office.settings.audit.key_id)
    return None


def _record(office: Office) -> str | None:
    """A durable commit that only notes the time: reading alone would not meet a full disk."""
    now = office.clock.ms()
    office.store.write(lambda session: session.audit.append([], now))
    return None


def _crls(office: Office) -> str | None:
    now = office.clock.s()
    with office.store.read() as session:
        late = [
            authority.name
            for authority in session.authorities.all()
            if (crl := session.crls.latest(authority.name)) is not None and crl.next_update < now
        ]
    return f"expired: {', '.join(late)}" if late else None


if __name__ == "__main__":
    sys.exit(main())
