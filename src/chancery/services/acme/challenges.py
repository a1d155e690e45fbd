"""Challenges: a client says that it is ready, and somebody goes and looks."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from chancery.domain.acme import (
    Account,
    Authorization,
    AuthorizationStatus,
    ChallengeKind,
    Fault,
)
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.audit import Outcome
from chancery.domain.door import Door
from chancery.domain.errors import NotFound
from chancery.ports import Clock, Session, Store
from chancery.ports_acme import CaaLookup, Question, Validator
from chancery.services.acme import caa
from chancery.services.acme.authorizations import given
from chancery.services.acme.limits import Limits
from chancery.services.audit import event

_log = logging.getLogger(__name__)

_PAUSES_S: Final = (0.0, 1.0, 3.0)
"""Before each attempt: a listener may be starting, a record on its way (RFC 8555 §8.2)."""
_AGAIN: Final = frozenset({"connection", "dns", "incorrectResponse"})
"""Faults that may be over in a moment."""
_PATIENCE_S: Final = 45
"""After this no further attempt is made."""
_STALE_S: Final = 180
"""A validation that did not end by then died with its process; anybody may begin another."""
_AT_ONCE: Final = 8  # validations of one process
FAILURES: Final = "failed validations"


class ChallengeService:
    """Validates in threads of its own; ``close`` lets go of those that have not begun."""

    def __init__(
        self,
        store: Store,
        validator: Validator,
        lookup: CaaLookup,
        limits: Limits,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._validator = validator
        self._lookup = lookup
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    def respond(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        authorization: Authorization,
        kind: ChallengeKind,
        origin: str,
        account_url: str,
    ) -> Authorization:
        """The client is ready to be looked at; how it stands now."""
        if kind not in authorization.challenges:
            raise NotFound("there is no such challenge", field="challenge")
        now = self._clock.s()
        if authorization.standing(now) is not AuthorizationStatus.PENDING:
            return authorization
        began = self._store.write(
            lambda s: s.acme.try_authorization(authorization.id, kind, now, now - _STALE_S)
        )
        if not began:
            return self._now(authorization)
        key = f"{account.id} {authorization.identifier.text}"
        self._limits.take(door, FAILURES, settings.failure_rate, key)
        tried = replace(authorization, tried=kind, tried_at=now)
        self._threads().submit(self._run, door, settings, account, tried, origin, account_url)
        return tried

    def resume(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        authorization: Authorization,
        origin: str,
        account_url: str,
    ) -> Authorization:
        """Begin again what died with another process."""
        tried, at = authorization.tried, authorization.tried_at
        if tried is None or at is None or at >= self._clock.s() - _STALE_S:
            return authorization
        return self.respond(door, settings, account, authorization, tried, origin, account_url)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="acme")
            return self._pool

    def _now(self, authorization: Authorization) -> Authorization:
        with self._store.read() as session:
            return session.acme.authorization(authorization.id) or authorization

    def _run(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        authorization: Authorization,
        origin: str,
        account_url: str,
    ) -> None:
        try:
            fault = self._validate(settings, account, authorization, account_url)
            if fault is None:
                key = f"{account.id} {authorization.identifier.text}"
                self._limits.give_back(door, FAILURES, settings.failure_rate, key)
            self._settle(door, settings, account, authorization, fault, origin)
        except Exception:  # noqa: BLE001 - nobody to raise to; it counts as never begun
            _log.exception("validation of %s failed", authorization.identifier.text)

    def _validate(
        self,
        settings: AcmeSettings,
        account: Account,
        authorization: Authorization,
        account_url: str,
    ) -> Fault | None:
        assert authorization.tried is not None  # that is what began it
        question = Question(
            authorization.tried,
            authorization.identifier,
            authorization.token,
            account.thumbprint,
        )
        until = time.monotonic() + _PATIENCE_S
        fault: Fault | None = None
        for pause in _PAUSES_S:
            self._sleep(pause)
            fault = self._validator.check(question, settings)
            if fault is None or fault.kind not in _AGAIN or time.monotonic() > until:
                break
        if fault is None and settings.caa:
            method = authorization.tried.value
            return caa.check(self._lookup, authorization.identifier, settings, account_url, method)
        return fault

    def _settle(
        self,
        door: Door,
        settings: AcmeSettings,
        account: Account,
        authorization: Authorization,
        fault: Fault | None,
        origin: str,
    ) -> None:
        now = self._clock.ms()
        kind = authorization.tried
        assert kind is not None  # that is what began it

        def failed(session: Session, why: Fault) -> None:
            if session.acme.settle_authorization(
                authorization.id, AuthorizationStatus.INVALID, fault=why
            ):
                refused = event(
                    door.principal(account.who, origin),
                    "acme-authorization.refused",
                    authorization.id,
                    Outcome.FAILURE,
                    door=door.name,
                    identifier=authorization.identifier.text,
                    challenge=kind.value,
                    fault=why.kind,
                    detail=why.detail,
                )
                session.audit.append([refused], now)

        def proved(session: Session) -> None:
            valid = replace(authorization, proof=kind.value)
            if session.acme.settle_authorization(
                authorization.id,
                AuthorizationStatus.VALID,
                expires_at=now // 1000 + settings.authorization_lifetime_s,
                proof=kind.value,
                validated_at=now // 1000,
            ):
                session.audit.append([given(door, account, valid, origin)], now)

        self._store.write(proved if fault is None else lambda session: failed(session, fault))
