"""From what a requester sent to what would be signed: every rule of policy, in one place.

Every door ends here, so no path can forget a check (incident I9).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain import key_quality
from chancery.domain.algorithms import KeyAlgorithm, key_family
from chancery.domain.authority import LEVELS, Authority
from chancery.domain.copying import changed
from chancery.domain.errors import BadRequest, CAError
from chancery.domain.identity import Principal
from chancery.domain.ids import new_id, new_serial
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.profile import ExtensionProfile, Override, ProfileVersion
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import CertificateRequest, RequestState, Submission
from chancery.domain.san_rules import select_names
from chancery.domain.subject import build_subject
from chancery.ports import Clock, Entropy
from chancery.services.catalogue import Catalogue, Template
from chancery.services.pretence import PretendVault
from chancery.services.reception import issuer, registration_authority
from chancery.services.requested import (
    custom_extensions,
    lasting,
    requested_names,
    server_algorithm,
)
from chancery.wire import documents, pkcs10
from chancery.wire.pkcs10 import CertificationRequest
from chancery.wire.tbs import content_hash


class KeyMaker(Protocol):
    """What is needed of a ``KeyVault`` here."""

    def generate(
        self, key_id: str, algorithm: KeyAlgorithm, purpose: KeyPurpose, *, ca_approvals: int = 1
    ) -> KeyInfo: ...


@dataclass(frozen=True, slots=True)
class _Key:
    """The subject key.  *server_key_id* names it in the vault, if it was made there."""

    spki: bytes
    public: PublicKeyTypes
    server_key_id: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A submission understood: by which rules it will be judged, and the CSR that came with it."""

    ra: RegistrationAuthority
    version: ProfileVersion
    authority: Authority
    template: Template
    csr: CertificationRequest | None


class Examination:
    """One submission on its way to a request: ``read``, ``prove``, ``settle``, in that order.

    Each step is cheap or dear for reasons of its own; where many submissions
    wait, all take one step before any takes the next, and the processor's
    caches stay warm.
    """

    __slots__ = (
        "_check",
        "_code_sha256",
        "_id",
        "_preparation",
        "_principal",
        "_reading",
        "_submission",
    )

    def __init__(
        self,
        preparation: "Preparation",
        principal: Principal,
        submission: Submission,
        code_sha256: str | None,
        check: Callable[[CertificateRequest], None],
        request_id: str | None = None,
    ) -> None:
        self._check = check
        self._id = request_id
        self._preparation = preparation
        self._principal = principal
        self._submission = submission
        self._code_sha256 = code_sha256
        self._reading: Reading | None = None

    def read(self) -> None:
        """Apply the rules of the RA and read the CSR and its key."""
        self._reading = self._preparation.read(self._principal, self._submission)

    def prove(self) -> None:
        """Verify that the requester holds the key, where the profile asks for it."""
        reading = self._reading
        assert reading is not None  # read() comes first
        if reading.csr is None or vouched(self._submission, reading.csr):
            return
        if reading.version.profile.require_proof_of_possession:
            pkcs10.check_signature(reading.csr)

    def settle(self, request_id: str | None = None) -> CertificateRequest:
        """Fix the content."""
        assert self._reading is not None
        request = self._preparation.settle(
            self._principal,
            self._submission,
            self._reading,
            request_id or self._id,
            self._code_sha256,
        )
        self._check(request)
        return request


