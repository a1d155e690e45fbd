"""Every service, for the doors that stand on them.  ``chancery.app`` fills it in."""

from dataclasses import dataclass

from chancery.ports import Clock, Publisher, Store
from chancery.services.acme import AcmeService
from chancery.services.attention import AttentionService
from chancery.services.audit import AuditService
from chancery.services.authority import AuthorityService
from chancery.services.backup import BackupService
from chancery.services.certificates import CertificateService
from chancery.services.custody import BundleService, CustodyService
from chancery.services.decisions import DecisionService
from chancery.services.delivery import DeliveryService
from chancery.services.enrolment import CredentialService, DoorService, EnrolmentDesk
from chancery.services.estate import EstateService
from chancery.services.figures import FigureService
from chancery.services.history import HistoryService
from chancery.services.identity import IdentityService
from chancery.services.jobs import JobService
from chancery.services.keys import KeyService
from chancery.services.notifications import NotificationService
from chancery.services.operations import OperationService
from chancery.services.policy_desk import PolicyDesk
from chancery.services.portal.service import PortalService
from chancery.services.profiles import ProfileService
from chancery.services.registration import RegistrationService
from chancery.services.registrations import RaService
from chancery.services.request_changes import RequestChangeService
from chancery.services.review import ReviewService
from chancery.services.saved_filters import SavedFilterService
from chancery.services.status import StatusService
from chancery.services.status.publication import PublicationService
from chancery.services.vaults import VaultService


@dataclass(frozen=True, slots=True)
class Services:
    """One of each.

    *audit_files* holds the log's tiles.  *store* and *clock* are for the
    doors' own needs (Idempotency-Key, the age of what is shown), never to go
    around a service.
    """

    identity: IdentityService
    registration: RegistrationService
    changes: RequestChangeService
    reviews: ReviewService
    history: HistoryService
    estate: EstateService
    filters: SavedFilterService
    decisions: DecisionService
    delivery: DeliveryService
    portal: PortalService
    certificates: CertificateService
    authorities: AuthorityService
    status: StatusService
    publication: PublicationService
    profiles: ProfileService
    ras: RaService
    policy: PolicyDesk
    audit: AuditService
    audit_files: Publisher
    attention: AttentionService
    backups: BackupService
    custody: CustodyService
    credentials: CredentialService
    acme: AcmeService
    doors: DoorService
    enrolment: EnrolmentDesk
    bundles: BundleService
    figures: FigureService
    jobs: JobService
    keys: KeyService
    notifications: NotificationService
    operations: OperationService
    vaults: VaultService
    store: Store
    clock: Clock
