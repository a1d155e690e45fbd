"""Who the custodians are, and which sets of shares they hold: names and hashes, never a share."""

from collections.abc import Callable
from dataclasses import dataclass

from chancery.domain.custody import (
    CustodyPurpose,
    Holder,
    RecordedSet,
    RegisteredCustodian,
    ShareSet,
)
from chancery.domain.errors import Conflict, NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.ports import Clock, Session, Store
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.wire import custody


@dataclass(frozen=True, slots=True)
class Seal:
    """What opens this server's vault at its next start; *share_set* where custodians do."""

    kind: str
    share_set: ShareSet | None = None


def may_read(principal: Principal) -> None:
    """Operators of CAs work with custodians, auditors look on."""
    if Permission.AUDIT_READ not in principal.permissions:
        demand(principal, Permission.AUTHORITY_MANAGE)


class CustodyService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, seal: Callable[[], Seal | None]) -> None:
        """*seal* looks at the vault of this machine; None where it has none."""
        self._store = store
        self._clock = clock
        self._seal = seal

    def seal(self, principal: Principal) -> Seal | None:
        may_read(principal)
        return self._seal()

    def custodians(self, principal: Principal) -> list[RegisteredCustodian]:
        may_read(principal)
        with self._store.read() as session:
            return session.custody.custodians()

    def sets(self, principal: Principal) -> list[RecordedSet]:
        """Newest first, those retired too."""
        may_read(principal)
        with self._store.read() as session:
            return session.custody.sets()

    def put(
        self, principal: Principal, name: str, full_name: str, recipient: str
    ) -> RegisteredCustodian:
        """Put a custodian on record, or change who that is and whom shares are encrypted to."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        now = self._clock.s()
        wanted = RegisteredCustodian(name, full_name.strip(), recipient.strip(), now)
        custody.check_recipient(wanted.custodian)

        def unit(session: Session) -> RegisteredCustodian:
            others = [one for one in session.custody.custodians() if one.name != name]
            key = wanted.custodian.key
            same = [one for one in others if key and one.custodian.key == key]
            if same:
                raise Conflict(
                    f"{same[0].name} has the same key: one person, two shares",
                    field="recipient",
                    rule="custody.one-share",
                    remedy="give each custodian a key of their own",
                )
            known = session.custody.custodian(name)
            kept = (
                wanted
                if known is None
                else RegisteredCustodian(name, wanted.full_name, wanted.recipient, known.created_at)
            )
            session.custody.put_custodian(kept)
            leaf = event(principal, "custodian.recorded", name, printed=not wanted.recipient)
            session.audit.append([leaf], self._clock.ms())
            return kept

        return self._store.write(unit)

    def retire(self, principal: Principal, name: str) -> RegisteredCustodian:
        """Somebody is no custodian any more; the sets that still name them are told of."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        now = self._clock.s()

        def unit(session: Session) -> RegisteredCustodian:
            known = session.custody.custodian(name)
            if known is None:
                raise NotFound(
                    f"no custodian {name!r}",
                    field="name",
                    rule="custodian.known",
                    remedy="`chancery custodian list` shows them",
                )
            if known.retired_at is not None:
                raise WrongState(
                    f"{name} is retired already", field="name", rule="custodian.retired"
                )
            gone = RegisteredCustodian(
                name, known.full_name, known.recipient, known.created_at, now
            )
            session.custody.put_custodian(gone)
            held = [
                one.share_set.id
                for one in session.custody.sets()
                if one.retired_at is None
                and any(holder.name == name for holder in one.share_set.holders)
            ]
            leaf = event(principal, "custodian.retired", name, still_in=held)
            session.audit.append([leaf], self._clock.ms())
            return gone

        return self._store.write(unit)

    def record(self, principal: Principal, document: str) -> RecordedSet:
        """Put a set on record that a ceremony or a backup made; those before it are retired.

        Holders who are on record must have the key that is on record.
        """
        demand(principal, Permission.AUTHORITY_MANAGE)
        share_set = custody.read_document(document)

        def unit(session: Session) -> RecordedSet:
            for holder in share_set.holders:
                known = session.custody.custodian(holder.name)
                if known is not None and known.retired_at is not None:
                    raise Conflict(
                        f"{holder.name} is retired and holds a share of this set",
                        field="document",
                        rule="custodian.retired",
                        remedy="replace them, or put them on record again",
                    )
                key = known.custodian.key if known is not None else ""
                if key and key != holder.custodian.key:
                    raise _other_key(holder)
            self._demand_newest(session, share_set)
            made = session.custody.put_set(share_set)
            leaf = event(
                principal,
                "custody.set-recorded",
                share_set.id,
                purpose=share_set.purpose.value,
                threshold=share_set.threshold,
                custodians=[one.name for one in share_set.holders],
            )
            session.audit.append([leaf], self._clock.ms())
            return made

        return self._store.write(unit)

    @staticmethod
    def _demand_newest(session: Session, share_set: ShareSet) -> None:
        """An old set that is found again does not take the place of the one in force."""
        for one in session.custody.sets():
            newer = one.share_set.made_at > share_set.made_at and one.retired_at is None
            same = one.share_set.purpose is share_set.purpose
            if newer and same and share_set.purpose is not CustodyPurpose.OFFLINE_STORE:
                raise Conflict(
                    f"set {one.share_set.id} was made later and is in force",
                    field="document",
                    rule="custody.set-older",
                    remedy="give the set.json of the last change of custodians",
                )


def _other_key(holder: Holder) -> Conflict:
    return Conflict(
        f"the share of {holder.name} is for another key than the one on record",
        field="document",
        rule="custodian.key",
        remedy="`chancery custodian put` records a new key; or make the set anew",
    )