class Preparation:
    """Applies RA, profile, DN profile and key rules to submissions."""

    def __init__(
        self,
        catalogue: Catalogue,
        vault: KeyMaker,
        clock: Clock,
        entropy: Entropy,
        debian: Callable[[bytes], bool] | None = None,
    ) -> None:
        """*debian* knows the weak keys of Debian's broken generator by their fingerprints."""
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._debian = debian

    def pretending(self) -> "Preparation":
        """The same rules, with keys that nobody has: for looking ahead, never for the record."""
        vault = PretendVault(self._clock)
        return Preparation(self._catalogue, vault, self._clock, self._entropy, self._debian)

    def prepare(
        self,
        principal: Principal,
        submission: Submission,
        *,
        request_id: str | None = None,
        code_sha256: str | None = None,
    ) -> CertificateRequest:
        """Return the request as it would be recorded, serial and content fixed.

        Its state is APPROVED when nobody needs to approve it, else PENDING.
        """
        examination = self.examination(principal, submission, code_sha256=code_sha256)
        examination.read()
        examination.prove()
        return examination.settle(request_id)

    def examination(
        self,
        principal: Principal,
        submission: Submission,
        *,
        code_sha256: str | None = None,
        check: Callable[[CertificateRequest], None] = lambda _: None,
        request_id: str | None = None,
    ) -> "Examination":
        """The same in three steps, so that many can take each step together.

        *check* has the last word: it may raise.
        """
        return Examination(self, principal, submission, code_sha256, check, request_id)

    def read(self, principal: Principal, submission: Submission) -> "Reading":
        """Who may ask whom for what, and what the CSR says."""
        ra = registration_authority(self._catalogue, principal, submission)
        version = self._catalogue.profile(submission.profile)
        authority = issuer(self._catalogue, ra, submission)
        csr = self._csr(submission, version.profile)
        return Reading(ra, version, authority, self._catalogue.template(authority, version), csr)

    def settle(
        self,
        principal: Principal,
        submission: Submission,
        reading: "Reading",
        request_id: str | None,
        code_sha256: str | None,
    ) -> CertificateRequest:
        """Names, extensions, key and serial: the content that people approve and the CA signs."""
        csr, profile, ra = reading.csr, reading.version.profile, reading.ra
        algorithm = None if csr else server_algorithm(submission, profile)
        subject = build_subject(
            self._catalogue.dn_profile(profile.dn_profile),
            csr.subject if csr else None,
            submission.subject,
            may_override=Override.SUBJECT in profile.overrides,
        )
        asked = csr.names if csr else ()
        names = select_names(profile, asked, requested_names(submission, profile), subject)
        extensions = custom_extensions(submission, csr, profile)
        lasting_s = lasting(submission, profile)
        key = self._key(csr, algorithm)  # last: what is refused must leave no key behind
        now = self._clock.ms()
        serial = new_serial(now // 1000, self._entropy(16))
        tbs = reading.template.compiled.build(
            serial=serial,
            subject=subject,
            spki=key.spki,
            names=names,
            extensions=extensions,
            lasting_s=lasting_s,
        )
        level = LEVELS[reading.authority.security_level]
        needed = max(profile.approvals, self._approvals(submission, ra), level.approvals)
        return CertificateRequest(
            id=request_id or new_id(now, self._entropy(10)),
            state=RequestState.PENDING if needed else RequestState.APPROVED,
            kind=submission.kind,
            ra=ra.name,
            authority=reading.authority.name,
            profile=profile.name,
            profile_sha256=reading.version.sha256,
            requester=principal.name,
            subject=subject.text,
            names=names,
            key_sha256=hashlib.sha256(key.spki).hexdigest(),
            key_algorithm=key_family(key.public),
            serial=f"{serial:x}",
            tbs=tbs,
            content_sha256=content_hash(tbs),
            csr=csr.der if csr else None,
            server_key_id=key.server_key_id,
            approvals_needed=needed,
            submission=documents.encode(changed(submission, csr=None)).decode(),
            created_at=now // 1000,
            expires_at=now // 1000 + ra.request_lifetime_s,
            code_sha256=code_sha256,
            renews=submission.renews,
        )

    def _approvals(self, submission: Submission, ra: RegistrationAuthority) -> int:
        """How many approve as far as the RA goes; a door of it may say otherwise."""
        if submission.door is None:
            return ra.approvals
        door = self._catalogue.door(submission.door)
        return door.needed(ra.approvals, renewal=submission.renews is not None)

    def key_faults(
        self,
        csr: CertificationRequest,
        profile: ExtensionProfile,
        submission: Submission | None = None,
    ) -> Iterator[CAError]:
        """Everything that ``prepare`` would hold against the key, where it stops at the first."""
        sound = True
        checks: tuple[Callable[[], None], ...] = (
            lambda: key_quality.allowed(profile.key_algorithms, csr.public_key),
            lambda: key_quality.check(csr.public_key, debian=self._debian),
        )
        for check in checks:
            try:
                check()
            except CAError as error:
                sound = False
                yield error
        if submission is not None and vouched(submission, csr):
            return
        if sound and profile.require_proof_of_possession:
            try:
                pkcs10.check_signature(csr)
            except CAError as error:
                yield error

    def _csr(
        self, submission: Submission, profile: ExtensionProfile
    ) -> CertificationRequest | None:
        """The CSR, its key checked; None if the server is to make the key."""
        if (submission.csr is None) == (submission.server_key is None):
            raise BadRequest(
                "give exactly one of csr and server_key", field="csr", rule="key.one-source"
            )
        if submission.csr is None:
            return None
        csr = pkcs10.decode(submission.csr)
        # The key first: a signature by a key we refuse is not worth verifying.
        key_quality.allowed(profile.key_algorithms, csr.public_key)
        key_quality.check(csr.public_key, debian=self._debian)
        return csr

    def _key(self, csr: CertificationRequest | None, algorithm: KeyAlgorithm | None) -> _Key:
        """The CSR's key, or one that the vault makes: it leaves once, as PKCS#12."""
        if csr is not None:
            return _Key(csr.spki, csr.public_key, None)
        assert algorithm is not None  # exactly one was given
        key_id = "subject-" + new_id(self._clock.ms(), self._entropy(10))
        info = self._vault.generate(key_id, algorithm, KeyPurpose.SUBJECT)
        return _Key(info.spki, load_der_public_key(info.spki), key_id)


def vouched(submission: Submission, csr: CertificationRequest) -> bool:
    """Whether an authority that a door trusts has seen the key of this very CSR used."""
    return submission.vouched == hashlib.sha256(csr.der).hexdigest()


def submission_of(request: CertificateRequest) -> Submission:
    """What its requester sent; the CSR is kept once, beside it."""
    sent = documents.decode(Submission, json.loads(request.submission), "submission")
    return replace(sent, csr=request.csr)
