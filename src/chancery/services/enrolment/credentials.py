"""Credentials by which devices and servers enrol: made, shown once, presented, spent, locked."""

from base64 import b32encode, urlsafe_b64encode
from contextlib import suppress
from functools import cached_property
from typing import Final

from chancery.domain.audit import Outcome
from chancery.domain.door import Door
from chancery.domain.enrolment import Credential, CredentialKind, CredentialState
from chancery.domain.errors import NotAuthenticated, NotFound, TooOften, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, PasswordHasher, Session, Store
from chancery.ports_sign_in import Sealer
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment.binding import check_binding
from chancery.services.enrolment.credential_rules import (
    MAX_REFERENCE,
    MAX_SECRET,
    Issued,
    NewCredential,
    check,
    check_offer,
    credential_event,
    known,
    no_door,
    refused,
)
from chancery.services.enrolment.password_memory import PasswordMemory
from chancery.services.portal.buckets import Buckets
from chancery.services.portal.policy import Rate

_SECRET: Final = 32  # octets of randomness
_DIGEST: Final = "door credential"
_SEALED: Final = "secret of a door credential"


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
        self._wrong = Buckets(Rate(per_hour=600, burst=120), clock, "wrong credentials")
        self._memory = PasswordMemory(entropy)

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
                raise no_door(door_name)
            for one in made:
                check_offer(session, door, one.credential)
                session.enrolments.add_credential(one.credential)
            session.audit.append(
                [credential_event(principal, "issued", one.credential) for one in made], now
            )

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
            return known(session, credential_id)

    def revoke(self, principal: Principal, credential_id: str) -> Credential:
        """Nobody enrols with it any more; what was issued stays valid."""
        demand(principal, Permission.CREDENTIAL_ISSUE)
        now = self._clock.ms()

        def unit(session: Session) -> Credential:
            found = known(session, credential_id)
            if found.state not in (CredentialState.OPEN, CredentialState.LOCKED):
                raise WrongState(
                    f"the credential is {found.state.value} already",
                    field="id",
                    rule="credential.open",
                )
            session.enrolments.set_credential_state(credential_id, CredentialState.REVOKED)
            session.audit.append([credential_event(principal, "revoked", found)], now)
            return known(session, credential_id)

        return self._store.write(unit)

    def delete(self, principal: Principal, credential_id: str) -> None:
        """Forget one that is closed, so that its name is free; the audit log remembers."""
        demand(principal, Permission.CREDENTIAL_ISSUE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            found = known(session, credential_id)
            if found.state is CredentialState.OPEN and not found.expired(now // 1000):
                raise WrongState(
                    "the credential is open",
                    field="id",
                    rule="credential.closed",
                    remedy="revoke it first",
                )
            session.enrolments.delete_credential(credential_id)
            session.audit.append([credential_event(principal, "deleted", found)], now)

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
            raise refused()
        self._wrong.give_back(origin)
        return found

    def by_reference(self, door: Door, reference: str, origin: str) -> Credential:
        """What is presented under that name, to be proven next; NotAuthenticated if nothing is."""
        self._take(origin)
        with self._store.read() as session:
            found = session.enrolments.by_reference(door.name, reference[:MAX_REFERENCE])
        if found is None or found.kind is CredentialKind.ONE_TIME or self._shut(found):
            raise refused()
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
        """A USER who showed the password; NotAuthenticated else, at the same cost.

        A right one is known again without Argon2: devices send theirs with every request.
        """
        found: Credential | None = None
        with suppress(NotAuthenticated):
            found = self.by_reference(door, user, origin)
        if found is None or not found.verifier:
            self._hasher.verify(self._nobody, password[:MAX_SECRET])
            raise refused()
        if not self._memory.knows(found.verifier, password):
            if len(password) > MAX_SECRET or not self._hasher.verify(found.verifier, password):
                self.failed(door, found, origin)
                raise refused()
            self._memory.keep(found.verifier, password)
        self.proven(origin)
        return found

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("nobody's password")

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
        check(new)
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
        return self._sealer.digest(secret[:MAX_SECRET].encode("utf-8", "replace"), _DIGEST).hex()
