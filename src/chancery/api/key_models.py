"""What the key routes take and give, in pydantic."""

import base64
from typing import Annotated, Any, Final

from pydantic import Field

from chancery.api.models import In, Name, Out, Reason, Text
from chancery.api.problems import Invalid
from chancery.domain.key_orders import KeyAction, KeyOrder, OrderState
from chancery.domain.key_states import KeyState, since, state_at
from chancery.domain.managed_key import (
    CheckMethod,
    Exportability,
    KeyKind,
    KeyUse,
    KeyVersion,
    Origin,
    RotationPolicy,
)
from chancery.services.keys.desk import KeyView, Outcome
from chancery.services.keys.wanted import Wanted

MAX_DATA: Final = 700 * 1024  # octets; a body has at most 1 MiB
Octets = Annotated[str, Field(max_length=MAX_DATA * 4 // 3 + 4, description="Base64.")]
Instant = Annotated[int, Field(ge=0, le=32_503_680_000)]
"""Unix seconds, up to the year 3000."""
Version = Annotated[int, Field(ge=1, le=1_000_000)]


class DatesOut(Out):
    """When things happened to a version, or are to happen."""

    created: int
    activation: int | None
    protect_stop: int | None
    deactivation: int | None
    suspended: int | None
    compromise_occurred: int | None
    compromised: int | None
    destroyed: int | None


class KeyVersionOut(Out):
    """One generation of a key: what may be known of it."""

    number: int
    state: KeyState
    since_at: int
    origin: Origin
    vault: str
    check_value: str
    check_method: CheckMethod
    fingerprint: str
    public_key: str
    created_by: str
    note: str
    dates: DatesOut


class RotationIO(Out):
    """Days between versions (0: by hand), and for which the old one reads on (-1: for good)."""

    every: Annotated[int, Field(ge=0, le=36_500)] = 0
    overlap: Annotated[int, Field(ge=-1, le=36_500)] = 0
    warn: Annotated[int, Field(ge=0, le=3_650)] = 14

    def policy(self) -> RotationPolicy:
        return RotationPolicy(self.every, self.overlap, self.warn)


class KeyOut(Out):
    """A managed key.  *state* is that of its current version, *current*."""

    id: str
    name: str
    group: str
    kind: KeyKind
    state: KeyState
    since_at: int
    current: int
    uses: list[KeyUse]
    exportability: Exportability
    approvals: int
    pkcs: bool
    trusted: bool
    template: str
    description: str
    custodian: str
    check_value: str
    check_method: CheckMethod
    rotation: RotationIO
    rotates_at: int | None
    cryptoperiod: int
    block_usage: str
    block_mode: str
    labels: dict[str, str]
    created_at: int
    created_by: str
    versions: list[KeyVersionOut]


class KeyOrderOut(Out):
    """Something that waits for others to agree to it."""

    id: str
    key: str
    group: str
    action: KeyAction
    parameters: dict[str, Any]
    content: str
    needed: int
    requested_by: list[str]
    approvers: list[str]
    state: OrderState
    created_at: int
    expires_at: int
    reason: str


class KeyOutcomeOut(Out):
    """What came of it: the key as it is now, and what was handed out; or *order*, that waits."""

    key: KeyOut | None = None
    order: KeyOrderOut | None = None
    data: str | None = Field(default=None, description="Base64 of what was handed out.")


class WantedIn(In):
    """What a new key is to be."""

    name: Name
    group: Name
    template: Name
    description: Text = ""
    custodian: Text = ""
    activation: Instant | None = Field(default=None, description="Unix seconds; now if missing.")
    vault: Name = "software"
    uses: list[Annotated[KeyUse, Field(strict=False)]] | None = None
    exportability: Annotated[Exportability, Field(strict=False)] | None = None
    labels: dict[str, str] = Field(default_factory=dict)

    def wanted(self) -> Wanted:
        return Wanted(
            self.name,
            self.group,
            self.template,
            self.description,
            self.custodian,
            self.activation,
            self.vault,
            None if self.uses is None else frozenset(self.uses),
            self.exportability,
            self.labels,
        )


class ReasonIn(In):
    reason: Reason


def octets(text: str, field: str) -> bytes:
    """The octets in base64 *text*; Invalid if it is not that."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid("this is not base64", field, "base64") from None


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def version_out(version: KeyVersion, now: int) -> KeyVersionOut:
    dates = version.dates
    return KeyVersionOut(
        number=version.number,
        state=state_at(dates, now),
        since_at=since(dates, now),
        origin=version.origin,
        vault=version.vault,
        check_value=version.facts.check_value,
        check_method=version.facts.check_method,
        fingerprint=version.facts.fingerprint,
        public_key=text_of(version.facts.spki),
        created_by=version.created_by,
        note=version.note,
        dates=DatesOut(**{field: getattr(dates, field) for field in DatesOut.model_fields}),
    )


def key_out(view: KeyView, now: int) -> KeyOut:
    key, current = view.key, view.current
    return KeyOut(
        id=key.id,
        name=key.name,
        group=key.group,
        kind=key.kind,
        state=state_at(current.dates, now),
        since_at=since(current.dates, now),
        current=key.current,
        uses=sorted(key.rules.uses),
        exportability=key.rules.exportability,
        approvals=key.rules.approvals,
        pkcs=key.rules.pkcs,
        trusted=key.rules.trusted,
        template=key.template,
        description=key.description,
        custodian=key.custodian,
        check_value=current.facts.check_value,
        check_method=current.facts.check_method,
        rotation=RotationIO(
            every=key.rotation.every, overlap=key.rotation.overlap, warn=key.rotation.warn
        ),
        rotates_at=key.rotates_at,
        cryptoperiod=key.cryptoperiod,
        block_usage=key.block_usage,
        block_mode=key.block_mode,
        labels=key.labels,
        created_at=key.created_at,
        created_by=key.created_by,
        versions=[version_out(one, now) for one in view.versions],
    )


def order_out(order: KeyOrder) -> KeyOrderOut:
    return KeyOrderOut(
        id=order.id,
        key=order.key,
        group=order.group,
        action=order.action,
        parameters=dict(order.parameters),
        content=order.content,
        needed=order.needed,
        requested_by=list(order.requested_by),
        approvers=list(order.approvers),
        state=order.state,
        created_at=order.created_at,
        expires_at=order.expires_at,
        reason=order.reason,
    )


def outcome_out(found: Outcome, now: int) -> KeyOutcomeOut:
    return KeyOutcomeOut(
        key=None if found.view is None else key_out(found.view, now),
        order=None if found.order is None else order_out(found.order),
        data=text_of(found.data) if found.data else None,
    )
