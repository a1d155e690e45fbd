"""Orders (RFC 8555 §7.4), with profiles and replacement (RFC 9773 §5)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from chancery.domain.acme import Identifier, OrderStatus, Several, identifier
from chancery.domain.errors import BadRequest, CAError
from chancery.protocols.acme.call import Call, octets, reply, text
from chancery.protocols.acme.problems import of_fault, shown
from chancery.protocols.exchange import Reply
from chancery.services.acme.orders import NewOrder, OrderView

_RETRY_S: Final = 5
"""Where people must approve first, a client asks again after this many seconds."""
_MAX_CSR: Final = 90_000  # characters of base64url


def new_order(call: Call) -> Reply:
    """Place one."""
    body = call.body()
    for name in ("notBefore", "notAfter"):
        if body.get(name) is not None:
            raise BadRequest(
                f"{name} is for the profile to say",
                field=name,
                rule="acme.validity",
                remedy="leave it out, or ask for another profile",
            )
    new = NewOrder(
        identifiers=tuple(_identifiers(body)),
        profile=text(body, "profile"),
        replaces=text(body, "replaces"),
    )
    view = call.acme.orders.place(call.door, call.settings, call.own, new, call.origin)
    return _shown(call, view, 201)


def order(call: Call) -> Reply:
    """Show one."""
    view = call.acme.orders.show(call.door, call.own, call.path[1], call.origin)
    return _shown(call, view, 200)


def finalize(call: Call) -> Reply:
    """Have the certificate made."""
    csr = octets(call.body(), "csr", most=_MAX_CSR)
    view = call.acme.orders.finalize(
        call.door, call.settings, call.own, call.path[1], csr, call.origin, call.account_url
    )
    return _shown(call, view, 200)


def one_identifier(value: object) -> Identifier:
    """An identifier object (RFC 8555 §9.7.7)."""
    found = value if isinstance(value, dict) else {}
    kind, name = found.get("type"), found.get("value")
    if not isinstance(kind, str) or not isinstance(name, str):
        raise BadRequest(
            "an identifier has type and value", field="identifiers", rule="acme.payload"
        )
    return identifier(kind, name)


def _identifiers(body: Mapping[str, Any]) -> list[Identifier]:
    given = body.get("identifiers")
    if not isinstance(given, list) or not given or len(given) > 1_000:
        raise BadRequest("an order lists identifiers", field="identifiers", rule="acme.payload")
    found: list[Identifier] = []
    refused: list[tuple[Identifier | None, CAError]] = []
    for one in given:
        try:
            found.append(one_identifier(one))
        except BadRequest as error:
            refused.append((None, error))
    if refused:
        raise Several(refused)
    return found


def _shown(call: Call, view: OrderView, status: int) -> Reply:
    found = view.order
    address = call.url("order", found.id)
    document: dict[str, object] = {
        "status": view.status.value,
        "expires": moment(found.expires_at),
        "identifiers": [shown(one) for one in found.identifiers],
        "authorizations": [call.url("authz", one) for one in found.authorizations],
        "finalize": f"{address}/finalize",
    }
    if found.profile is not None:
        document["profile"] = found.profile
    if found.replaces is not None:
        document["replaces"] = found.replaces
    fault = found.fault or next((one.fault for one in view.authorizations if one.fault), None)
    if fault is not None and view.status is OrderStatus.INVALID:
        document["error"] = of_fault(fault)
    if found.certificate_id is not None:
        document["certificate"] = call.url("certificate", found.certificate_id)
    headers = [("Location", address)]
    if view.status is OrderStatus.PROCESSING:
        headers.append(("Retry-After", str(_RETRY_S)))
    return reply(status, document, *headers)


def moment(seconds: int) -> str:
    """RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
