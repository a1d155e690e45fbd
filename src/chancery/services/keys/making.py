"""How keys come into being on record: generated, imported, derived; and their next versions."""

from collections.abc import Callable
from dataclasses import replace

from chancery.domain.errors import AlreadyExists, BadRequest, NotPermitted, WrongState
from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight, KeyTemplate
from chancery.domain.key_orders import KeyAction, KeyAuthority, KeyOrder
from chancery.domain.key_states import Effect, KeyDates, KeyState, shown, state_at
from chancery.domain.managed_key import (
    Family,
    KeyFacts,
    KeyVersion,
    ManagedKey,
    Origin,
    RotationPolicy,
    check_key_name,
)
from chancery.ports import Session
from chancery.ports_keys import NewKey
from chancery.services.audit import event
from chancery.services.keys.desk import (
    DAY,
    Desk,
    KeyView,
    Outcome,
    authority,
    needed,
)
from chancery.services.keys.wanted import Wanted, check_fit, check_texts, narrowed
from chancery.services.keys.watching import REFUSED, watched
from chancery.services.request_access import bounded
from chancery.wire import key_block

Make = Callable[[NewKey, KeyAuthority], KeyFacts]


class Making:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @watched("key.making-refused")
    def generate(self, principal: Principal, wanted: Wanted) -> KeyView:
        return self.make(principal, wanted, Origin.GENERATED, self._desk.vault.generate)

    @watched("key.import-refused", REFUSED)
    def unwrap(
        self, principal: Principal, wanted: Wanted, by: str, method: str, wrapped: bytes,
        version: int | None = None,
    ) -> KeyView:  # fmt: skip
        """Import a key that a managed key opens; of a key block the header counts too."""
        header = None
        if method in key_block.METHODS:
            header = key_block.peek(wrapped.decode("ascii", "replace"))
        with self._desk.store.read() as session:
            opener = self._desk.usable(session, principal, by, Effect.PROCESS, version)[1]

        def make(new: NewKey, who: KeyAuthority) -> KeyFacts:
            return self._desk.vault.unwrap(new, who, opener.handle, method, wrapped)

        return self.make(principal, wanted, Origin.IMPORTED, make, header=header, by=by)

    @watched("key.import-refused", REFUSED)
    def insert(
        self, principal: Principal, wanted: Wanted, packed: bytes, passphrase: str
    ) -> KeyView:
        """Import a private key from PKCS#8 or PKCS#12 under a passphrase."""

        def make(new: NewKey, who: KeyAuthority) -> KeyFacts:
            return self._desk.vault.insert(new, who, packed, passphrase)

        return self.make(principal, wanted, Origin.IMPORTED, make)

    @watched("key.making-refused", REFUSED)
    def derive(
        self, principal: Principal, wanted: Wanted, by: str, method: str, context: bytes,
        salt: bytes = b"", version: int | None = None,
    ) -> KeyView:  # fmt: skip
        with self._desk.store.read() as session:
            parent = self._desk.usable(session, principal, by, Effect.PROTECT, version)[1]

        def make(new: NewKey, who: KeyAuthority) -> KeyFacts:
            return self._desk.vault.derive(new, who, parent.handle, method, context, salt)

        return self.make(principal, wanted, Origin.DERIVED, make, by=by)

    def make(
        self,
        principal: Principal,
        wanted: Wanted,
        origin: Origin,
        make: Make,
        *,
        header: key_block.BlockHeader | None = None,
        by: str = "",
        like: tuple[ManagedKey, KeyDates] | None = None,
        also: Callable[[Session], None] = lambda _: None,
    ) -> KeyView:
        """Have the boundary make the key, then put it on record with its audit event.

        *like*: it is that key again, held to the same rules; what its time was
        is over as it would have been, and who may know it knows it still.
        """
        check_key_name(wanted.name)
        check_texts(wanted.description, wanted.custodian, wanted.labels)
        now = self._desk.clock.s()
        with self._desk.store.read() as session:
            self._desk.group(session, principal, wanted.group, KeyRight.MANAGE)
            template = self._desk.template(session, wanted.template)
            check_fit(template, wanted, origin)
            self._approved(template)
            self._desk.free(session, wanted.name)
        rules = narrowed(template, wanted) if like is None else like[0].rules
        if header is not None:
            key_block.check_inward(header, rules.uses, rules.exportability)
        activation = now if wanted.activation is None else wanted.activation
        if activation < now:
            raise BadRequest(f"{shown(activation)} is past", field="activation", rule="key.at")
        key = ManagedKey(
            id=self._desk.new_id(),
            name=wanted.name,
            group=wanted.group,
            kind=template.kind if like is None else like[0].kind,
            rules=rules,
            template=template.name,
            description=wanted.description,
            custodian=wanted.custodian,
            rotation=template.rotation,
            cryptoperiod=template.cryptoperiod,
            created_at=now,
            created_by=principal.name,
            current=1,
            rotates_at=next_rotation(template.rotation, activation),
            block_usage=template.block_usage if header is None else header.usage,
            block_mode=template.block_mode if header is None else header.mode,
            labels=dict(wanted.labels),
        )
        dates = first_dates(key, now, activation)
        if like is not None:
            dates = _again(like[1], now)
        return self._record(principal, key, dates, wanted.vault, origin, make, by, also)

    def _record(
        self, principal: Principal, key: ManagedKey, dates: KeyDates, vault: str, origin: Origin,
        make: Make, by: str, also: Callable[[Session], None],
    ) -> KeyView:  # fmt: skip
        new = NewKey(handle_of(key, 1), vault, key.kind, key.rules, dates)
        facts = make(new, authority(principal))
        version = KeyVersion(key.id, 1, new.handle, vault, origin, facts, dates, principal.name)
        now = self._desk.clock.ms()

        def unit(session: Session) -> KeyView:
            session.keys.add(key, version)
            also(session)
            made = event(
                principal, f"key.{origin.value}", key.name, id=key.id, group=key.group,
                kind=key.kind.value, template=key.template, check_value=facts.check_value,
                check_method=facts.check_method.value, uses=sorted(key.rules.uses),
                exportability=key.rules.exportability.value, activation=dates.activation, by=by,
            )  # fmt: skip
            session.audit.append([made], now)
            return KeyView(key, [version])

        return self._desk.store.write(unit)

    def _approved(self, template: KeyTemplate) -> None:
        if self._desk.approved_mode and template.kind.family is Family.TDES:
            raise NotPermitted(
                "TDES is no approved algorithm (NIST SP 800-131A r2), and this is approved mode",
                field="template",
                rule="approved.algorithm",
                remedy="use a template with an AES key",
            )

    # The next version

    @watched("key.change-refused")
    def rotate(
        self, principal: Principal, name: str, reason: str = "", *, order: KeyOrder | None = None
    ) -> Outcome:
        """Make a new version; the old one ends as the rotation policy says."""
        bounded(reason, "reason")
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            old = self._desk.version(session, key)
        if state_at(old.dates, self._desk.clock.s()) is KeyState.PRE_ACTIVE:
            raise WrongState(
                f"{name} version {old.number} has not begun yet: there is nothing to rotate",
                field="key",
                rule="key.rotate",
                remedy="activate it, or destroy it",
            )
        if order is None and (others := needed(key, group)):
            asked = {"name": name, "reason": reason}
            return self._desk.order(principal, key, KeyAction.ROTATE, asked, others)
        return Outcome(self.renew(principal, key, old, reason, order))

    def renew(
        self,
        principal: Principal,
        key: ManagedKey,
        old: KeyVersion,
        reason: str,
        order: KeyOrder | None = None,
    ) -> KeyView:
        """The step that ``rotate`` and the schedule share."""
        now = self._desk.clock.s()
        dates = first_dates(key, now, now)
        who = authority(principal, order)
        new = NewKey(handle_of(key, key.current + 1), old.vault, key.kind, key.rules, dates)
        try:
            facts = self._desk.vault.generate(new, who)
        except AlreadyExists:  # made once, and never on record: the key must not be stuck with it
            new = replace(new, handle=f"{new.handle}.{self._desk.entropy(4).hex()}")
            facts = self._desk.vault.generate(new, who)
        version = KeyVersion(
            key.id, key.current + 1, new.handle, old.vault, Origin.GENERATED, facts, dates,
            principal.name, reason,
        )  # fmt: skip
        ended = replace(old, dates=_retired(old.dates, key.rotation, now))
        renewed = replace(key, current=version.number, rotates_at=next_rotation(key.rotation, now))

        def unit(session: Session) -> KeyView:
            session.keys.update(renewed, before=key)
            session.keys.add_version(version)
            session.keys.update_version(ended)
            self._desk.close(session, order)
            told = event(
                principal, "key.rotated", key.name, version=version.number,
                check_value=facts.check_value, old_version=old.number,
                old_deactivation=ended.dates.deactivation, reason=reason,
                order=None if order is None else order.id,
                approvers=[] if order is None else list(order.approvers),
            )  # fmt: skip
            session.audit.append([told], self._desk.clock.ms())
            return self._desk.view(session, renewed)

        view = self._desk.store.write(unit)
        # Tightens only: the record already forbids what the boundary learns now.
        self._desk.vault.move(ended.handle, ended.dates, who)
        return view


