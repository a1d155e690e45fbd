"""What anybody may ask for without a signature: directory and nonces (RFC 8555 §7.1.1, §7.2)."""

from chancery.protocols.acme.call import Call, reply
from chancery.protocols.exchange import Reply

RESOURCES = {
    "newNonce": "new-nonce",
    "newAccount": "new-account",
    "newOrder": "new-order",
    "revokeCert": "revoke-cert",
    "keyChange": "key-change",
    "renewalInfo": "renewal-info",
}


def directory(call: Call) -> Reply:
    """Where everything is, and what this door asks for."""
    settings = call.settings
    meta: dict[str, object] = {
        "externalAccountRequired": settings.external_account_required,
        "profiles": call.acme.profiles(call.door),
    }
    if settings.terms_of_service is not None:
        meta["termsOfService"] = settings.terms_of_service
    if settings.website is not None:
        meta["website"] = settings.website
    if settings.caa_identities:
        meta["caaIdentities"] = list(settings.caa_identities)
    found: dict[str, object] = {name: call.url(path) for name, path in RESOURCES.items()}
    if settings.pre_authorization:
        found["newAuthz"] = call.url("new-authz")
    return reply(200, found | {"meta": meta})


def new_nonce(call: Call) -> Reply:
    """The header that every answer carries is all of it."""
    return Reply(200 if call.exchange.method == "HEAD" else 204)
