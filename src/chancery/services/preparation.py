"""From what a requester sent to what would be signed: every rule of policy, in one place.

Every door ends here, so no path can forget a check (incident I9).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain import key_quality
from chancery.domain.algorithms import KeyAlgorithm, key_family
from chancery.domain.authority import LEVELS, Authority
from chancery.domain.errors import BadKey, BadRequest, NotPermitted, WrongState
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.keys import KeyPurpose
from chancery.domain.names import GeneralName
from chancery.domain.profile import DAY_S, ExtensionProfile, Override
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import CertificateRequest, RequestState, Submission
from chancery.domain.san_rules import select_names
from chancery.domain.subject import build_subject
from chancery.ports import Clock, Entropy, KeyVault
from chancery.services.access import demand
from chancery.services.catalogue import Catalogue
from chancery.wire import documents, pkcs10
from chancery.wire.pkcs10 import CertificationRequest
from chancery.wire.tbs import content_hash


@dataclass(frozen=True, slots=True)
class _Key:
    """The subject key.  *server_key_id* names it in the vault, if it was made there."""

    spki: bytes
    public: PublicKeyTypes
    server_key_id: str | None


class Preparation:
    """Applies RA, profile, DN profile and key rules to submissions."""

    def __init__(
        self,
        catalogue: Catalogue,
        vault: KeyVault,
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
        ra = self._ra(principal, submission)
        version = self._catalogue.profile(submission.profile)
        profile = version.profile
        authority = self._authority(ra, submission)
        template = self._catalogue.template(authority, version)
        csr = self._csr(submission, profile)
        algorithm = None if csr else _server_algorithm(submission, profile)
        subject = build_subject(
            self._catalogue.dn_profile(profile.dn_profile),
            csr.subject if csr else None,
            submission.subject,
            may_override=Override.SUBJECT in profile.overrides,
        )
        asked = csr.names if csr else ()
        names = select_names(profile, asked, _requested_names(submission, profile), subject)
        extensions = _custom_extensions(submission, csr, profile)
        lasting_s = _lasting(submission, profile)
        key = self._key(csr, algorithm)  # last: what is refused must leave no key behind
        serial = int.from_bytes(self._entropy(16)) or 1
        tbs = template.compiled.build(
            serial=serial,
            subject=subject,
            spki=key.spki,
            names=names,
            extensions=extensions,
            lasting_s=lasting_s,
        )
        needed = max(profile.approvals, ra.approvals, LEVELS[authority.security_level].approvals)
        now = self._clock.ms()
        return CertificateRequest(
            id=request_id or new_id(now, self._entropy(10)),
            state=RequestState.PENDING if needed else RequestState.APPROVED,
            kind=submission.kind,
            ra=ra.name,
            authority=authority.name,
            profile=profile.name,
            profile_sha256=version.sha256,
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
            submission=documents.encode(replace(submission, csr=None)).decode(),
            created_at=now // 1000,
            expires_at=now // 1000 + ra.request_lifetime_s,
            code_sha256=code_sha256,
            renews=submission.renews,
        )

    def _ra(self, principal: Principal, submission: Submission) -> RegistrationAuthority:
        if submission.ra is not None:
            ra = self._catalogue.ra(submission.ra)
        else:
            ra = self._only_ra(principal, submission.profile)
        if not (principal.method is AuthMethod.NONE and ra.anonymous):
            demand(principal, Permission.REQUEST_SUBMIT)
        if ra.disabled:
            raise WrongState(
                f"{ra.name} takes no requests now",
                field="ra",
                rule="ra.disabled",
                remedy="submit through another one, or ask an administrator to enable it",
            )
        if not _open_to(ra, principal):
            raise NotPermitted(
                f"only members of {' or '.join(ra.submit_groups)} submit to {ra.name}",
                field="ra",
                rule="ra.submit-group",
                remedy="ask an administrator to put you into one of these groups",
            )
        if submission.profile not in ra.profiles:
            self._catalogue.profile(submission.profile)  # an unknown one is the clearer error
            raise NotPermitted(
                f"{ra.name} does not offer profile {submission.profile!r}",
                field="profile",
                rule="ra.profiles",
                remedy="it offers: " + ", ".join(ra.profiles),
            )
        return ra

    def _only_ra(self, principal: Principal, profile: str) -> RegistrationAuthority:
        """The registration authority meant by someone who named none."""
        self._catalogue.profile(profile)
        offers = [
            ra
            for ra in self._catalogue.ras_for(profile)
            if not ra.disabled and _open_to(ra, principal)
        ]
        if len(offers) != 1:
            raise BadRequest(
                f"{len(offers)} registration authorities offer profile {profile!r} to you",
                field="ra",
                rule="ra.unambiguous",
                remedy="name one: " + (", ".join(offer.name for offer in offers) or "none does"),
            )
        return offers[0]

    def _authority(self, ra: RegistrationAuthority, submission: Submission) -> Authority:
        name = submission.authority or ra.authorities[0]
        if name not in ra.authorities:
            raise NotPermitted(
                f"{ra.name} does not issue from {name!r}",
                field="authority",
                rule="ra.authorities",
                remedy="it issues from: " + ", ".join(ra.authorities),
            )
        return self._catalogue.authority(name)

    def _csr(
        self, submission: Submission, profile: ExtensionProfile
    ) -> CertificationRequest | None:
        """The CSR, its key and signature checked; None if the server is to make the key."""
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
        if profile.require_proof_of_possession:
            pkcs10.check_signature(csr)
        return csr

    def _key(self, csr: CertificationRequest | None, algorithm: KeyAlgorithm | None) -> _Key:
        """The CSR's key, or one that the vault makes: it leaves once, as PKCS#12."""
        if csr is not None:
            return _Key(csr.spki, csr.public_key, None)
        assert algorithm is not None  # exactly one was given
        key_id = "subject-" + new_id(self._clock.ms(), self._entropy(10))
        info = self._vault.generate(key_id, algorithm, KeyPurpose.SUBJECT)
        return _Key(info.spki, load_der_public_key(info.spki), key_id)


