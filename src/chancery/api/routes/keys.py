"""Managed keys: made, found, changed, rotated."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.key_models import (
    Instant,
    KeyOut,
    KeyOutcomeOut,
    Octets,
    RotationIO,
    Version,
    WantedIn,
    key_out,
    octets,
    outcome_out,
)
from chancery.api.models import Cursor, In, Limit, Name, Out, PageOut, Reason, Text
from chancery.api.paging import decode, paged
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.key_states import KeyEvent
from chancery.domain.managed_key import KeyKind
from chancery.ports_keys import KeyFilter

door = Door("/keys", "keys")
dates = Door("/key-calendar", "keys")

Method = Annotated[str, Field(min_length=1, max_length=40)]


class UnwrapIn(WantedIn):
    """A key under a wrapping key of ours; *wrapped* of a key block is its text."""

    by: Name
    method: Method
    wrapped: Octets
    version: Version | None = None


class PackedIn(WantedIn):
    """A private key as DER PKCS#8 or PKCS#12 under a passphrase."""

    packed: Octets
    passphrase: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


class DeriveIn(WantedIn):
    by: Name
    method: Method
    context: Octets = ""
    salt: Octets = ""
    version: Version | None = None


class StateIn(In):
    event: Annotated[KeyEvent, Field(strict=False)]
    reason: Reason
    at: Instant | None = Field(
        default=None,
        description="When it takes effect; for compromise, since when it may be known.",
    )
    version: Version | None = None


class RotateIn(In):
    reason: Text = ""


class KeyEditIn(In):
    description: Text | None = None
    custodian: Text | None = None
    rotation: RotationIO | None = None
    labels: dict[str, str] | None = None


class DueOut(Out):
    """Something that is to happen to a key."""

    at: int
    key: str
    group: str
    version: int
    what: str


@door.route("GET", "", Permission.KEY_READ)
def list_keys(
    who: Who,
    using: Using,
    group: Annotated[str, Query(max_length=64)] = "",
    kind: KeyKind | None = None,
    text: Annotated[str, Query(max_length=64)] = "",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[KeyOut]:
    """List the keys that one may see, by name."""
    where = KeyFilter(None, group, "" if kind is None else kind.value, text)
    found = using.keys.life.find(who, where, decode(cursor), limit + 1)
    now = using.clock.s()
    return paged(found, limit, lambda view: view.key.name, lambda view: key_out(view, now))


@door.route("POST", "", Permission.KEY_MANAGE, status=201)
def generate_key(who: Who, using: Using, body: WantedIn) -> KeyOut:
    """Generate a key from a template."""
    return key_out(using.keys.making.generate(who, body.wanted()), using.clock.s())


@door.route("POST", "/unwrap", Permission.KEY_MANAGE, status=201)
def unwrap_key(who: Who, using: Using, body: UnwrapIn) -> KeyOut:
    """Import a key that is wrapped: AES-KW, AES-KWP, RSA-OAEP, RSA-AES, X9.143 key block."""
    made = using.keys.making.unwrap(
        who, body.wanted(), body.by, body.method, octets(body.wrapped, "wrapped"), body.version
    )
    return key_out(made, using.clock.s())


@door.route("POST", "/import", Permission.KEY_MANAGE, status=201)
def import_key(who: Who, using: Using, body: PackedIn) -> KeyOut:
    """Import a private key from PKCS#8 or PKCS#12."""
    packed = octets(body.packed, "packed")
    made = using.keys.making.insert(who, body.wanted(), packed, body.passphrase)
    return key_out(made, using.clock.s())


@door.route("POST", "/derive", Permission.KEY_MANAGE, status=201)
def derive_key(who: Who, using: Using, body: DeriveIn) -> KeyOut:
    """Derive a key from another: HKDF, KBKDF, or ECDH with a peer's public key."""
    context, salt = octets(body.context, "context"), octets(body.salt, "salt")
    made = using.keys.making.derive(
        who, body.wanted(), body.by, body.method, context, salt, body.version
    )
    return key_out(made, using.clock.s())


@dates.route("GET", "", Permission.KEY_READ)
def key_calendar(
    who: Who,
    using: Using,
    start: Annotated[int | None, Query(ge=0, le=32_503_680_000)] = None,
    days: Annotated[int, Query(ge=1, le=3660)] = 90,
) -> list[DueOut]:
    """List what is to happen to the keys one may see: rotations, ends, beginnings."""
    begin = using.clock.s() if start is None else start
    return [
        DueOut(at=due.at, key=due.key, group=due.group, version=due.version, what=due.what)
        for due in using.keys.life.calendar(who, begin, days)
    ]


@door.route("GET", "/{name}", Permission.KEY_READ)
def show_key(who: Who, using: Using, name: str) -> KeyOut:
    """Show a key and all its versions."""
    return key_out(using.keys.life.show(who, name), using.clock.s())


@door.route("PATCH", "/{name}", Permission.KEY_MANAGE)
def edit_key(who: Who, using: Using, name: str, body: KeyEditIn) -> KeyOutcomeOut:
    """Change what is said about a key, and when it is renewed."""
    done = using.keys.life.edit(
        who,
        name,
        description=body.description,
        custodian=body.custodian,
        rotation=None if body.rotation is None else body.rotation.policy(),
        labels=body.labels,
    )
    return outcome_out(done, using.clock.s())


@door.route("POST", "/{name}/state", Permission.KEY_MANAGE)
def change_key_state(who: Who, using: Using, name: str, body: StateIn) -> KeyOutcomeOut:
    """Activate, suspend, resume, deactivate, report as compromised, destroy."""
    done = using.keys.life.change(
        who, name, body.event, body.reason, at=body.at, version=body.version
    )
    return outcome_out(done, using.clock.s())


@door.route("POST", "/{name}/rotate", Permission.KEY_MANAGE)
def rotate_key(who: Who, using: Using, name: str, body: RotateIn) -> KeyOutcomeOut:
    """Make a new version; the old one ends as the rotation policy says."""
    return outcome_out(using.keys.making.rotate(who, name, body.reason), using.clock.s())
