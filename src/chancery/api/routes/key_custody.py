"""Keys on their way out and back, in the hands of several people."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.key_models import (
    KeyOrderOut,
    KeyOut,
    KeyOutcomeOut,
    ReasonIn,
    Version,
    WantedIn,
    key_out,
    octets,
    order_out,
    outcome_out,
    text_of,
)
from chancery.api.models import Cursor, In, Limit, Name, Out, PageOut
from chancery.api.paging import decode, paged
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.key_orders import OrderState
from chancery.domain.managed_key import KeyKind
from chancery.services.keys.entries import EntryView

door = Door("/keys", "keys")
orders = Door("/key-orders", "keys")
components = Door("/key-components", "keys")

PublicKey = Annotated[str, Field(max_length=2_000, description="DER SubjectPublicKeyInfo, base64.")]
CheckValue = Annotated[str, Field(max_length=16)]


class WrapIn(In):
    """Under a wrapping key of ours, or under somebody's RSA public key."""

    method: Annotated[str, Field(min_length=1, max_length=40)]
    by: Name | None = None
    public_key: PublicKey | None = None
    version: Version | None = None
    block_usage: Annotated[str, Field(max_length=2)] = ""
    block_mode: Annotated[str, Field(max_length=1)] = ""


class PackageIn(In):
    form: Annotated[str, Field(min_length=1, max_length=10)]
    version: Version | None = None


class SplitIn(In):
    holders: Annotated[list[Name], Field(min_length=2, max_length=9)]
    version: Version | None = None


class EscrowIn(In):
    agents: Annotated[list[PublicKey], Field(min_length=2, max_length=16)]
    threshold: Annotated[int, Field(ge=2, le=16)]
    version: Version | None = None


class RecoverIn(In):
    to: Name
    shares: Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=16)]
    version: Version | None = None


class EscrowOut(Out):
    """The record of an escrow, JSON in base64: every agent's encrypted share is in it."""

    escrow: str


class ApproveIn(In):
    content: Annotated[str, Field(max_length=64)] = Field(
        default="", description="Hash of what you saw, to agree to that and nothing else."
    )


class PerformIn(In):
    passphrase: Annotated[str, Field(max_length=1024, repr=False)] = ""


class EntryIn(WantedIn):
    total: Annotated[int, Field(ge=2, le=9)]


class ComponentIn(In):
    number: Annotated[int, Field(ge=1, le=9)]
    component: Annotated[str, Field(max_length=256, repr=False, description="Hexadecimal.")]
    check_value: CheckValue = ""


class FinishIn(In):
    check_value: CheckValue = ""


class EntryOut(Out):
    """Components of one key: whose they are, which are in or were taken."""

    id: str
    key: str
    group: str
    kind: KeyKind
    outward: bool
    total: int
    holders: dict[str, str]
    seen: list[int]
    check_values: dict[str, str]
    created_by: str
    created_at: int
    expires_at: int
    closed: bool


class ComponentOut(Out):
    """A component: of one that goes out, its digits, shown this once."""

    number: int
    total: int
    component: str = Field(repr=False)
    check_value: str
    combined: str


def _entry(view: EntryView) -> EntryOut:
    entry, content = view.entry, view.content
    return EntryOut(
        id=entry.id,
        key=entry.key,
        group=entry.group,
        kind=content.kind,
        outward=entry.outward,
        total=entry.total,
        holders=content.parts,
        seen=list(content.seen),
        check_values=content.values,
        created_by=entry.created_by,
        created_at=entry.created_at,
        expires_at=entry.expires_at,
        closed=entry.closed,
    )


@door.route("POST", "/{name}/wrap", Permission.KEY_MANAGE)
def wrap_key(who: Who, using: Using, name: str, body: WrapIn) -> KeyOutcomeOut:
    """Hand a key out, wrapped; a key block comes as its text."""
    octets(body.public_key or "", "public_key")
    done = using.keys.leaving.wrap(
        who,
        name,
        body.method,
        by=body.by or "",
        public_key=body.public_key or "",
        version=body.version,
        block_usage=body.block_usage,
        block_mode=body.block_mode,
    )
    return outcome_out(done, using.clock.s())


@door.route("POST", "/{name}/package", Permission.KEY_MANAGE)
def package_key(who: Who, using: Using, name: str, body: PackageIn) -> KeyOutcomeOut:
    """Ask for a private key as PKCS#8 or PKCS#12; it is handed out when others have agreed."""
    done = using.keys.leaving.package(who, name, body.form, version=body.version)
    return outcome_out(done, using.clock.s())


@door.route("POST", "/{name}/split", Permission.KEY_MANAGE)
def split_key(who: Who, using: Using, name: str, body: SplitIn) -> KeyOutcomeOut:
    """Ask for a key in components, one for each holder."""
    done = using.keys.parts.split(who, name, body.holders, version=body.version)
    return outcome_out(done, using.clock.s())


