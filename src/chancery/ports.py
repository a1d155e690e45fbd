"""What the services need from the outside world, and no more.

Adapters implement these; only ``chancery.app`` picks which.  Each method's
docstring is the contract that ``tests/contract`` holds every adapter to.
Times are Unix seconds unless a name ends in ``_ms``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.audit import AuditEvent, AuditRecord
from chancery.domain.authority import Authority, AuthorityCertificate, Container, CrlRecord
from chancery.domain.certificate import (
    CertificateRecord,
    CertificateStatus,
    Intent,
    RevocationReason,
    RevokedEntry,
)
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import CAError
from chancery.domain.identity import ApiToken, ClientCertificate, Group, Role, User
from chancery.domain.keys import (
    CaAuthorisation,
    CertificateOrder,
    KeyInfo,
    KeyPurpose,
    KeyTransport,
    SignatureOnRecord,
)
from chancery.domain.profile import ProfileVersion
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import Approval, CertificateRequest, Note, RequestState
from chancery.domain.saved_filter import ListName, SavedFilter
from chancery.domain.vaults import SOFTWARE, Probe, TokenKey, VaultStanding
from chancery.ports_acme import AcmeRecords
from chancery.ports_backup import Backups
from chancery.ports_crl import CrlLists, Publications
from chancery.ports_custody import CustodyRecords
from chancery.ports_directory import VouchedAccounts
from chancery.ports_enrolment import Doors, Enrolments
from chancery.ports_estate import Estates
from chancery.ports_keys import KeyRecords
from chancery.ports_policy import PolicyHistory, Quotas
from chancery.ports_portal import PortalRecords
from chancery.ports_sign_in import SecondFactors, WebSessions
from chancery.ports_status import CertificateStatuses
from chancery.ports_work import Figures, Jobs, Notifications, Operations

T = TypeVar("T")


class Clock(Protocol):
    """Time as an argument."""

    def ms(self) -> int:
        """Unix milliseconds; never less than an earlier answer."""
        ...

    def s(self) -> int:
        """Unix seconds of the same clock."""
        ...


class Changes(Protocol):
    """Whether policy or accounts changed, in whichever process of this machine."""

    def count(self) -> int:
        """A number that grows with every change; cheap enough for every request."""
        ...

    def bump(self) -> None:
        """Tell everybody: call once a change is durable, and before it is answered."""
        ...


Entropy = Callable[[int], bytes]
"""Returns that many octets from the operating system's CSPRNG (``secrets.token_bytes``)."""