def handle_of(key: ManagedKey, number: int) -> str:
    return f"{key.id}.{number}"


def first_dates(key: ManagedKey, now: int, activation: int) -> KeyDates:
    stop = activation + key.cryptoperiod * DAY if key.cryptoperiod else None
    return KeyDates(created=now, activation=activation, protect_stop=stop)


def _again(old: KeyDates, now: int) -> KeyDates:
    """The dates of a key that is brought back: it protects no longer than it would have."""
    stop = None if old.protect_stop is None else max(now, old.protect_stop)
    end = None if old.deactivation is None else max(now, old.deactivation)
    if old.destroyed is not None:
        stop = now
    return KeyDates(now, now, stop, end, None, old.compromise_occurred, old.compromised)


def next_rotation(policy: RotationPolicy, activation: int) -> int | None:
    return activation + policy.every * DAY if policy.every else None


def _retired(dates: KeyDates, policy: RotationPolicy, now: int) -> KeyDates:
    """What becomes of the version before: it protects nothing more, and ends by policy."""
    if state_at(dates, now) not in {KeyState.ACTIVE, KeyState.SUSPENDED}:
        return dates
    stop = now if dates.protect_stop is None else min(now, dates.protect_stop)
    if policy.overlap < 0:
        return replace(dates, protect_stop=stop)
    end = now + policy.overlap * DAY
    known = dates.deactivation
    return replace(dates, protect_stop=stop, deactivation=end if known is None else min(end, known))
