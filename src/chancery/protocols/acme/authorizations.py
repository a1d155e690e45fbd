"""Authorizations and their challenges (RFC 8555 §7.5, §8)."""

from typing import Final

from chancery.domain.acme import (
    Authorization,
    AuthorizationStatus,
    ChallengeKind,
    Identifier,
)
from chancery.domain.errors import BadRequest, NotFound
from chancery.protocols.acme.call import Call, link, reply
from chancery.protocols.acme.orders import moment, one_identifier
from chancery.protocols.acme.problems import of_fault, shown
from chancery.protocols.exchange import Reply

_RETRY_S: Final = 1
"""While somebody is on the way to look."""


def new_authorization(call: Call) -> Reply:
    """Before any order."""
    wanted = one_identifier(call.body().get("identifier"))
    found = call.acme.authorizations.pre_authorize(
        call.door, call.settings, call.own, wanted, call.origin
    )
    return _shown(call, found, 201)


def authorization(call: Call) -> Reply:
    """Show one, or end it."""
    found = call.acme.authorizations.show(call.door, call.own, call.path[1])
    if call.payload:
        if call.payload.get("status") != "deactivated":
            raise BadRequest(
                "the holder of an authorization may end it",
                field="status",
                rule="acme.payload",
                remedy="set deactivated",
            )
        found = call.acme.authorizations.deactivate(call.door, call.own, found, call.origin)
    return _shown(call, _resumed(call, found), 200)


def challenge(call: Call) -> Reply:
    """Show one; with a payload the client says that it is ready."""
    found = call.acme.authorizations.show(call.door, call.own, call.path[1])
    try:
        kind = ChallengeKind(call.path[2])
    except ValueError:
        raise NotFound("there is no such challenge", field="challenge") from None
    if kind not in found.challenges:
        raise NotFound("there is no such challenge", field="challenge")
    if call.payload is None:
        found = _resumed(call, found)
    else:
        found = call.acme.challenges.respond(
            call.door, call.settings, call.own, found, kind, call.origin, call.account_url
        )
    headers = [link(call.url("authz", found.id), "up")]
    document = _challenge(call, found, kind)
    if document["status"] == "processing":
        headers.append(("Retry-After", str(_RETRY_S)))
    return reply(200, document, *headers)


def _resumed(call: Call, found: Authorization) -> Authorization:
    return call.acme.challenges.resume(
        call.door, call.settings, call.own, found, call.origin, call.account_url
    )


def _shown(call: Call, found: Authorization, status: int) -> Reply:
    standing = found.standing(call.acme.clock.s())
    one = found.identifier
    document: dict[str, object] = {
        "status": standing.value,
        "expires": moment(found.expires_at),
        "identifier": shown(Identifier(one.kind, one.base)),
        "challenges": [_challenge(call, found, kind) for kind in _listed(found)],
    }
    if one.wildcard:
        document["wildcard"] = True
    headers = [("Location", call.url("authz", found.id))]
    if standing is AuthorizationStatus.PENDING and found.tried is not None:
        headers.append(("Retry-After", str(_RETRY_S)))
    return reply(status, document, *headers)


def _listed(found: Authorization) -> tuple[ChallengeKind, ...]:
    """All while it is pending; then the one that decided (RFC 8555 §7.1.4)."""
    if found.status is AuthorizationStatus.PENDING or found.tried is None:
        return found.challenges
    return (found.tried,)


def _challenge(call: Call, found: Authorization, kind: ChallengeKind) -> dict[str, object]:
    document: dict[str, object] = {
        "type": kind.value,
        "url": call.url("challenge", found.id, kind.value),
        "token": found.token,
        "status": _status(found, kind),
    }
    if document["status"] == "valid" and found.validated_at is not None:
        document["validated"] = moment(found.validated_at)
    if found.fault is not None and found.tried is kind:
        document["error"] = of_fault(found.fault)
    return document


def _status(found: Authorization, kind: ChallengeKind) -> str:
    decided = found.status in (AuthorizationStatus.VALID, AuthorizationStatus.INVALID)
    if found.tried is kind:
        return found.status.value if decided else "processing"
    return "valid" if found.proof is not None and found.tried is None else "pending"
