"""The enrolment protocols, put together: services, settings, handlers, addresses."""

import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Final, cast

from starlette.types import ASGIApp

from chancery.adapters.clock import SystemClock
from chancery.adapters.passwords import Argon2Hasher
from chancery.adapters.sealing import KeyFileSealer
from chancery.adapters.storage import SqlStore
from chancery.adapters.validation import DnsCaa, SpreadValidator
from chancery.domain import shipped
from chancery.domain.door import DoorProtocol
from chancery.domain.errors import Unavailable
from chancery.domain.identity import SYSTEM
from chancery.ports import Entropy, KeyVault
from chancery.ports_sign_in import Sealer
from chancery.protocols.exchange import DoorHandler
from chancery.server.doors import door_app, well_known
from chancery.services.acme import AcmeService
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment import (
    CredentialService,
    DoorService,
    EnrolmentDesk,
    KeyRelease,
    Traffic,
    Transactions,
)
from chancery.services.enrolment.confirmation import Confirmations
from chancery.services.enrolment.doors import CheckSettings
from chancery.services.enrolment.keys import PROFILE as DOOR_PROFILE
from chancery.services.enrolment.keys import DoorKeys
from chancery.services.profiles import ProfileService
from chancery.services.registration import RegistrationService
from chancery.settings import Settings
from chancery.wire import pem
from chancery.wire.lint import compile_lint


def _check(protocol: DoorProtocol, given: Mapping[str, object]) -> Mapping[str, object]:
    module = import_module(f"chancery.protocols.{protocol.value}.settings")
    return cast("Mapping[str, object]", module.check(given))


SETTINGS: Final[dict[DoorProtocol, CheckSettings]] = {
    protocol: partial(_check, protocol) for protocol in DoorProtocol
}
"""What checks the settings of each protocol."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the handlers are made of."""

    settings: Settings
    vault: KeyVault
    catalogue: Catalogue
    sealer: Sealer
    clock: SystemClock
    entropy: Entropy
    desk: EnrolmentDesk
    credentials: CredentialService
    keys: DoorKeys
    acme: AcmeService
    confirmations: Confirmations


class Handlers:
    """The protocols, each loaded when something first comes in for it.

    Few instances serve all four, and each costs some MiB in every process.
    ``app/door_scep.py`` and its like say how one is made.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._made: dict[DoorProtocol, DoorHandler] = {}

    def of(self, protocol: DoorProtocol) -> DoorHandler:
        found = self._made.get(protocol)
        if found is None:
            with self._lock:
                if protocol not in self._made:
                    module = import_module(f"chancery.app.door_{protocol.value}")
                    self._made[protocol] = module.make(self._parts)
                found = self._made[protocol]
        return found


@dataclass(frozen=True, slots=True)
class Doors:
    """One of each."""

    service: DoorService
    credentials: CredentialService
    desk: EnrolmentDesk
    traffic: Traffic
    acme: AcmeService
    keys: DoorKeys
    confirmations: Confirmations
    transactions: Transactions
    handlers: Handlers


def doors(
    settings: Settings,
    store: SqlStore,
    vault: KeyVault,
    catalogue: Catalogue,
    registration: RegistrationService,
    clock: SystemClock,
    crl: Callable[[str], bytes],
) -> Doors:
    """Build everything; nothing runs yet."""
    entropy = secrets.token_bytes
    hasher = Argon2Hasher(concurrency=settings.login.hashes_at_once)
    sealer = KeyFileSealer(settings.login.key_file)
    traffic = Traffic(store, clock, entropy)
    window_s = int(settings.portal.key_window.total_seconds())
    credentials = CredentialService(store, catalogue, hasher, sealer, clock, entropy)
    transactions = Transactions(store, clock, entropy)
    desk = EnrolmentDesk(
        store,
        catalogue,
        registration,
        transactions,
        traffic,
        crl,
        KeyRelease(store, vault, clock, entropy, window_s),
        clock,
    )
    keys = DoorKeys(
        store,
        vault,
        clock,
        entropy,
        authority=desk.authority,
        profile=lambda: catalogue.profile(DOOR_PROFILE),
        lint=compile_lint,
        http=settings.listen.http_url,
    )
    acme = AcmeService(store, catalogue, desk, sealer, SpreadValidator(), DnsCaa(), clock, entropy)
    confirmations = Confirmations(store, desk, clock, entropy)
    parts = Parts(
        settings=settings,
        vault=vault,
        catalogue=catalogue,
        sealer=sealer,
        clock=clock,
        entropy=entropy,
        desk=desk,
        credentials=credentials,
        keys=keys,
        acme=acme,
        confirmations=confirmations,
    )
    return Doors(
        service=DoorService(store, catalogue, clock, SETTINGS, settings.listen.https_url),
        credentials=credentials,
        desk=desk,
        traffic=traffic,
        acme=acme,
        keys=keys,
        confirmations=confirmations,
        transactions=transactions,
        handlers=Handlers(parts),
    )


def look_after_keys(found: Doors, profiles: ProfileService) -> int:
    """Renew the keys of doors; an instance of before there were doors has no profile for them."""
    known = {version.profile.name for version in profiles.all(SYSTEM)}
    for profile in shipped.PROFILES:
        if profile.name == DOOR_PROFILE and profile.name not in known:
            profiles.put(SYSTEM, profile)
    return found.keys.run_due()


class OwnAuthorities:
    """PEM of our CAs: devices show certificates of theirs, and mostly the leaf alone.

    What is trusted here proves a name to a door, which looks the certificate
    up; an account is bound to one very certificate.  While the record is away
    the CAs are those of before.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._last = ""

    def __call__(self) -> str:
        with suppress(Unavailable):
            found = self._catalogue.authority_certificates()
            self._last = "".join(pem.encode("CERTIFICATE", one) for one in found)
        return self._last


def door_apps(found: Doors) -> tuple[dict[str, ASGIApp], dict[str, ASGIApp]]:
    """By the first segment of their paths: those for every listener, those for TLS alone."""

    def app(protocol: DoorProtocol, prefix: str) -> ASGIApp:
        return door_app(partial(found.handlers.of, protocol), prefix)

    known = {"cmp": app(DoorProtocol.CMP, "/.well-known/cmp/")}
    known_secured = {"est": app(DoorProtocol.EST, "/.well-known/est/")}
    everywhere = {
        "scep": app(DoorProtocol.SCEP, "/scep/"),
        "pkix": app(DoorProtocol.CMP, "/pkix/"),
        ".well-known": well_known(known, known_secured),
    }
    return everywhere, {"acme": app(DoorProtocol.ACME, "/acme/")}
