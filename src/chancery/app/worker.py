"""A web worker: every door of one machine.

``python -m chancery.app.worker CONFIG HTTP_FD HTTPS_FD NAME [--cold [--joined]]``: on sockets that
the supervisor opened; NAME is its name in the log, *--cold* says that no other worker of it is at
work yet, *--joined* that processes of another supervisor may be.
"""

import gc
import socket
import sys
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from chancery.adapters.siblings import Siblings
from chancery.api.application import create_api
from chancery.api.intake import QuickIntake
from chancery.app import logs
from chancery.app.custody import who_is_needed
from chancery.app.doors import OwnAuthorities, door_apps
from chancery.app.fast import fast_lane
from chancery.app.gateways import admitting_gateways
from chancery.app.jobs import ORPHAN_S
from chancery.app.office import Office, open_office
from chancery.app.own_certificate import own_certificate_trouble
from chancery.app.presence import Presence, presence_file
from chancery.app.signer_process import socket_path
from chancery.domain.errors import CAError, Unavailable
from chancery.protocols.crl.handler import FileHandler
from chancery.protocols.ocsp.handler import OcspHandler
from chancery.server.dispatch import Dispatcher
from chancery.server.health import Check, Readiness, alive
from chancery.server.listeners import Listener, StartFailed, serve
from chancery.server.maintenance import Maintenance
from chancery.server.memo import FileMemo
from chancery.server.metrics import Metrics
from chancery.server.status import status_apps
from chancery.server.tls import TlsContexts
from chancery.services.crew import help_with
from chancery.services.gauges import Family
from chancery.services.roster import Services
from chancery.settings import load
from chancery.web import create_web

_log = structlog.get_logger("worker")

_AUDIT_LATE_S = 120
"""Seconds a record may wait for a checkpoint before this machine is not ready."""

_SWITCH_S = 0.001
"""Seconds a thread may keep the interpreter while another waits: the pipeline hands over often."""


def main() -> int:
    config, *words = sys.argv[1:]
    logs.configure(words[2])
    http, https = (socket.socket(fileno=int(word)) for word in words[:2])
    try:
        settings = load(Path(config))
        siblings = Siblings(socket_path(settings.signer.socket).parent, words[2])
        with open_office(settings, siblings) as office:
            if "--cold" in words:
                _settle(office, joined="--joined" in words)
            siblings.serve(help_with(office.registration.enqueue))
            try:
                return _serve(office, http, https)
            finally:
                siblings.close()
    except (CAError, StartFailed) as error:
        logs.start_failed(error)
        return 1


def _settle(office: Office, *, joined: bool) -> None:
    """Settle what a crash left open.

    Nothing is begun on a record that was rolled back or rewritten (C11).
    Another machine on the same PostgreSQL may be at work, or a role that runs
    apart: there, only what is too old to be under way is anybody's.
    """
    office.audit.standing()  # raises if the record is not the one that was signed
    alone = office.store.embedded and not joined
    found = office.reconciliation.run(older_than_s=0 if alone else ORPHAN_S)
    recovered = office.authorities.recover()
    _log.info(
        "started",
        completed=found.completed,
        signed=found.signed,
        abandoned=found.abandoned,
        authorities=recovered,
    )


def _serve(office: Office, http: socket.socket, https: socket.socket) -> int:
    listen, tls = office.settings.listen, office.settings.tls
    own_cas = OwnAuthorities(office.catalogue)
    contexts = TlsContexts(tls.certificate, tls.key, tls.client_ca, own_cas)
    metrics, memo = Metrics(record=lambda: _gauges(office)), FileMemo()
    maintenance = Maintenance(lambda: own_certificate_trouble(office))
    app = admitting_gateways(office, application(office, metrics, memo, maintenance))
    sys.setswitchinterval(_SWITCH_S)
    gc.set_threshold(20_000, 20, 50)  # a request leaves hundreds of objects and hardly a cycle
    gc.freeze()  # what start-up made stays: no collection needs to look at it again
    serve(
        app,
        [
            Listener(listen.host, listen.http_port, opened=http),
            Listener(listen.host, listen.https_port, contexts, opened=https),
        ],
        ready=lambda urls: print("ready", *urls, flush=True),
        fast=fast_lane(
            office.status.desk,
            office.clock,
            metrics,
            memo,
            socket_path(office.settings.signer.socket),
            _intake(office, metrics, maintenance),
        ),
    )
    office.status.desk.close()
    return 0


