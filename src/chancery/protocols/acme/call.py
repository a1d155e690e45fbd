"""One ACME request, understood and authenticated: what every resource works on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from chancery.domain.acme import Account
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.door import Door
from chancery.domain.errors import BadRequest
from chancery.protocols.acme.jws import Jws
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.acme import AcmeService
from chancery.wire.jwk import SigningKey, from_b64url

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """*path* are the segments after the label.

    *signed*, *key* and *payload* are there for what was signed; *payload* is
    None for a POST-as-GET (RFC 8555 §6.3), *account* for what a bare key signed.
    """

    exchange: Exchange
    door: Door
    settings: AcmeSettings
    acme: AcmeService
    path: tuple[str, ...]
    signed: Jws | None = None
    key: SigningKey | None = None
    account: Account | None = None
    payload: Mapping[str, Any] | None = None

    @property
    def origin(self) -> str:
        return self.exchange.origin

    def url(self, *segments: str, **query: str) -> str:
        """The address of a resource of this door, as this client reaches it."""
        address = "/".join((f"{self.exchange.base}/acme/{self.door.label}", *segments))
        return f"{address}?{urlencode(query)}" if query else address

    @property
    def own(self) -> Account:
        """The account that signed."""
        if self.account is None:
            raise BadRequest("an account signs this", field="kid", rule="acme.jws.key")
        return self.account

    @property
    def account_url(self) -> str:
        return self.url("account", self.own.id)

    def body(self) -> Mapping[str, Any]:
        """The payload of what changes something; BadRequest for a POST-as-GET."""
        if self.payload is None:
            raise BadRequest("this needs a payload", field="payload", rule="acme.payload")
        return self.payload


def text(body: Mapping[str, Any], name: str, *, most: int = 1_000) -> str | None:
    """A member that is text, or is not there."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise _bad(name, "is no text")
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """A member that is true, or false, or not there."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise _bad(name, "is neither true nor false")
    return value


def octets(body: Mapping[str, Any], name: str, *, most: int) -> bytes:
    """A member that is base64url."""
    data = from_b64url(body.get(name), most=most)
    if not data:
        raise _bad(name, "is no base64url without padding")
    return data


def reply(status: int, document: object, *headers: tuple[str, str]) -> Reply:
    """A JSON answer."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(status, (("Content-Type", JSON), *headers), body)


def link(url: str, relation: str) -> tuple[str, str]:
    return "Link", f'<{url}>;rel="{relation}"'


def _bad(name: str, why: str) -> BadRequest:
    return BadRequest(f"the member {name} {why}", field=name, rule="acme.payload")
