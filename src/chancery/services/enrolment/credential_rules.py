"""What a new credential may be, and how a credential is refused."""

from dataclasses import dataclass, field, replace
from typing import Final

from chancery.domain.audit import AuditEvent
from chancery.domain.door import Door
from chancery.domain.enrolment import Binding, Credential, CredentialKind
from chancery.domain.errors import BadRequest, NotAuthenticated, NotFound
from chancery.domain.identity import Principal
from chancery.domain.risk import Severity
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.risk import of_ra

MAX_SECRET: Final = 1024
MAX_REFERENCE: Final = 200
_LONGEST_S: Final = 10 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What is wanted.  *reference* and *secret* are made up where None.

    *uses* None: any number.  *expires_s* counts from now; None: never.
    *recoverable*: the secret of a USER is kept so that a digest can be
    computed; that of the other kinds always or never is.
    """

    kind: CredentialKind
    binding: Binding = field(default_factory=Binding)
    reference: str | None = None
    secret: str | None = None
    uses: int | None = 1
    expires_s: int | None = 7 * 86_400
    max_failures: int = 10
    recoverable: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """*secret* is shown this once; of an ACCOUNT it is base64url of the MAC key."""

    credential: Credential
    secret: str


def check(new: NewCredential) -> None:
    if new.secret is not None and not 8 <= len(new.secret) <= MAX_SECRET:
        raise BadRequest(
            f"a secret has 8 to {MAX_SECRET} characters",
            field="secret",
            rule="credential.secret",
            remedy="leave it out: one with 256 random bits is made",
        )
    if new.reference is not None and not (
        0 < len(new.reference) <= MAX_REFERENCE and new.reference.isprintable()
    ):
        raise BadRequest(
            f"a name has 1 to {MAX_REFERENCE} printable characters",
            field="reference",
            rule="credential.reference",
            remedy="leave it out: one is made",
        )
    if new.uses is not None and not 1 <= new.uses <= 1_000_000:
        raise BadRequest(
            "it may be used 1 to 1,000,000 times",
            field="uses",
            rule="credential.uses",
            remedy="give such a number",
        )
    if new.expires_s is not None and not 0 < new.expires_s <= _LONGEST_S:
        raise BadRequest(
            "it expires after more than nothing and less than ten years",
            field="expires",
            rule="credential.expiry",
            remedy="give a duration like 24h or 7d",
        )


def check_offer(session: Session, door: Door, credential: Credential) -> None:
    """Raise BadRequest unless *door* offers what the credential is for.

    Where nobody approves, whoever holds a one-time password that names nobody
    could choose an identity; a profile by which that is dangerous asks for a
    binding (VU#971035).  The other kinds belong to somebody who has a name.
    A door's setting ``shared_challenge`` says that it is meant so all the
    same: its page shows the risk.
    """
    binding = credential.binding
    if binding.profile is not None and binding.profile not in door.offered:
        raise BadRequest(
            f"{door.name} does not offer profile {binding.profile!r}",
            field="profile",
            rule="door.profiles",
            remedy="it offers: " + ", ".join(sorted(door.offered)),
        )
    ra = session.registrations.get(door.ra)
    bound = credential.kind is not CredentialKind.ONE_TIME or not _names_nobody(binding)
    if ra is None or bound or door.settings.get("shared_challenge") is True:
        return
    profile = binding.profile or door.profile
    alone = replace(
        ra,
        profiles=(profile,),
        approvals=door.needed(ra.approvals, renewal=False),
        anonymous=False,
        submit_groups=(),
    )
    for risk in of_ra(session, alone):
        if risk.severity is Severity.BLOCK:
            raise BadRequest(
                f"whoever has this credential chooses who to be: {risk.reason}",
                field="subject",
                rule="credential.unbound",
                remedy="name the subject or the names it is for, or let somebody approve at this"
                " door",
            )


def _names_nobody(binding: Binding) -> bool:
    return (
        binding.subject is None
        and binding.subject_pattern is None
        and binding.names is None
        and not binding.name_patterns
    )


def credential_event(principal: Principal, what: str, credential: Credential) -> AuditEvent:
    binding = credential.binding
    names = None if binding.names is None else [name.text for name in binding.names]
    return event(
        principal,
        f"credential.{what}",
        credential.id,
        door=credential.door,
        kind=credential.kind.value,
        subject=binding.subject or binding.subject_pattern,
        names=names,
        profile=binding.profile,
        expires_at=credential.expires_at,
    )


def known(session: Session, credential_id: str) -> Credential:
    found = session.enrolments.credential(credential_id)
    if found is None:
        raise NotFound(f"no credential {credential_id[:80]!r}", field="id", rule="credential.known")
    return found


def refused() -> NotAuthenticated:
    return NotAuthenticated(
        "the credential is unknown, spent, expired or locked, or its secret is wrong",
        field="credential",
        rule="credential.valid",
        remedy="have a new one made",
    )


def no_door(name: str) -> NotFound:
    return NotFound(
        f"no door {name[:80]!r}",
        field="door",
        rule="door.known",
        remedy="`chancery door list` shows those there are",
    )