def _intake(office: Office, metrics: Metrics, maintenance: Maintenance) -> QuickIntake | None:
    """The quick way in; none where gateways relay, whose connections must be told from others."""
    if office.settings.gateways:
        return None
    return QuickIntake(
        office.identity,
        office.registration,
        metrics.count,
        lambda: maintenance.now() is not None,
    )


def application(
    office: Office,
    metrics: Metrics | None = None,
    memo: FileMemo | None = None,
    maintenance: Maintenance | None = None,
) -> Dispatcher:
    """Everything this machine answers, by the first segment of the path."""
    metrics = metrics or Metrics(record=lambda: _gauges(office))
    services = roster(office)
    api = create_api(services)
    maintenance = maintenance or Maintenance(lambda: own_certificate_trouble(office))
    everywhere: dict[str, ASGIApp] = {
        **status_apps(
            OcspHandler(office.status, office.clock), FileHandler(office.status, office.clock), memo
        ),
        "healthz": alive,
        "readyz": Readiness(checks(office) | {"certificate": maintenance.check}),
        "metrics": metrics,
    }
    enrolment, over_tls = door_apps(office.doors)
    everywhere |= enrolment
    guarded = {"api": maintenance.guard(api), **over_tls}
    return Dispatcher(everywhere, guarded, metrics, rest=maintenance.guard(create_web(services)))


def _gauges(office: Office) -> list[Family]:
    return [*office.work.gauges.read(), *office.vaults.families()]


def roster(office: Office) -> Services:
    """What the doors stand on."""
    return Services(
        identity=office.identity,
        registration=office.registration,
        decisions=office.decisions,
        changes=office.changes,
        reviews=office.reviews,
        history=office.history,
        estate=office.estate,
        filters=office.filters,
        delivery=office.delivery,
        portal=office.portal,
        certificates=office.certificates,
        authorities=office.authorities,
        status=office.status,
        publication=office.publishing.service,
        profiles=office.profiles,
        ras=office.ras,
        policy=office.policy,
        audit=office.audit,
        audit_files=office.audit_files,
        attention=office.attention,
        backups=office.backups,
        custody=office.custody,
        credentials=office.doors.credentials,
        acme=office.doors.acme,
        doors=office.doors.service,
        enrolment=office.doors.desk,
        bundles=office.bundles,
        figures=office.work.figures,
        jobs=office.work.jobs,
        keys=office.keys,
        vaults=office.vaults,
        notifications=office.work.notifications,
        operations=office.work.operations,
        store=office.store,
        clock=office.clock,
    )


def checks(office: Office) -> dict[str, Check]:
    """What must be true for this machine to be of use."""
    jobs = Presence(presence_file(office.settings))
    return {
        "signer": lambda: _signer(office),
        "vaults": office.vaults.wrong,
        "record": lambda: _record(office),
        "crl": lambda: _crls(office),
        "audit": lambda: _audit(office),
        "jobs": jobs.missing,
    }


def _signer(office: Office) -> str | None:
    try:
        office.vault.key(office.settings.audit.key_id)
    except Unavailable:
        # Restarted, it is sealed again: who is needed helps more than that it does not answer.
        if (needed := who_is_needed(office.settings)) is None:
            raise
        return needed
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


def _audit(office: Office) -> str | None:
    """Raises what is wrong with the log; a log that falls far behind is wrong, too."""
    waiting_s = office.audit.standing().waiting_ms // 1000
    return f"no checkpoint for {waiting_s} s" if waiting_s > _AUDIT_LATE_S else None


if __name__ == "__main__":
    sys.exit(main())