@door.route("POST", "/{name}/escrow", Permission.KEY_MANAGE)
def escrow_key(who: Who, using: Using, name: str, body: EscrowIn) -> KeyOutcomeOut:
    """Ask for a key to be sealed for recovery agents."""
    done = using.keys.escrow.seal(who, name, body.agents, body.threshold, version=body.version)
    return outcome_out(done, using.clock.s())


@door.route("GET", "/{name}/escrow", Permission.KEY_MANAGE)
def show_escrow(
    who: Who, using: Using, name: str, version: Annotated[int | None, Query(ge=1)] = None
) -> EscrowOut:
    """Give the record of a key's escrow to its agents."""
    return EscrowOut(escrow=text_of(using.keys.escrow.record(who, name, version)))


@door.route("POST", "/{name}/recover", Permission.KEY_MANAGE, status=201)
def recover_key(who: Who, using: Using, name: str, body: RecoverIn) -> KeyOut:
    """Bring a key back from escrow as a new one, with its agents' shares."""
    made = using.keys.escrow.recover(who, name, body.shares, to=body.to, version=body.version)
    return key_out(made, using.clock.s())


@orders.route("GET", "", Permission.KEY_READ)
def list_key_orders(
    who: Who,
    using: Using,
    state: OrderState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[KeyOrderOut]:
    """List what waits for others to agree, or did."""
    found = using.keys.orders.find(who, state, decode(cursor), limit + 1)
    return paged(found, limit, lambda order: order.id, order_out)


@orders.route("GET", "/{order_id}", Permission.KEY_READ)
def show_key_order(who: Who, using: Using, order_id: str) -> KeyOrderOut:
    """Show one."""
    return order_out(using.keys.orders.show(who, order_id))


@orders.route("POST", "/{order_id}/approve", Permission.KEY_READ)
def approve_key_order(who: Who, using: Using, order_id: str, body: ApproveIn) -> KeyOrderOut:
    """Agree to what somebody else asked for."""
    return order_out(using.keys.orders.approve(who, order_id, body.content))


@orders.route("POST", "/{order_id}/deny", Permission.KEY_READ)
def deny_key_order(who: Who, using: Using, order_id: str, body: ReasonIn) -> KeyOrderOut:
    """Say no; or withdraw what one asked for."""
    return order_out(using.keys.orders.deny(who, order_id, body.reason))


@orders.route("POST", "/{order_id}/perform", Permission.KEY_MANAGE)
def perform_key_order(who: Who, using: Using, order_id: str, body: PerformIn) -> KeyOutcomeOut:
    """Carry out what others have agreed to; by who asked for it."""
    done = using.keys.orders.perform(who, order_id, body.passphrase)
    return outcome_out(done, using.clock.s())


@components.route("GET", "", Permission.KEY_READ)
def list_components(
    who: Who, using: Using, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[EntryOut]:
    """List the keys that come or go in components."""
    found = using.keys.parts.find(who, decode(cursor), limit + 1)
    return paged(found, limit, lambda view: view.entry.id, _entry)


@components.route("POST", "", Permission.KEY_MANAGE, status=201)
def begin_components(who: Who, using: Using, body: EntryIn) -> EntryOut:
    """Open an entry for a key that comes in components."""
    return _entry(using.keys.parts.begin(who, body.wanted(), body.total))


@components.route("POST", "/{entry_id}/enter", Permission.KEY_READ)
def enter_component(who: Who, using: Using, entry_id: str, body: ComponentIn) -> ComponentOut:
    """Bring a component; each comes from another person."""
    part = using.keys.parts.enter(who, entry_id, body.number, body.component, body.check_value)
    return ComponentOut(
        number=part.number,
        total=part.total,
        component="",
        check_value=part.check_value,
        combined="",
    )


@components.route("POST", "/{entry_id}/finish", Permission.KEY_MANAGE, status=201)
def finish_components(who: Who, using: Using, entry_id: str, body: FinishIn) -> KeyOut:
    """Make the key from its components."""
    return key_out(using.keys.parts.finish(who, entry_id, body.check_value), using.clock.s())


@components.route("POST", "/{entry_id}/take/{number}", Permission.AUTHENTICATED)
def take_component(who: Who, using: Using, entry_id: str, number: int) -> ComponentOut:
    """See one's own component of a key that goes out; once."""
    part = using.keys.parts.take(who, entry_id, number)
    return ComponentOut(
        number=part.number,
        total=part.total,
        component=part.component,
        check_value=part.check_value,
        combined=part.combined,
    )


@components.route("DELETE", "/{entry_id}", Permission.KEY_MANAGE, status=204)
def drop_components(who: Who, using: Using, entry_id: str) -> None:
    """Give an entry up; what came in is erased."""
    using.keys.parts.drop(who, entry_id)
