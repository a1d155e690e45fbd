"""The enrolment protocols, put together: services, settings, handlers, addresses."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from chancery.adapters.clock import SystemClock
from chancery.adapters.mdm import ManagerHooks
from chancery.adapters.passwords import Argon2Hasher
from chancery.adapters.sealing import KeyFileSealer
from chancery.adapters.storage import SqlStore
from chancery.adapters.validation import DnsCaa, LocalValidator
from chancery.app.work import endpoint
from chancery.domain import shipped
from chancery.domain.door import DoorProtocol
from chancery.domain.errors import Unavailable
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.ports import KeyVault
from chancery.protocols.acme import settings as acme_settings
from chancery.protocols.acme.handler import AcmeHandler
from chancery.protocols.cmp import CmpHandler
from chancery.protocols.cmp import settings as cmp_settings
from chancery.protocols.cmp.protection import Guard
from chancery.protocols.cmp.replies import Replies
from chancery.protocols.est import settings as est_settings
from chancery.protocols.est.handler import EstHandler
from chancery.protocols.est.signing import Signing
from chancery.protocols.scep import ScepHandler
from chancery.protocols.scep import settings as scep_settings
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

SETTINGS: Final[dict[DoorProtocol, CheckSettings]] = {
    **dict.fromkeys(DoorProtocol, dict),
    DoorProtocol.ACME: acme_settings.check,
    DoorProtocol.EST: est_settings.check,
    DoorProtocol.CMP: cmp_settings.check,
    DoorProtocol.SCEP: scep_settings.check,
}
"""What checks the settings of each protocol."""


@dataclass(frozen=True, slots=True)
class Doors:
    """One of each."""

    service: DoorService
    credentials: CredentialService
    desk: EnrolmentDesk
    traffic: Traffic
    acme: AcmeService
    acme_door: AcmeHandler
    est: EstHandler
    keys: DoorKeys
    scep: ScepHandler
    cmp: CmpHandler
    confirmations: Confirmations


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
    desk = EnrolmentDesk(
        store,
        catalogue,
        registration,
        Transactions(store, clock, entropy),
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
    acme = AcmeService(store, catalogue, desk, sealer, LocalValidator(), DnsCaa(), clock, entropy)
    confirmations = Confirmations(store, desk, clock, entropy)
    hooks = [endpoint(webhook) for webhook in settings.webhooks]
    manager = ManagerHooks(hooks, lambda: new_id(clock.ms(), entropy(10)))
    return Doors(
        service=DoorService(store, catalogue, clock, SETTINGS, settings.listen.https_url),
        credentials=credentials,
        desk=desk,
        traffic=traffic,
        acme=acme,
        acme_door=AcmeHandler(desk, credentials, acme),
        est=EstHandler(
            desk, credentials, catalogue, sealer, Signing(desk, keys, vault), clock, entropy
        ),
        keys=keys,
        scep=ScepHandler(desk, credentials, keys, vault, manager, entropy),
        cmp=CmpHandler(
            desk,
            Guard(desk, credentials),
            Replies(desk, keys, vault, entropy),
            catalogue,
            confirmations,
            clock,
            entropy,
        ),
        confirmations=confirmations,
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
    everywhere: dict[str, ASGIApp] = {
        "scep": door_app(found.scep, "/scep/"),
        "pkix": door_app(found.cmp, "/pkix/"),
    }
    secured: dict[str, ASGIApp] = {"acme": door_app(found.acme_door, "/acme/")}
    known_everywhere: dict[str, ASGIApp] = {"cmp": door_app(found.cmp, "/.well-known/cmp/")}
    known_secured: dict[str, ASGIApp] = {"est": door_app(found.est, "/.well-known/est/")}
    everywhere[".well-known"] = well_known(known_everywhere, known_secured)
    return everywhere, secured