class KeyVault(Protocol):
    """Private keys that stay where they are.  Safe for concurrent use.

    Every method raises Unavailable when the vault is away (nothing was
    signed, or the journal says what was) and SignerRefused when the vault's
    own checks say no.
    """

    def generate(
        self,
        key_id: str,
        algorithm: KeyAlgorithm,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
        vault: str = SOFTWARE,
    ) -> KeyInfo:
        """Make a key in the named vault; AlreadyExists if *key_id* is taken.

        *ca_approvals* people must authorise each CA certificate it signs.
        """
        ...

    def import_key(
        self,
        key_id: str,
        pkcs8: bytes,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
        vault: str = SOFTWARE,
    ) -> KeyInfo:
        """Take in an unencrypted DER PKCS#8 key."""
        ...

    def adopt(
        self,
        key_id: str,
        vault: str,
        label: str,
        object_id: str,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
    ) -> KeyInfo:
        """Use a key that is on the token already.  *object_id* is hex, empty if the label will do.

        SignerRefused where these do not name one key, or where it may do more than sign.
        """
        ...

    def key(self, key_id: str) -> KeyInfo:
        """Describe a key; NotFound if there is none."""
        ...

    def bind(
        self,
        key_id: str,
        certificate: bytes,
        ekus: Sequence[str] | None = None,
        *,
        approvals: int = 0,
    ) -> None:
        """Tie an AUTHORITY key to its CA certificate (DER), and to an EKU list if given.

        The vault takes issuer name, validity, path length and EKU limits from
        the certificate after checking that it certifies this key.  Binding
        again (renewal) must keep the subject and may only tighten: limits that
        are not given stay.  Each CertificateOrder must then name *approvals*
        distinct approvers.
        """
        ...

    def sign_certificates(self, orders: Sequence[CertificateOrder]) -> list[bytes | CAError]:
        """Sign a batch: one signature or one refusal per order, in order.

        Every signature is in the vault's fsynced journal before any is returned.
        """
        ...

    def sign_ca_certificate(
        self,
        key_id: str,
        algorithm: SignatureAlgorithm,
        tbs: bytes,
        authorisation: CaAuthorisation,
    ) -> bytes:
        """Sign a CA:TRUE certificate (self-signed, subordinate or cross)."""
        ...

    def sign_csr(self, key_id: str, algorithm: SignatureAlgorithm, info: bytes) -> bytes:
        """Sign a CertificationRequestInfo that carries this very key."""
        ...

    def sign_crl(self, key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
        """Sign a TBSCertList whose issuer is the key's own."""
        ...

    def sign_ocsp(self, key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
        """Sign an OCSP ResponseData (OCSP or AUTHORITY key)."""
        ...

    def sign_ocsp_all(
        self, key_id: str, algorithm: SignatureAlgorithm, tbss: Sequence[bytes]
    ) -> list[bytes]:
        """Sign several at once, in order: all, or none and raise."""
        ...

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        """Sign the text of an audit checkpoint (Ed25519 AUDIT key)."""
        ...

    def sign_message(self, key_id: str, algorithm: SignatureAlgorithm, data: bytes) -> bytes:
        """Sign CMS signed attributes (a DER SET) or a CMP ProtectedPart (DOOR key)."""
        ...

    def sign_legacy_message(self, key_id: str, data: bytes) -> bytes:
        """The same by RSA PKCS#1 v1.5 over SHA-1; refused in approved mode."""
        ...

    def decrypt(self, key_id: str, transport: KeyTransport, ciphertext: bytes) -> bytes:
        """Open a content-encryption key (RSA DOOR key): random octets where it was none."""
        ...

    def export_pkcs12(
        self, key_id: str, certificate: bytes, chain: Sequence[bytes], passphrase: str
    ) -> bytes:
        """Hand out a SUBJECT key with its certificate, encrypted; refuse every other purpose."""
        ...

    def destroy(self, key_id: str) -> None:
        """Forget a SUBJECT key for good."""
        ...

    def signatures(self, key_id: str, serials: Sequence[str]) -> Mapping[str, SignatureOnRecord]:
        """What the journal knows of these serials: the answer to 'was it ever signed?'."""
        ...


class VaultAdmin(Protocol):
    """The vaults behind a ``KeyVault``, as people look after them.  Raises Unavailable."""

    def standings(self) -> Sequence[VaultStanding]:
        """All of them, the software vault first; one that is away is told as such."""
        ...

    def contents(self, vault: str) -> Sequence[TokenKey]:
        """The keys on its token, by label."""
        ...

    def probe(self, vault: str) -> Sequence[Probe]:
        """Try all that signing needs, with a key made for it and destroyed again."""
        ...

    def self_test(self) -> Sequence[Probe]:
        """Known-answer tests of what the signer itself computes."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """Keyset pagination: records after *cursor* (an id; None: from the first), newest first."""

    cursor: str | None = None
    limit: int = 100


class Sorting(StrEnum):
    """How a list of certificates is sorted."""

    NEWEST = "newest"  # first
    EXPIRY = "expiry"  # soonest first; without *expires_after*, what expired last first


@dataclass(frozen=True, slots=True)
class CertificateFilter:
    """Every condition given must hold.

    Text is matched exactly, or by prefix where it ends in ``*``.
    """

    authority: str | None = None
    serial: str | None = None
    subject: str | None = None
    name: str | None = None  # GeneralName.text, e.g. ``dns:www.example.org``; kind may be left out
    sha256: str | None = None
    key_sha256: str | None = None
    profile: str | None = None
    requester: str | None = None
    request_id: str | None = None
    ra: str | None = None  # of the request it came of; never a prefix
    status: CertificateStatus | None = None
    expires_after: int | None = None
    expires_before: int | None = None
    order: Sorting | None = None  # None: newest first


@dataclass(frozen=True, slots=True)
class Revocable:
    """A certificate that could be revoked."""

    id: str
    authority: str
    profile: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """One that just was."""

    authority: str
    serial: str
    revoked_at: int


@dataclass(frozen=True, slots=True)
class RequestFilter:
    state: RequestState | None = None
    ra: str | None = None
    profile: str | None = None
    requester: str | None = None
    subject: str | None = None
    authority: str | None = None


class Authorities(Protocol):
    def container(self, name: str) -> Container | None: ...
    def containers(self) -> list[Container]: ...
    def add_container(self, container: Container) -> None: ...
    def get(self, name: str) -> Authority | None: ...
    def all(self) -> list[Authority]: ...
    def add(self, authority: Authority) -> None:
        """AlreadyExists if the name is taken."""
        ...

    def update(self, authority: Authority) -> None:
        """Replace the record of that name."""
        ...

    def remove(self, name: str) -> None:
        """Forget an authority that never had a certificate; NotFound if there is none."""
        ...

    def certificates(self, authority: str) -> list[AuthorityCertificate]: ...
    def add_certificate(self, certificate: AuthorityCertificate) -> None:
        """Where it is current, the former current one no longer is."""
        ...

    def remove_certificate(self, certificate: AuthorityCertificate) -> None:
        """Take one off that is not current; NotFound if it is not there."""
        ...


class Profiles(Protocol):
    def latest(self, name: str) -> ProfileVersion | None: ...
    def version(self, sha256: str) -> ProfileVersion | None: ...
    def versions(self, name: str) -> list[ProfileVersion]: ...
    def all(self) -> list[ProfileVersion]:
        """The latest version of each, by name."""
        ...

    def add(self, version: ProfileVersion) -> None:
        """Make it the latest of its name.

        A version that is on record already (the same hash) comes back as it is.
        """
        ...

    def keep(self, version: ProfileVersion) -> None:
        """Put a version on record that nobody is to choose: ``latest`` stays as it is.

        It gets the next number of its name; one that is on record stays as it is.
        """
        ...

    def retire(self, name: str) -> None:
        """Hide the profile from ``latest`` and ``list``; its versions stay on record."""
        ...

    def dn(self, name: str) -> DnProfile | None: ...
    def dn_all(self) -> list[DnProfile]: ...
    def put_dn(self, profile: DnProfile) -> None: ...
    def delete_dn(self, name: str) -> None: ...


class Registrations(Protocol):
    def get(self, name: str) -> RegistrationAuthority | None: ...
    def all(self) -> list[RegistrationAuthority]: ...
    def put(self, ra: RegistrationAuthority) -> None: ...
    def delete(self, name: str) -> None: ...


class Requests(Protocol):
    def add(self, requests: Sequence[CertificateRequest]) -> None: ...
    def get(self, request_id: str) -> CertificateRequest | None: ...
    def find(self, where: RequestFilter, page: Page) -> list[CertificateRequest]: ...
    def count(self, where: RequestFilter, most: int) -> int:
        """How many match, counting no further than *most*."""
        ...

    def replace(self, request: CertificateRequest) -> None:
        """Write every field of an existing request (an edit)."""
        ...

    def set_state(
        self,
        request_id: str,
        expected: RequestState,
        state: RequestState,
        *,
        decided_at: int | None = None,
        reason: str | None = None,
        failure: str | None = None,
    ) -> None:
        """Compare and set; WrongState if the request is not in *expected*."""
        ...

    def issued(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Mark (request id, certificate id) pairs issued, in one statement."""
        ...

    def delete(self, request_id: str) -> None: ...
    def approvals(self, request_id: str) -> list[Approval]: ...
    def add_approval(self, approval: Approval) -> None:
        """Conflict if this person approved this content before (a database constraint)."""
        ...

    def void_approvals(self, request_id: str) -> None: ...
    def notes(self, request_id: str) -> list[Note]: ...
    def add_note(self, request_id: str, note: Note) -> None: ...
    def pending_with_key(self, key_sha256: str, profile: str) -> str | None:
        """Id of a pending request for this key and profile: a duplicate submit."""
        ...

    def count_pending(self, ra: str) -> int: ...
    def expired(self, now: int, limit: int) -> list[str]:
        """Ids of pending requests whose time is up."""
        ...


class Certificates(Protocol):
    def intend(self, intents: Sequence[Intent]) -> None:
        """Record what is about to be signed; Conflict if a serial of that issuer is taken."""
        ...

    def intents(self) -> list[Intent]:
        """Every intent without an outcome: what start-up reconciles."""
        ...

    def issue(self, records: Sequence[CertificateRecord], intent_ids: Sequence[str]) -> None:
        """Record signed certificates and close their intents."""
        ...

    def adopt(self, records: Sequence[CertificateRecord]) -> None:
        """Record certificates that were made elsewhere; AlreadyExists if a serial is taken."""
        ...

    def abandon(self, intent_id: str, now: int) -> None:
        """Close an intent that was never signed; its serial stays taken and known."""
        ...

    def get(self, certificate_id: str) -> CertificateRecord | None: ...
    def by_serial(self, serial: str, authority: str | None = None) -> list[CertificateRecord]: ...
    def by_hash(self, sha256: str) -> CertificateRecord | None: ...
    def find(self, where: CertificateFilter, page: Page) -> list[CertificateRecord]: ...
    def count(self, where: CertificateFilter, most: int) -> int:
        """How many match, counting no further than *most*."""
        ...

    def expiring(self, after: int, until: int, limit: int) -> list[CertificateRecord]:
        """Valid ones with *after* < notAfter <= *until*, the soonest first."""
        ...

    def profiles_of(self, serials: Sequence[str]) -> Mapping[tuple[str, str], str]:
        """The profile of each certificate with one of these serials, by (authority, serial)."""
        ...

    def status(
        self, authority: str, serial: str
    ) -> tuple[CertificateStatus, RevokedEntry | None] | None:
        """For OCSP: known from the intent on; None for a serial we never chose."""
        ...

    def set_status(
        self,
        certificate_id: str,
        expected: Sequence[CertificateStatus],
        status: CertificateStatus,
        *,
        revoked_at: int | None,
        reason: RevocationReason | None,
        invalidity_date: int | None = None,
    ) -> None:
        """Compare and set; AlreadyRevoked or WrongState if it is not as expected."""
        ...

    def revoked(self, authority: str, unexpired_at: int) -> Iterable[RevokedEntry]:
        """Revoked and held certificates of one issuer that had not expired then, by serial."""
        ...

    def count_valid(self, after: int, before: int | None, most: int, look: int) -> tuple[int, bool]:
        """Valid ones that expire in between, at most *most*; looks at no more than *look*.

        The flag says whether those were all there was to look at.
        """
        ...

    def revocable(self, where: CertificateFilter, until: str) -> Iterator[Revocable]:
        """What *where* means of certificates not revoked and not newer than id *until*.

        Streamed, in no order: use it up before the session ends.
        """
        ...

    def revoke_all(
        self,
        certificate_ids: Sequence[str],
        now: int,
        reason: RevocationReason,
        invalidity_date: int | None = None,
    ) -> list[Revoked]:
        """Revoke those that are not revoked yet; which these were.

        As for one: a hold's beginning counts, keyCompromise blocks the key.
        """
        ...

    def valid_subject(self, authority: str, subject: str, now: int) -> list[tuple[str, str]]:
        """(id, key_sha256) of certificates with this subject, valid or about to be signed."""
        ...

    def keys_blocked(self, key_sha256s: Sequence[str]) -> Mapping[str, str]:
        """Which of these keys are blocked (revoked for keyCompromise, or by an operator): why."""
        ...

    def block_key(self, key_sha256: str, why: str, now: int) -> None: ...
    def iterate(self) -> Iterable[CertificateRecord]:
        """Every certificate, oldest first, streamed: for the verifier and the linter."""
        ...


class Crls(Protocol):
    def latest(self, authority: str) -> CrlRecord | None: ...
    def next_number(self, authority: str) -> int:
        """Take the next CRL number, in this transaction."""
        ...

    def add(self, crl: CrlRecord) -> None:
        """Conflict if its number is not above the latest."""
        ...

    def mark_due(self, authority: str, at: int) -> None:
        """Ask for a CRL no later than *at*; the earliest wish stands."""
        ...

    def due(self, now: int) -> list[str]:
        """Authorities whose wish has come."""
        ...

    def wishes(self, authority: str, now: int) -> list[int]:
        """The times of one authority's wishes that have come."""
        ...

    def clear_due(self, authority: str, served_until: int) -> None:
        """Forget wishes made at or before *served_until*."""
        ...


class Identities(Protocol):
    def user(self, name: str) -> User | None: ...
    def users(self) -> list[User]: ...
    def add_user(self, user: User) -> None: ...
    def update_user(self, user: User) -> None:
        """All fields but roles and groups."""
        ...

    def delete_user(self, name: str) -> None: ...
    def grant(self, user: str, role: Role) -> None:
        """Conflict if it would mix role classes: the database itself refuses (FMT_SMR.2)."""
        ...

    def withdraw(self, user: str, role: Role) -> None: ...
    def group(self, name: str) -> Group | None: ...
    def groups(self) -> list[Group]: ...
    def add_group(self, group: Group) -> None: ...
    def update_group(self, group: Group) -> None:
        """Description and logins required."""
        ...

    def delete_group(self, name: str) -> None: ...
    def join(self, user: str, group: str) -> None:
        """Conflict if it would mix role classes."""
        ...

    def leave(self, user: str, group: str) -> None: ...
    def token(self, sha256: str) -> ApiToken | None: ...
    def tokens(self, user: str) -> list[ApiToken]: ...
    def add_token(self, token: ApiToken) -> None: ...
    def revoke_token(self, token_id: str) -> None: ...
    def touch_token(self, token_id: str, now: int) -> None: ...
    def client_certificate(self, sha256: str) -> ClientCertificate | None: ...
    def client_certificates(self, user: str) -> list[ClientCertificate]: ...
    def add_client_certificate(self, certificate: ClientCertificate) -> None: ...
    def delete_client_certificate(self, sha256: str) -> None: ...


class AuditTrail(Protocol):
    def append(self, events: Sequence[AuditEvent], now_ms: int) -> int:
        """Append leaves in this transaction; return the first one's seq.

        Sequence numbers have no gaps and times never decrease, across all
        nodes.  Nobody can change or delete a record.
        """
        ...

    def size(self) -> int: ...
    def records(self, start: int, end: int) -> list[AuditRecord]:
        """Records with start <= seq < end."""
        ...

    def find(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        before_seq: int | None = None,
        limit: int = 100,
    ) -> list[AuditRecord]:
        """Newest first."""
        ...


class Idempotency(Protocol):
    def recall(self, principal: str, key: str) -> tuple[str, str] | None:
        """(hash of the first request, its response as JSON) for a key used before."""
        ...

    def remember(
        self, principal: str, key: str, request_sha256: str, response: str, now: int
    ) -> None:
        """Conflict if the key is taken: another request came first."""
        ...


@dataclass(frozen=True, slots=True)
class LintResult:
    """What one linter said of one certificate; no *findings*: it is clean."""

    linter: str
    at: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unlinted:
    """*records* that a linter has not seen; *reached*: the id up to which there are no others.

    *end*: nothing stands after that yet.
    """

    records: list[CertificateRecord]
    reached: str
    end: bool


class LintResults(Protocol):
    def add(self, certificate_id: str, linter: str, findings: Sequence[str], now: int) -> None: ...
    def for_certificate(self, certificate_id: str) -> list[LintResult]:
        """What each linter that has seen it said last, by linter."""
        ...

    def unlinted(self, linter: str, after: str, limit: int) -> Unlinted:
        """The oldest certificates, by id after *after*, that this linter has not seen.

        Looks at a bounded number of certificates, however many there are:
        none found need not be the end.
        """
        ...


class SavedFilters(Protocol):
    """Searches that people keep."""

    def all(self, user: str, list_name: ListName) -> list[SavedFilter]:
        """One person's for one list, by name."""
        ...

    def put(self, kept: SavedFilter) -> None:
        """Keep it; one of that name is replaced."""
        ...

    def delete(self, user: str, list_name: ListName, name: str) -> bool:
        """Forget it; False if there was none."""
        ...


class Session(Protocol):
    """One transaction's view of everything on record."""

    @property
    def authorities(self) -> Authorities: ...
    @property
    def profiles(self) -> Profiles: ...
    @property
    def registrations(self) -> Registrations: ...
    @property
    def policy_history(self) -> PolicyHistory: ...
    @property
    def quotas(self) -> Quotas: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def certificates(self) -> Certificates: ...
    @property
    def crls(self) -> Crls: ...
    @property
    def crl_lists(self) -> CrlLists: ...
    @property
    def publications(self) -> Publications: ...
    @property
    def statuses(self) -> CertificateStatuses: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def web_sessions(self) -> WebSessions: ...
    @property
    def factors(self) -> SecondFactors: ...
    @property
    def vouched(self) -> VouchedAccounts: ...
    @property
    def portal(self) -> PortalRecords: ...
    @property
    def estates(self) -> Estates: ...
    @property
    def doors(self) -> Doors: ...
    @property
    def enrolments(self) -> Enrolments: ...
    @property
    def acme(self) -> AcmeRecords: ...
    @property
    def custody(self) -> CustodyRecords: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def lint(self) -> LintResults: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def backups(self) -> Backups: ...
    @property
    def notifications(self) -> Notifications: ...
    @property
    def operations(self) -> Operations: ...
    @property
    def saved_filters(self) -> SavedFilters: ...
    @property
    def keys(self) -> KeyRecords: ...
    @property
    def figures(self) -> Figures: ...


class Store(Protocol):
    """The record.  Safe for concurrent use.

    Writes are units of work: functions of a Session.  Units that wait at the
    same moment share one durable commit (group commit); each is atomic by
    itself (a savepoint), so one that raises leaves the others untouched.  A
    unit alone never waits for company.
    """

    def read(self) -> AbstractContextManager[Session]:
        """A read-only snapshot."""
        ...

    def write(self, work: Callable[[Session], T]) -> T:
        """Run *work* and return its result once the commit is durable."""
        ...

    def submit(self, work: Callable[[Session], T]) -> "Future[T]":
        """The same without waiting; the future resolves after the durable commit."""
        ...

    def close(self) -> None: ...


class Publisher(Protocol):
    """Files for relying parties, replaced atomically (temp file, fsync, rename)."""

    def publish(self, name: str, data: bytes) -> None: ...
    def publish_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Publish many, in no particular order; all are durable on return.

        A crash leaves some published and others not, each whole.
        """
        ...

    def published(self, name: str) -> bytes | None: ...
    def stamp(self, name: str) -> object | None:
        """What differs as soon as the file was replaced; cheap.  None if there is no file."""
        ...

    def withdraw(self, name: str) -> None:
        """Remove one file; nothing if there is none."""
        ...

    def discard(self, directory: str) -> None:
        """Remove the files of a directory; nothing if there is none."""
        ...


class Linter(Protocol):
    """A full linter (pkilint): findings as ``severity code: message`` texts, empty when clean."""

    def __call__(self, certificate: bytes) -> Sequence[str]: ...


class PasswordHasher(Protocol):
    """Argon2id with a bounded number of hashes at once."""

    def hash(self, password: str) -> str: ...
    def verify(self, phc: str, password: str) -> bool: ...
    def outdated(self, phc: str) -> bool: ...
