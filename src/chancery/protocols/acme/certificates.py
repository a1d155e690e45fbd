"""Certificates: fetched, revoked, and when to renew them (RFC 8555 §7.4.2, §7.6; RFC 9773)."""

from typing import Final

from chancery.domain.errors import NotFound
from chancery.protocols.acme.call import Call, link, octets, reply
from chancery.protocols.acme.orders import moment
from chancery.protocols.exchange import Reply
from chancery.wire import pem

_PEM: Final = "application/pem-certificate-chain"
_MAX_CERTIFICATE: Final = 90_000  # characters of base64url
_LOOK_AGAIN_S: Final = 6 * 3_600
"""How often a client asks whether it should renew (RFC 9773 §4.3.2)."""


def certificate(call: Call) -> Reply:
    """One with its chain; links lead to its other chains."""
    record, chains = call.acme.orders.certificate(call.door, call.own, call.path[1])
    chosen = int(call.path[2]) if len(call.path) > 2 and call.path[2].isdigit() else 0
    if len(call.path) > 2 and not 0 < chosen < len(chains):
        raise NotFound("there is no such chain", field="certificate", rule="certificate.known")
    body = "".join(pem.encode("CERTIFICATE", der) for der in (record.der, *chains[chosen]))
    headers = [("Content-Type", _PEM)]
    for at in range(len(chains)):
        if at != chosen:
            place = (str(at),) if at else ()
            headers.append(link(call.url("certificate", record.id, *place), "alternate"))
    return Reply(200, tuple(headers), body.encode())


def revoke(call: Call) -> Reply:
    """By the account that ordered it or is authorized for it, or by its own key."""
    body = call.body()
    call.acme.revocation.revoke(
        call.door,
        octets(body, "certificate", most=_MAX_CERTIFICATE),
        body.get("reason"),
        call.origin,
        account=call.account,
        key=call.key if call.account is None else None,
    )
    return Reply(200)


def renewal_info(call: Call) -> Reply:
    """When to renew a certificate (RFC 9773 §4.2); anybody may ask."""
    window = call.acme.renewal.window(call.door, call.path[1])
    document: dict[str, object] = {
        "suggestedWindow": {"start": moment(window.start), "end": moment(window.end)}
    }
    explanation = window.explanation or call.settings.explanation_url
    if explanation is not None:
        document["explanationURL"] = explanation
    return reply(200, document, ("Retry-After", str(_LOOK_AGAIN_S)))
