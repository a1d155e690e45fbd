"""The ACME door: routes, signatures, nonces; every answer leaves with a fresh nonce."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import BadRequest, CAError, NotFound, TooLarge
from chancery.protocols.acme import (
    accounts,
    authorizations,
    certificates,
    directory,
    jws,
    orders,
    settings,
)
from chancery.protocols.acme.call import Call, link
from chancery.protocols.acme.problems import MEDIA_TYPE, problem, retry_after
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.acme import AcmeService
from chancery.services.acme.accounts import KeyTaken
from chancery.services.enrolment import CredentialService, EnrolmentDesk
from chancery.wire import jwk

_JOSE: Final = "application/jose+json"
_MAX_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class _Route:
    """*length* segments; *methods*, where it is not signed; *bare*: a key may sign by itself."""

    serve: Callable[[Call], Reply]
    length: int = 1
    methods: tuple[str, ...] = ("POST",)
    bare: bool = False
    known: bool = True  # an account may sign


class AcmeHandler:
    """Answers ``/acme/{label}/...`` (RFC 8555 §7.1)."""

    max_body = jws.MAX_OCTETS

    def __init__(
        self, desk: EnrolmentDesk, credentials: CredentialService, acme: AcmeService
    ) -> None:
        self._desk = desk
        self._acme = acme
        self._routes: dict[str, tuple[_Route, ...]] = {
            "directory": (_Route(directory.directory, methods=("GET", "HEAD")),),
            "new-nonce": (_Route(directory.new_nonce, methods=("GET", "HEAD")),),
            "renewal-info": (_Route(certificates.renewal_info, 2, methods=("GET", "HEAD")),),
            "new-account": (
                _Route(
                    lambda call: accounts.new_account(call, credentials), bare=True, known=False
                ),
            ),
            "new-order": (_Route(orders.new_order),),
            "new-authz": (_Route(authorizations.new_authorization),),
            "key-change": (_Route(accounts.key_change),),
            "revoke-cert": (_Route(certificates.revoke, bare=True),),
            "account": (_Route(accounts.account, 2), _Route(accounts.orders, 3)),
            "order": (_Route(orders.order, 2), _Route(orders.finalize, 3)),
            "authz": (_Route(authorizations.authorization, 2),),
            "challenge": (_Route(authorizations.challenge, 3),),
            "certificate": (
                _Route(certificates.certificate, 2),
                _Route(certificates.certificate, 3),
            ),
        }

    def handle(self, exchange: Exchange) -> Reply:
        """Answer one request; never raises."""
        label, _, rest = exchange.tail.partition("/")
        path = tuple(rest.split("/"))
        door: Door | None = None
        call: Call | None = None
        try:
            door = self._desk.door(DoorProtocol.ACME, label[:_MAX_LABEL])
            call = Call(exchange, door, settings.of(door), self._acme, path)
            route = self._route(path, exchange)
            if route.methods == ("POST",):
                call = self._authenticated(call, route)
            answer = route.serve(call)
        except Exception as error:  # noqa: BLE001 - the client gets a problem whatever our bug is
            return self._refusal(error, exchange, door, call, path)
        waits = path[-1] == "finalize" and any(name == "Retry-After" for name, _ in answer.headers)
        self._note(call, path, "pending" if waits else "ok")
        if exchange.method == "HEAD":
            answer = replace(answer, body=b"")
        return self._finished(answer, call)

    def _route(self, path: tuple[str, ...], exchange: Exchange) -> _Route:
        found = next(
            (one for one in self._routes.get(path[0], ()) if one.length == len(path)), None
        )
        tails = {"account": "orders", "order": "finalize"}
        if found is None or (len(path) == 3 and path[0] in tails and path[2] != tails[path[0]]):
            raise NotFound("nothing is served here", field="url", rule="acme.resource")
        if exchange.method not in found.methods:
            raise BadRequest(
                f"{exchange.method[:10]} is not for this resource",
                field="method",
                rule="acme.method",
                remedy="use " + " or ".join(found.methods),
            )
        return found

    def _authenticated(self, call: Call, route: _Route) -> Call:
        """Verify signature, address and nonce, in this order (RFC 8555 §6.2-6.5)."""
        exchange = call.exchange
        media_type = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != _JOSE:
            raise BadRequest(f"send {_JOSE}", field="content-type", rule="acme.media-type")
        if len(exchange.body) > self.max_body:
            raise TooLarge(f"more than {self.max_body} octets", field="body", rule="acme.size")
        signed = jws.parse(exchange.body)
        address = exchange.base + exchange.path
        if exchange.query:
            address += f"?{exchange.query}"
        if signed.url != address:
            raise BadRequest(
                "the url in the signed header is not where this was sent",
                field="url",
                rule="acme.url",
                remedy="sign the address as the directory gives it",
            )
        call = replace(call, signed=signed)
        call = self._keyed(call, route, signed)
        assert call.key is not None  # _keyed found it
        jws.verify(signed, call.key)
        self._acme.nonces.use(signed.nonce)
        if call.account is not None:
            # Only whoever holds its key learns how an account stands.
            call = replace(call, account=self._acme.accounts.valid(call.account))
        return replace(call, payload=_payload(signed.payload))

    def _keyed(self, call: Call, route: _Route, signed: jws.Jws) -> Call:
        """With the key that must have signed: the account's, or where allowed a bare one."""
        if signed.jwk is not None:
            if not route.bare:
                raise BadRequest("an account signs this", field="jwk", rule="acme.jws.key")
            return replace(call, key=jwk.decode(signed.jwk))
        if not route.known:
            raise BadRequest("a key signs this by itself", field="kid", rule="acme.jws.key")
        prefix = call.url("account", "")
        kid = signed.kid or ""
        given = kid.removeprefix(prefix) if kid.startswith(prefix) else ""
        account = self._acme.accounts.any_by_id(call.door, given)
        return replace(call, account=account, key=jwk.recall(account.jwk))

    def _refusal(
        self,
        error: Exception,
        exchange: Exchange,
        door: Door | None,
        call: Call | None,
        path: tuple[str, ...],
    ) -> Reply:
        status, document = problem(error)
        headers = [("Content-Type", MEDIA_TYPE)]
        if (seconds := retry_after(error)) is not None:
            headers.append(("Retry-After", str(seconds)))
        if status == 405:
            headers.append(("Allow", "GET, HEAD" if exchange.method == "POST" else "POST"))
        if call is not None:
            terms = call.settings.terms_of_service
            if terms is not None and document["type"].endswith(":userActionRequired"):
                headers.append(link(terms, "terms-of-service"))
            if isinstance(error, KeyTaken):
                headers.append(("Location", call.url("account", error.account)))
        if door is not None:
            rule = error.rule if isinstance(error, CAError) else None
            self._desk.seen(
                door,
                path[0],
                rule or document["type"].rpartition(":")[2],
                who=call.account.who if call is not None and call.account is not None else "",
                origin=exchange.origin,
                detail=str(document["detail"]),
            )
        answer = Reply(status, tuple(headers), json.dumps(document).encode())
        return self._finished(answer, call)

    def _note(self, call: Call, path: tuple[str, ...], outcome: str) -> None:
        """What changed something, or a fetch of a certificate; polling would hide it."""
        if call.signed is None or (call.payload is None and path[0] != "certificate"):
            return
        who = call.account.who if call.account is not None else ""
        self._desk.seen(
            call.door, "/".join((path[0], *path[2:])), outcome, who=who, origin=call.origin
        )

    def _finished(self, answer: Reply, call: Call | None) -> Reply:
        headers = [*answer.headers, ("Cache-Control", "no-store")]
        if call is not None:
            headers.append(("Replay-Nonce", self._acme.nonces.issue()))
            if call.path[0] != "directory":
                headers.append(link(call.url("directory"), "index"))
        return Reply(answer.status, tuple(headers), answer.body)


def _payload(data: bytes) -> dict[str, Any] | None:
    """The JSON object; None where there is nothing, which is a POST-as-GET."""
    if not data:
        return None
    found = jws.loads(data, "payload")
    if not isinstance(found, dict):
        raise BadRequest("the payload is no JSON object", field="payload", rule="acme.payload")
    return found
