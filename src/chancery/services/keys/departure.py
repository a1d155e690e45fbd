"""What every way out for a key begins and ends with."""

import base64
from collections.abc import Callable
from typing import Any

from chancery.domain.errors import BadRequest, NotPermitted
from chancery.domain.identity import Principal
from chancery.domain.key_leaving import STOPPED, not_handed_out
from chancery.domain.key_orders import KeyOrder
from chancery.domain.key_states import state_at
from chancery.domain.managed_key import Exportability, KeyVersion, ManagedKey
from chancery.ports import Session
from chancery.services.audit import event
from chancery.services.keys.desk import Desk, KeyView, Outcome


def leaves(desk: Desk, key: ManagedKey, version: KeyVersion) -> None:
    """Raise unless a version may be handed out at all."""
    if key.rules.exportability is Exportability.NONE:
        raise NotPermitted(
            f"{key.name} is not exportable (N)",
            field="key",
            rule="key.exportability",
            remedy="a key is exportable only if its template said so when it was made",
        )
    now = desk.clock.s()
    if state_at(version.dates, now) in STOPPED:
        raise not_handed_out(f"{key.name} version {version.number}", version.dates, now)


def left(
    desk: Desk, principal: Principal, key: ManagedKey, version: KeyVersion, order: KeyOrder | None,
    data: bytes, *, how: str, also: Callable[[Session], None] | None = None, **details: Any,
) -> Outcome:  # fmt: skip
    """Put on record that a key has left; only then are the octets answered."""

    def unit(session: Session) -> KeyView:
        if also is not None:
            also(session)
        desk.close(session, order)
        told = event(
            principal, "key.exported", key.name, version=version.number, how=how,
            check_value=version.facts.check_value,
            order=None if order is None else order.id,
            approvers=[] if order is None else list(order.approvers), **details,
        )  # fmt: skip
        session.audit.append([told], desk.clock.ms())
        return desk.view(session, key)

    return Outcome(desk.store.write(unit), data=data)


def octets_of(text: str, field: str) -> bytes:
    """The octets of base64 *text*, BadRequest beside *field* if it is not that."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadRequest("this is not base64", field=field, rule="base64") from None
