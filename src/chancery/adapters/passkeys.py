"""Passkeys: who the service is to a browser, and its ceremonies once somebody uses one."""

import ipaddress
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chancery.domain.errors import BadRequest
from chancery.domain.web_session import Passkey
from chancery.ports_sign_in import NewPasskey

if TYPE_CHECKING:
    from chancery.adapters.ceremonies import Ceremonies


class WebAuthnPasskeys:
    """Implements ``ports_sign_in.Passkeys`` for the service at *https_url*.

    Browsers take no network address for a relying party's name (WebAuthn
    §5.1.2).  A service that is known by a loopback address calls itself
    ``localhost``, and passkeys work where it is opened by that name; one that
    is known by any other address can have no passkeys.
    """

    def __init__(self, https_url: str, name: str = "Chancery") -> None:
        self._name = name
        self._rp_id, self._origin = _party(https_url)

    @property
    def origin(self) -> str | None:
        return self._origin

    def creation_options(
        self, user: str, display_name: str, challenge: bytes, known: Sequence[Passkey]
    ) -> dict[str, Any]:
        return self._ceremonies.creation_options(user, display_name, challenge, known)

    def created(self, answer: str, challenge: bytes) -> NewPasskey:
        return self._ceremonies.created(answer, challenge)

    def request_options(self, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]:
        return self._ceremonies.request_options(challenge, known)

    def credential_id(self, answer: str) -> str:
        return self._ceremonies.credential_id(answer)

    def proven(self, answer: str, challenge: bytes, passkey: Passkey) -> int:
        return self._ceremonies.proven(answer, challenge, passkey)

    @cached_property
    def _ceremonies(self) -> "Ceremonies":
        """The library is loaded by the first passkey: most processes never see one."""
        if self._rp_id is None or self._origin is None:
            raise BadRequest(
                "passkeys need a service with a domain name, not a network address",
                field="passkey",
                rule="passkey.domain",
                remedy="have the operator set listen.https_url to a name, like https://ca.example.org",
            )
        from chancery.adapters.ceremonies import Ceremonies  # noqa: PLC0415

        return Ceremonies(self._rp_id, self._origin, self._name)


def _party(https_url: str) -> tuple[str | None, str | None]:
    """(relying party id, origin) of a service; None where browsers would refuse it."""
    parts = urlsplit(https_url)
    host = parts.hostname or ""
    port = "" if parts.port in (None, 443) else f":{parts.port}"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host, f"https://{host}{port}"
    if address.is_loopback:
        return "localhost", f"https://localhost{port}"
    return None, None
