"""Accounts (RFC 8555 §7.3)."""

from collections.abc import Sequence

from chancery.domain.acme import Account
from chancery.domain.enrolment import Credential, CredentialKind
from chancery.domain.errors import BadRequest, CAError, NotAuthenticated, NotPermitted
from chancery.protocols.acme import jws
from chancery.protocols.acme.call import Call, flag, link, reply
from chancery.protocols.exchange import Reply
from chancery.services.acme.accounts import NewAccount
from chancery.services.acme.orders import PAGE
from chancery.services.enrolment import CredentialService
from chancery.wire import jwk
from chancery.wire.jwk import SigningKey


def new_account(call: Call, credentials: CredentialService) -> Reply:
    """Open one, or find that of the key that signed."""
    body, key = call.body(), call.key
    assert key is not None  # the handler admits a bare key alone here
    only_existing = flag(body, "onlyReturnExisting")
    given = body.get("externalAccountBinding")
    known = call.acme.accounts.by_key(call.door, key)
    credential = None
    if given is not None and known is None and not only_existing:
        credential = _bound(call, credentials, key, given)
    new = NewAccount(
        contacts=tuple(_contacts(body) or ()),
        agreed=flag(body, "termsOfServiceAgreed"),
        only_existing=only_existing,
        credential=credential,
    )
    account, made = call.acme.accounts.open(call.door, call.settings, key, new, call.origin)
    return _shown(call, account, 201 if made else 200)


def account(call: Call) -> Reply:
    """Show it, change its contacts, or end it."""
    found = _own(call)
    if call.payload:
        status = call.payload.get("status")
        if status == "deactivated":
            found = call.acme.accounts.deactivate(call.door, found, call.origin)
        elif status not in (None, "valid"):
            raise BadRequest(
                f"an account does not become {str(status)[:40]!r}",
                field="status",
                rule="acme.payload",
                remedy="its holder may set deactivated",
            )
        else:
            found = call.acme.accounts.update(
                call.door,
                found,
                _contacts(call.payload),
                agreed=flag(call.payload, "termsOfServiceAgreed"),
                origin=call.origin,
            )
    return _shown(call, found, 200)


def orders(call: Call) -> Reply:
    """The account's orders, newest first (RFC 8555 §7.1.2.1)."""
    found = call.acme.orders.of(_own(call), call.exchange.query.removeprefix("cursor=") or None)
    headers = []
    if len(found) == PAGE:
        following = call.url(*call.path, cursor=found[-1].id)
        headers.append(link(following, "next"))
    return reply(200, {"orders": [call.url("order", one.id) for one in found]}, *headers)


def key_change(call: Call) -> Reply:
    """Another key (RFC 8555 §7.3.5): the old one signs outside, the new one inside."""
    own, outer = call.own, call.signed
    assert outer is not None  # the handler admits nothing that is not signed
    inner = jws.read(dict(call.body()))
    if inner.jwk is None or inner.nonce or inner.url != outer.url:
        raise _inner("it carries jwk and the same url, and no nonce")
    key = jwk.decode(inner.jwk)
    jws.verify(inner, key)
    said = jws.loads(inner.payload, "payload")
    if not isinstance(said, dict) or said.get("account") != call.account_url:
        raise _inner("it names the account that signs")
    old = said.get("oldKey")
    if not isinstance(old, dict) or jwk.decode(old).thumbprint != own.thumbprint:
        raise _inner("its oldKey is the account's key")
    changed = call.acme.accounts.change_key(call.door, own, key, call.origin)
    return _shown(call, changed, 200)


def _bound(
    call: Call, credentials: CredentialService, key: SigningKey, given: object
) -> Credential:
    """The external account key that vouches for *key* (RFC 8555 §7.3.4)."""
    outer, inner = call.signed, jws.read(given)
    assert outer is not None  # the handler admits nothing that is not signed
    if inner.kid is None or inner.nonce or inner.url != outer.url:
        raise _binding("it carries kid and the same url, and no nonce")
    if inner.algorithm not in jws.MACS:
        raise _binding("its algorithm is one of " + ", ".join(jws.MACS))
    said = jws.loads(inner.payload, "externalAccountBinding")
    if not isinstance(said, dict) or jwk.decode(said).thumbprint != key.thumbprint:
        raise _binding("its payload is the key of the account")
    try:
        found = credentials.by_reference(call.door, inner.kid, call.origin)
    except NotAuthenticated as error:
        raise _unproved(error) from error
    right = found.kind is CredentialKind.ACCOUNT
    if not right or not jws.verify_mac(inner, credentials.secret_of(found)):
        credentials.failed(call.door, found, call.origin)
        raise _unproved(None)
    credentials.proven(call.origin)
    return found


def _own(call: Call) -> Account:
    if call.path[1] != call.own.id:
        raise NotPermitted("this is another account", field="account", rule="acme.account.own")
    return call.own


def _contacts(body: object) -> Sequence[str] | None:
    assert isinstance(body, dict)  # the handler admits no other payload
    found = body.get("contact")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadRequest("contact is a list of URLs", field="contact", rule="acme.contact")
    return found


def _shown(call: Call, found: Account, status: int) -> Reply:
    document: dict[str, object] = {
        "status": found.status.value,
        "contact": list(found.contacts),
        "orders": call.url("account", found.id, "orders"),
    }
    if found.agreed:
        document["termsOfServiceAgreed"] = True
    return reply(status, document, ("Location", call.url("account", found.id)))


def _inner(what: str) -> BadRequest:
    return BadRequest(f"the inner signature: {what}", field="payload", rule="acme.key-change")


def _binding(what: str) -> BadRequest:
    return BadRequest(
        f"the external account binding: {what}",
        field="externalAccountBinding",
        rule="acme.binding.form",
    )


def _unproved(error: CAError | None) -> NotPermitted:
    return NotPermitted(
        "the external account key is unknown, closed, or its MAC is wrong",
        field="externalAccountBinding",
        rule="acme.binding",
        remedy=error.remedy if error is not None else "have a new one made",
    )
