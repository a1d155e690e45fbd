"""Every service of one process, put together from the settings."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from chancery.adapters.changes import SharedChanges
from chancery.adapters.clock import SystemClock
from chancery.adapters.entropy import EntropyPool
from chancery.adapters.lint import PkiLinter
from chancery.adapters.one_time_codes import TotpCodes
from chancery.adapters.passkeys import WebAuthnPasskeys
from chancery.adapters.passwords import Argon2Hasher
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.sealing import KeyFileSealer
from chancery.adapters.storage import SqlStore, open_store
from chancery.app import backup
from chancery.app.custody import seal_seen
from chancery.app.directories import directory_sources, provider_sources
from chancery.app.doors import Doors, doors
from chancery.app.portal import portal_policy, portal_service
from chancery.app.publication import Publishing, publishing
from chancery.app.signer_process import socket_path
from chancery.app.work import Background, announcer, background
from chancery.domain.vaults import VaultChoice
from chancery.domain.weak_keys import debian_list
from chancery.ports_sign_in import FactorTools
from chancery.services.announced import AnnouncedStore
from chancery.services.attention import AttentionService
from chancery.services.audit import AuditService
from chancery.services.authority import AuthorityService
from chancery.services.backup import BackupMaking, BackupService
from chancery.services.catalogue import Catalogue
from chancery.services.certificates import CertificateService
from chancery.services.crew import Siblings
from chancery.services.custody import BundleService, CustodyService
from chancery.services.decisions import DecisionService
from chancery.services.delivery import DeliveryService
from chancery.services.estate import EstateService
from chancery.services.history import HistoryService
from chancery.services.identity import IdentityPolicy, IdentityService
from chancery.services.issuance import Issuance
from chancery.services.keys import KeyService
from chancery.services.notifications import Announcer
from chancery.services.policy_desk import PolicyDesk
from chancery.services.portal.admission import Admission
from chancery.services.portal.pickup import KeyDisposal
from chancery.services.portal.service import PortalService
from chancery.services.preparation import Preparation
from chancery.services.profiles import ProfileService
from chancery.services.reconciliation import Reconciliation
from chancery.services.registration import RegistrationService
from chancery.services.registrations import RaService
from chancery.services.request_changes import RequestChangeService
from chancery.services.review import ReviewService
from chancery.services.sample import ProfileLint
from chancery.services.saved_filters import SavedFilterService
from chancery.services.status import StatusService
from chancery.services.vaults import VaultService
from chancery.settings import Settings
from chancery.signer.client import SignerClient
from chancery.signer.managed.client import ManagedClient
from chancery.signer.vaults_client import VaultsClient
from chancery.wire.lint import compile_lint


@dataclass(frozen=True, slots=True)
class Office:
    """One of each, ready for use."""

    settings: Settings
    clock: SystemClock
    store: SqlStore
    vault: SignerClient
    linter: PkiLinter
    catalogue: Catalogue
    identity: IdentityService
    attention: AttentionService
    backups: BackupService
    custody: CustodyService
    bundles: BundleService
    backup_making: BackupMaking
    audit: AuditService
    audit_files: DirectoryPublisher
    profiles: ProfileService
    ras: RaService
    policy: PolicyDesk
    status: StatusService
    authorities: AuthorityService
    certificates: CertificateService
    registration: RegistrationService
    decisions: DecisionService
    changes: RequestChangeService
    reviews: ReviewService
    history: HistoryService
    estate: EstateService
    filters: SavedFilterService
    delivery: DeliveryService
    key_disposal: KeyDisposal
    keys: KeyService
    vaults: VaultService
    portal: PortalService
    reconciliation: Reconciliation
    announcer: Announcer
    work: Background
    publishing: Publishing
    doors: Doors


@contextmanager
def open_office(settings: Settings, siblings: Siblings | None = None) -> Iterator[Office]:
    """Connect to the record and the signer; at the end finish what is under way, and close.

    *siblings*: the other workers, who take a share of what comes in at once.
    """
    clock = SystemClock()
    run = settings.signer.socket.parent
    revocations = SharedChanges(run / "revocations")
    store = open_store(settings.database.url, clock=clock, moved=revocations.bump)
    vault = SignerClient(socket_path(settings.signer.socket))
    entropy = secrets.token_bytes
    http = settings.listen.http_url
    changes = SharedChanges(run / "changes")
    catalogue = Catalogue(store, clock, changes, http=http)
    telling = announcer(settings, catalogue, clock)
    numbers = EntropyPool()
    issuance = Issuance(store, vault, catalogue, clock, numbers, telling)
    preparation = Preparation(catalogue, vault, clock, numbers, _debian(settings))
    admission = Admission(portal_policy(settings.portal), clock)
    registration = RegistrationService(
        store, catalogue, preparation, issuance, clock, entropy, admission, siblings
    )
    public = DirectoryPublisher(settings.publication.directory)
    status = StatusService(
        store,
        vault,
        clock,
        entropy,
        public,
        http=http,
        responder_profile=lambda: catalogue.profile("ocsp-signer"),
        lint=compile_lint,
        ocsp_vault=settings.signer.ocsp_vault,
        moved=revocations.count,
    )
    linter = PkiLinter()
    audit_files = DirectoryPublisher(settings.audit.directory)
    audit = AuditService(
        store, vault, settings.audit.key_id, settings.audit.origin, audit_files, clock
    )
    medium, backup_plan = backup.medium(settings), backup.plan(settings)
    backups = BackupService(store, medium, backup_plan, clock, entropy)
    making = BackupMaking(store, medium, audit, backup_plan, clock, entropy)
    decisions = DecisionService(store, vault, catalogue, issuance, clock, telling)
    authorities = AuthorityService(
        AnnouncedStore(store, changes),
        vault,
        clock,
        entropy,
        status,
        http=http,
        vaults=VaultChoice(settings.signer.vault_kinds, settings.signer.approved_mode),
        lint=compile_lint,
    )
    keys = KeyService(
        store,
        ManagedClient(vault.ask),
        clock,
        entropy,
        approved_mode=settings.signer.approved_mode,
        vaults=tuple(settings.signer.vault_kinds),
    )
    opened = doors(settings, store, vault, catalogue, registration, clock, status.latest_crl)
    office = Office(
        settings=settings,
        clock=clock,
        store=store,
        vault=vault,
        linter=linter,
        catalogue=catalogue,
        identity=_identity(settings, store, clock, changes),
        backups=backups,
        backup_making=making,
        attention=AttentionService(
            store,
            clock,
            own_certificate=lambda: _end_of(settings.tls.certificate),
            log_waiting_ms=lambda: audit.standing().waiting_ms,
            backups=backups.concerns,
            keys=keys.notices.due,
        ),
        audit=audit,
        audit_files=audit_files,
        profiles=ProfileService(store, catalogue, ProfileLint(store, linter), clock),
        ras=RaService(store, catalogue, clock),
        policy=PolicyDesk.open(store, linter, http=http),
        status=status,
        authorities=authorities,
        custody=CustodyService(store, clock, lambda: seal_seen(settings)),
        bundles=BundleService(
            store, authorities, status, audit, clock, entropy, origin=settings.audit.origin
        ),
        certificates=CertificateService(store, clock),
        registration=registration,
        decisions=decisions,
        changes=RequestChangeService(store, vault, preparation, clock, admission, telling),
        reviews=ReviewService(store, catalogue, preparation, clock, linter),
        history=HistoryService(store, audit),
        estate=EstateService(store, clock, entropy),
        filters=SavedFilterService(store, clock),
        delivery=DeliveryService(store, vault, catalogue, registration, clock, admission),
        key_disposal=KeyDisposal(store, vault, clock, admission.policy.key_window_s),
        keys=keys,
        vaults=VaultService(store, vault, VaultsClient(vault.ask), clock),
        portal=portal_service(
            store, catalogue, preparation, admission, clock, entropy, telling, http=http
        ),
        reconciliation=Reconciliation(store, vault, catalogue, issuance, clock, entropy, telling),
        announcer=telling,
        work=background(
            settings, store, clock, telling, decisions, making, (opened.confirmations,)
        ),
        publishing=publishing(settings, store, clock, public, telling),
        doors=opened,
    )
    issuance.start()
    office.doors.traffic.start()
    try:
        yield office
    finally:
        office.doors.acme.close()
        office.doors.traffic.close()
        issuance.close()
        store.close()
        vault.close()
        changes.close()


def _identity(
    settings: Settings, store: SqlStore, clock: SystemClock, changes: SharedChanges
) -> IdentityService:
    login = settings.login
    return IdentityService(
        store,
        Argon2Hasher(concurrency=login.hashes_at_once),
        clock,
        secrets.token_bytes,
        IdentityPolicy(
            max_failures=login.max_failures,
            lock_s=int(login.lock.total_seconds()),
            session_idle_s=int(login.session_idle.total_seconds()),
            session_absolute_s=int(login.session_absolute.total_seconds()),
            step_up_s=int(login.step_up_for.total_seconds()),
            second_factor_required=login.second_factor == "required",
        ),
        changes,
        tools=FactorTools(
            TotpCodes(), WebAuthnPasskeys(settings.listen.https_url), KeyFileSealer(login.key_file)
        ),
        directories=directory_sources(settings.directories),
        providers=provider_sources(settings.providers, settings.listen.https_url),
    )


def _end_of(certificate: Path) -> int | None:
    """Unix seconds at which that PEM certificate ends; None where it cannot be read."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return None
    return int(found.not_valid_after_utc.timestamp())


def _debian(settings: Settings) -> Callable[[bytes], bool] | None:
    """The look-up of Debian's weak keys, if the operator has its lists."""
    paths = settings.keys.debian_weak_keys
    if not paths:
        return None
    return debian_list(line for path in paths for line in path.read_text().splitlines())