def _server_algorithm(submission: Submission, profile: ExtensionProfile) -> KeyAlgorithm:
    name = str(submission.server_key)
    try:
        algorithm = KeyAlgorithm(name)
    except ValueError:
        raise BadKey(
            f"no key algorithm {name!r}",
            field="server_key",
            rule="key.algorithm",
            remedy="one of: " + ", ".join(KeyAlgorithm),
        ) from None
    family = "rsa" if name.startswith("rsa-") else name
    if not {name, family} & set(profile.key_algorithms):
        raise BadKey(
            f"profile {profile.name} does not allow {name} keys",
            field="server_key",
            rule="key.profile",
            remedy="it allows: " + ", ".join(profile.key_algorithms),
        )
    return algorithm


def submission_of(request: CertificateRequest) -> Submission:
    """What its requester sent; the CSR is kept once, beside it."""
    sent = documents.decode(Submission, json.loads(request.submission), "submission")
    return replace(sent, csr=request.csr)


def _open_to(ra: RegistrationAuthority, principal: Principal) -> bool:
    if principal.method is AuthMethod.NONE:
        return ra.anonymous and not ra.submit_groups
    return (
        not ra.submit_groups
        or not principal.groups.isdisjoint(ra.submit_groups)
        or principal.method is AuthMethod.SYSTEM
    )


def _requested_names(submission: Submission, profile: ExtensionProfile) -> tuple[GeneralName, ...]:
    if submission.names and Override.SAN not in profile.overrides:
        raise NotPermitted(
            f"profile {profile.name} takes names from the CSR alone",
            field="names",
            rule="override.san",
            remedy="put the names into the CSR's subjectAltName",
        )
    return submission.names


def _custom_extensions(
    submission: Submission, csr: CertificationRequest | None, profile: ExtensionProfile
) -> tuple[tuple[str, bytes], ...]:
    """Values for the profile's open extensions: from the request, else from the CSR."""
    given = dict(submission.extensions)
    asked = {oid: der for oid, _, der in csr.extensions} if csr else {}
    open_slots = [slot for slot in profile.custom if slot.der_hex is None]
    if unknown := set(given) - {slot.oid for slot in open_slots}:
        raise NotPermitted(
            f"profile {profile.name} does not take extension {min(unknown)}",
            field="extensions",
            rule="override.custom-extensions",
        )
    values = []
    for slot in open_slots:
        value = given.get(slot.oid, asked.get(slot.oid))
        if value is not None:
            values.append((slot.oid, value))
        elif slot.required:
            raise BadRequest(
                f"extension {slot.oid} is missing", field="extensions", rule="extension.required"
            )
    return tuple(values)


def _lasting(submission: Submission, profile: ExtensionProfile) -> int:
    if submission.days is None:
        return profile.validity_s
    if Override.VALIDITY not in profile.overrides:
        raise NotPermitted(
            f"profile {profile.name} fixes the validity", field="days", rule="override.validity"
        )
    lasting = submission.days * DAY_S
    if not 0 < lasting <= profile.max_validity_s:
        raise BadRequest(
            f"days must be between 1 and {profile.max_validity_s // DAY_S}",
            field="days",
            rule="validity.max",
        )
    return lasting
