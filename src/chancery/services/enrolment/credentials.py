"""Credentials by which devices and servers enrol: made, shown once, presented, spent, locked."""

from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Final

from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.door import Door
from chancery.domain.enrolment import Binding, Credential, CredentialKind, CredentialState
from chancery.domain.errors import BadRequest, NotAuthenticated, NotFound, TooOften, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, PasswordHasher, Session, Store
from chancery.ports_sign_in import Sealer
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment.binding import check_binding
from chancery.services.portal.buckets import Buckets
from chancery.services.portal.policy import Rate

_SECRET: Final = 32  # octets of randomness
_MAX_SECRET: Final = 1024
_MAX_REFERENCE: Final = 200
_LONGEST_S: Final = 10 * 366 * 86_400
_DIGEST: Final = "door credential"
_SEALED: Final = "secret of a door credential"


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


class CredentialService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        hasher: PasswordHasher,
        sealer: Sealer,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._hasher = hasher
        self._sealer = sealer
        self._clock = clock
        self._entropy = entropy
        self._wrong = Buckets(Rate(per_hour=600, burst=60), clock, "wrong credentials")
        self._decoy: str | None = None

    # For people

    def issue(self, principal: Principal, door_name: str, new: NewCredential) -> Issued:
        """Make one; its secret is shown this once."""
        return self.issue_many(principal, door_name, [new])[0]

    def issue_many(
        self, principal: Principal, door_name: str, wanted: list[NewCredential]
    ) -> list[Issued]:
        """Make all of them or none, in one commit."""
        demand(principal, Permission.CREDENTIAL_ISSUE)
        now = self._clock.ms()
        made = [self._made(principal, door_name, new, now) for new in wanted]

        def unit(session: Session) -> None:
            door = session.doors.get(door_name)
            if door is None:
                raise _no_door(door_name)
            for one in made:
                wished = one.credential.binding.profile
                if wished is not None and wished not in door.offered:
                    raise BadRequest(
                        f"{door_name} does not offer profile {wished!r}",
                        field="profile",
                        rule="door.profiles",
                        remedy="it offers: " + ", ".join(sorted(door.offered)),
                    )
                session.enrolments.add_credential(one.credential)
            session.audit.append([_event(principal, "issued", one.credential) for one in made], now)

        self._store.write(unit)
        return made

    def find(
        self,
        principal: Principal,
        door: str | None = None,
        state: CredentialState | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> list[Credential]:
        """Newest first, after *cursor*."""
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            return session.enrolments.credentials(door, state, cursor, limit)

    def show(self, principal: Principal, credential_id: str) -> Credential:
        demand(principal, Permission.CREDENTIAL_READ)
        with self._store.read() as session:
            return _known(session, credential_id)

    def revoke(self, principal: Principal, credential_id: str) -> Credential:
        """Nobody enrols with it any more; what was issued stays valid."""
        demand(principal, Permission.CREDENTIAL_ISSUE)
        now = self._clock.ms()

        def unit(session: Session) -> Credential:
            found = _known(session, credential_id)
            if found.state not in (CredentialState.OPEN, CredentialState.LOCKED):
                raise WrongState(
                    f"the credential is {found.state.value} already",
                    field="id",
                    rule="credential.open",
                )
            session.enrolments.set_credential_state(credential_id, CredentialState.REVOKED)
            session.audit.append([_event(principal, "revoked", found)], now)
            return _known(session, credential_id)

        return self._store.write(unit)

    def delete(self, principal: Principal, credential_id: str) -> None:
        """Forget one that is closed, so that its name is free; the audit log remembers."""
        demand(principal, Permission.CREDENTIAL_ISSUE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            found = _known(session, credential_id)
            if found.state is CredentialState.OPEN and not found.expired(now // 1000):
                raise WrongState(
                    "the credential is open",
                    field="id",
                    rule="credential.closed",
                    remedy="revoke it first",
                )
            session.enrolments.delete_credential(credential_id)
            session.audit.append([_event(principal, "deleted", found)], now)

        self._store.write(unit)

    # For doors

    def by_secret(self, door: Door, secret: str, origin: str) -> Credential:
        """The one-time password that is *secret*; NotAuthenticated for any other text.

        One that was spent comes back, too: a transaction may be repeated.
        """
        self._take(origin)
        with self._store.read() as session:
            found = session.enrolments.by_reference(door.name, self._digest(secret))
        if found is None or found.kind is not CredentialKind.ONE_TIME or self._shut(found):
            raise _refused()
        self._wrong.give_back(origin)
        return found

    def by_reference(self, door: Door, reference: str, origin: str) -> Credential:
        """What is presented under that name, to be proven next; NotAuthenticated if nothing is."""
        self._take(origin)
        with self._store.read() as session:
            found = session.enrolments.by_reference(door.name, reference[:_MAX_REFERENCE])
        if found is None or found.kind is CredentialKind.ONE_TIME or self._shut(found):
            raise _refused()
        return found

    def proven(self, origin: str) -> None:
        """Its holder showed the secret: this source has not been guessing."""
        self._wrong.give_back(origin)

    def secret_of(self, credential: Credential) -> bytes:
        """The secret of a SECRET, an ACCOUNT, or a USER kept so: to compute a MAC with."""
        if credential.sealed is None:
            raise NotFound("its secret is not kept", field="credential")
        return self._sealer.open(credential.sealed, f"{_SEALED} {credential.id}")

    def failed(self, door: Door, credential: Credential, origin: str) -> None:
        """Count a wrong secret against the credential; too many lock it."""
        now = self._clock.ms()

        def unit(session: Session) -> None:
            after = session.enrolments.failed(credential.id)
            if after is not None and after.state is CredentialState.LOCKED != credential.state:
                locked = event(
                    door.principal("", origin),
                    "credential.locked",
                    credential.id,
                    Outcome.FAILURE,
                    door=door.name,
                    failures=after.failures,
                )
                session.audit.append([locked], now)

        self._store.write(unit)

    def verify_password(self, door: Door, user: str, password: str, origin: str) -> Credential:
        """A USER who showed the password; NotAuthenticated else, at the same cost."""
        found: Credential | None = None
        try:
            found = self.by_reference(door, user, origin)
        except NotAuthenticated:
            if self._decoy is None:
                self._decoy = self._hasher.hash("nobody's password")
        phc = found.verifier if found is not None and found.verifier else self._decoy
        phc = phc or self._hasher.hash("nobody's password")
        correct = len(password) <= _MAX_SECRET and self._hasher.verify(phc, password)
        if found is None or not found.verifier or not correct:
            if found is not None:
                self.failed(door, found, origin)
            raise _refused()
        self.proven(origin)
        return found

    def _shut(self, found: Credential) -> bool:
        """Whether nobody may use it: one that is spent may finish what it began."""
        closed = found.state in (CredentialState.LOCKED, CredentialState.REVOKED)
        return closed or (found.state is CredentialState.OPEN and found.expired(self._clock.s()))

    def _take(self, origin: str) -> None:
        try:
            self._wrong.take(origin)
        except TooOften as error:
            raise TooOften(
                str(error),
                field="credential",
                rule="credential.rate",
                remedy=error.remedy,
                retry_after_s=error.retry_after_s,
            ) from None

    def _made(self, principal: Principal, door: str, new: NewCredential, now: int) -> Issued:
        check_binding(new.binding)
        _check(new)
        credential_id = new_id(now, self._entropy(10))
        raw = self._entropy(_SECRET)
        verifier, sealed = "", None
        if new.kind is CredentialKind.ACCOUNT:
            secret = urlsafe_b64encode(raw).rstrip(b"=").decode()
        else:
            secret = new.secret or b32encode(raw).rstrip(b"=").decode()
            raw = secret.encode()
        if new.kind is CredentialKind.ONE_TIME:
            reference = self._digest(secret)
        else:
            reference = new.reference or b32encode(self._entropy(10)).decode().lower()
        if new.kind is CredentialKind.USER:
            verifier = self._hasher.hash(secret)
        if new.kind in (CredentialKind.SECRET, CredentialKind.ACCOUNT) or new.recoverable:
            sealed = self._sealer.seal(raw, f"{_SEALED} {credential_id}")
        credential = Credential(
            id=credential_id,
            door=door,
            kind=new.kind,
            reference=reference,
            binding=new.binding,
            created_by=principal.name,
            created_at=now // 1000,
            verifier=verifier,
            sealed=sealed,
            uses_left=new.uses,
            max_failures=new.max_failures,
            expires_at=None if new.expires_s is None else now // 1000 + new.expires_s,
            note=new.note,
        )
        return Issued(credential, secret)

    def _digest(self, secret: str) -> str:
        return self._sealer.digest(secret[:_MAX_SECRET].encode("utf-8", "replace"), _DIGEST).hex()


def _check(new: NewCredential) -> None:
    if new.secret is not None and not 8 <= len(new.secret) <= _MAX_SECRET:
        raise BadRequest(
            f"a secret has 8 to {_MAX_SECRET} characters",
            field="secret",
            rule="credential.secret",
            remedy="leave it out: one with 256 random bits is made",
        )
    if new.reference is not None and not (
        0 < len(new.reference) <= _MAX_REFERENCE and new.reference.isprintable()
    ):
        raise BadRequest(
            f"a name has 1 to {_MAX_REFERENCE} printable characters",
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


def _event(principal: Principal, what: str, credential: Credential) -> AuditEvent:
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


def _known(session: Session, credential_id: str) -> Credential:
    found = session.enrolments.credential(credential_id)
    if found is None:
        raise NotFound(f"no credential {credential_id[:80]!r}", field="id", rule="credential.known")
    return found


def _refused() -> NotAuthenticated:
    return NotAuthenticated(
        "the credential is unknown, spent, expired or locked, or its secret is wrong",
        field="credential",
        rule="credential.valid",
        remedy="have a new one made",
    )


def _no_door(name: str) -> NotFound:
    return NotFound(
        f"no door {name[:80]!r}",
        field="door",
        rule="door.known",
        remedy="`chancery door list` shows those there are",
    )
