"""What goes on in the background, put together from the settings."""

import hashlib
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.adapters.clock import SystemClock
from chancery.adapters.mail import SmtpAccount, SmtpMailer
from chancery.adapters.storage import SqlStore
from chancery.adapters.templates import JinjaRenderer
from chancery.adapters.webhook import Endpoint, WebhookSender
from chancery.app.presence import presence_file
from chancery.domain.errors import NotFound
from chancery.domain.notification import Event, Webhook
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.work import Job
from chancery.ports import Session
from chancery.services.backup import BackupMaking
from chancery.services.catalogue import Catalogue
from chancery.services.decisions import DecisionService
from chancery.services.figures import FigureCounter, FigureService
from chancery.services.gauges import Gauges
from chancery.services.jobs import Handler, JobService, Runner
from chancery.services.notifications import Announcer, NotificationService, Plan
from chancery.services.notifications.outbox import KINDS, Expansion, Sending
from chancery.services.notifications.sweeps import Sweeps
from chancery.services.operations import OperationHandler, OperationService
from chancery.services.operations.running import close_unbegun
from chancery.settings import Settings
from chancery.settings_work import Mail, WebhookSettings

_AT_ONCE: Final = 1000  # messages forgotten in one unit of work


@dataclass(frozen=True, slots=True)
class Background:
    """One of each.  *runner* makes what the jobs process runs; the others do not."""

    jobs: JobService
    figures: FigureService
    notifications: NotificationService
    operations: OperationService
    counter: FigureCounter
    gauges: Gauges
    expansion: Expansion
    sweeps: Sweeps
    tidy: Callable[[], int]
    runner: Callable[[], Runner]


def announcer(settings: Settings, catalogue: Catalogue, clock: SystemClock) -> Announcer:
    """Who puts on record that somebody is to be told."""

    def find_ra(name: str) -> RegistrationAuthority | None:
        try:
            return catalogue.ra(name)
        except NotFound:
            return None

    return Announcer(_plan(settings), find_ra, clock, secrets.token_bytes)


def background(
    settings: Settings,
    store: SqlStore,
    clock: SystemClock,
    telling: Announcer,
    decisions: DecisionService,
    backups: BackupMaking,
    more: Sequence[Handler] = (),
) -> Background:
    """Build everything; nothing runs yet."""
    plan, renderer, entropy = _plan(settings), JinjaRenderer(), secrets.token_bytes
    mail = settings.mail
    mailer = _mailer(mail) if mail is not None else None
    hooks = WebhookSender([endpoint(one) for one in settings.webhooks])
    handlers: list[Handler] = [
        OperationHandler(store, decisions, clock),
        backups,
        *more,
        *(Sending(kind, store, mailer, hooks, clock) for kind in KINDS),
    ]
    return Background(
        jobs=JobService(store, clock),
        figures=FigureService(store, clock),
        notifications=NotificationService(
            store,
            plan,
            renderer,
            clock,
            entropy,
            mail_target=f"{mail.host}:{mail.connects_to}, from {mail.sender}" if mail else "",
        ),
        operations=OperationService(store, clock, entropy),
        counter=FigureCounter(store),
        gauges=Gauges(store, plan, tuple(handler.kind for handler in handlers)),
        expansion=Expansion(store, plan, renderer, clock, entropy),
        sweeps=Sweeps(store, telling, clock, backups.plan.drill_every_s),
        tidy=lambda: _tidy(store, clock, int(settings.work.keep.total_seconds())),
        runner=lambda: Runner(
            store,
            clock,
            entropy,
            handlers,
            node=_node(settings),
            at_once=settings.work.at_once,
            given_up=lambda session, job, error, _: _tell_failed(telling, session, job, error),
        ),
    )


def _node(settings: Settings) -> str:
    """This instance on this machine: one jobs process at a time (``presence``)."""
    place = str(presence_file(settings).resolve())
    return f"{socket.gethostname()}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _tidy(store: SqlStore, clock: SystemClock, keep_s: int) -> int:
    """Forget messages that were sent long ago; close operations that never began."""
    gone, before = close_unbegun(store, clock), clock.s() - keep_s
    while some := store.write(lambda session: session.notifications.purge(before, _AT_ONCE)):
        gone += some
    return gone


def _tell_failed(telling: Announcer, session: Session, job: Job, error: str) -> None:
    """Mail about mail that failed would go the same way: the outbox shows it."""
    if job.kind not in KINDS:
        data = {"job": {"id": job.id, "kind": job.kind, "error": error}}
        telling.tell(session, Event.JOB_FAILED, job.id, data)


def _plan(settings: Settings) -> Plan:
    return Plan(
        mail=settings.mail is not None,
        operators=settings.mail.operators if settings.mail is not None else (),
        webhooks=tuple(
            Webhook(one.name, one.url, one.events, one.ras) for one in settings.webhooks
        ),
        base_url=settings.listen.https_url,
    )


def _mailer(mail: Mail) -> SmtpMailer:
    return SmtpMailer(
        SmtpAccount(
            host=mail.host,
            port=mail.connects_to,
            security=mail.security,
            sender=mail.sender,
            sender_name=mail.sender_name,
            username=mail.username,
            password_file=mail.password_file,
            ca_file=mail.ca_file,
            timeout_s=mail.timeout.total_seconds(),
        )
    )


def endpoint(webhook: WebhookSettings) -> Endpoint:
    """What a webhook's adapter needs of its settings."""
    return Endpoint(
        name=webhook.name,
        url=webhook.url,
        secret_file=webhook.secret_file,
        ca_file=webhook.ca_file,
        private_addresses=webhook.private_addresses,
        timeout_s=webhook.timeout.total_seconds(),
    )
