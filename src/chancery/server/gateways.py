"""At the centre: connections of dedicated registration authorities, before any door sees them.

Who shows the client certificate of a gateway may say for whom it relays; what
anybody else says about that is removed.  The certificate is no sign-in.
"""

import asyncio
import ipaddress
import re
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chancery import peer
from chancery.domain.errors import CAError, NotPermitted
from chancery.domain.gateway import Gateway, Receipt
from chancery.server.answers import send_problem
from chancery.server.gateway_cookies import SessionCookies
from chancery.server.gateway_reach import reaches
from chancery.services.gateways import GatewayService

RELAYED_FOR: Final = b"chancery-relayed-for"
"""Header field by which a gateway names the network address of its client."""
RECEIPT: Final = b"chancery-receipt"
"""Header field by which a gateway hands over what it took in: the secret code it gave out."""
QUEUED: Final = b"chancery-queued"
"""Header field beside a receipt: the submission waited at the gateway."""
ADMITTED: Final = b"chancery-gateway"
"""Header field of answers: as which gateway the other end is known here."""
_OURS: Final = frozenset({RELAYED_FOR, RECEIPT, QUEUED})
_CODE: Final = re.compile(rb"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}")
_SUBMISSIONS: Final = frozenset({"/api/v1/requests", "/submit", "/server-key"})


class Gateways:
    """Wraps everything that a TLS listener serves."""

    def __init__(
        self, app: ASGIApp, service: GatewayService, cookies: Callable[[str], SessionCookies]
    ) -> None:
        """*cookies* makes those of one gateway, by its name."""
        self._app = app
        self._service = service
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        gateway = None
        if (sha256 := peer.client_certificate(scope)) is not None:
            known, gateway = self._service.known(sha256)
            if not known:
                address = peer.origin_of(scope)
                gateway = await asyncio.to_thread(self._service.recognise, sha256, address)
        if gateway is None:
            own = [pair for pair in scope["headers"] if pair[0] not in _OURS]
            await self._app({**scope, "headers": own}, receive, send)
        elif isinstance(gateway, CAError):
            await _refuse(send, gateway)
        elif not reaches(scope["method"], scope["path"]):
            await _refuse(send, _beyond(gateway), (ADMITTED, gateway.name.encode()))
        else:
            await self._pass(gateway, scope, receive, send)

    async def _pass(self, gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
        fields = dict(scope["headers"])
        cookies = self._cookies(gateway.name)
        headers = cookies.inward([pair for pair in scope["headers"] if pair[0] not in _OURS])
        relayed = peer.Relayed(
            gateway.name,
            gateway.ra,
            _address(fields.get(RELAYED_FOR), scope),
            _receipt(fields, scope),
        )
        tls = {**scope.get("extensions", {}).get("tls", {}), "client_cert_chain": []}
        inner = {
            **scope,
            "headers": headers,
            "extensions": {**scope.get("extensions", {}), "tls": tls},
            "chancery.gateway": relayed,
        }

        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = (ADMITTED, gateway.name.encode())
                message["headers"] = [*cookies.outward(message["headers"]), known]
            await send(message)

        await self._app(inner, receive, outward)


def _address(given: bytes | None, scope: Scope) -> str:
    """The client's address as relayed; the gateway's own for what it asks itself."""
    text = (given or b"").decode("latin-1").strip()
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return peer.origin_of(scope)


def _receipt(fields: dict[bytes, bytes], scope: Scope) -> Receipt | None:
    """The code that a submission is to have; None for what is none."""
    given = fields.get(RECEIPT, b"")
    if scope["method"] != "POST" or scope["path"] not in _SUBMISSIONS:
        return None
    return Receipt(given.decode(), QUEUED in fields) if _CODE.fullmatch(given) else None


def _beyond(gateway: Gateway) -> NotPermitted:
    return NotPermitted(
        f"this is not done at a registration authority's own host ({gateway.name})",
        field="path",
        rule="gateway.reach",
        remedy="do it at the central instance",
    )


async def _refuse(send: Send, error: CAError, *headers: tuple[bytes, bytes]) -> None:
    about = {"field": error.field, "rule": error.rule, "remedy": error.remedy}
    more = {name: value for name, value in about.items() if value is not None}
    await send_problem(send, 403, str(error), *headers, **more)
