"""What an operator can choose for one ACME door.  Every default is the safe one."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.acme import ChallengeKind
from chancery.domain.errors import BadName, BadRequest

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Vantage:
    """Another place to validate from, asked over HTTPS (``chancery acme vantage``).

    *token_file* holds the word that it knows us by; *ca_file* the CA of its
    certificate, None: the system's.
    """

    url: str
    token_file: str
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class AcmeSettings:
    """Settings of one door.

    *trusted*: names (``.suffix`` or exact), addresses and networks that need
    no challenge; whoever holds an account gets them.  *networks*: private
    ranges that validation may reach; without them it goes to public addresses
    alone.  *resolvers* are ``ADDRESS`` or ``ADDRESS:PORT``; none: the system's.

    *caa*: whether CAA records are asked for (RFC 8659, 8657), which must then
    name one of *caa_identities*; *caa_profiles* asks for orders of these alone.
    *quorum* of the *vantages* must see what we
    see; None: all but one.

    Rates are per hour; *order_rate* counts per account, *account_rate* per
    network address, *failure_rate* per account and identifier.
    """

    external_account_required: bool = True
    terms_of_service: str | None = None
    website: str | None = None
    challenges: tuple[ChallengeKind, ...] = tuple(ChallengeKind)
    wildcards: bool = True
    addresses: bool = True
    pre_authorization: bool = True
    max_identifiers: int = 100
    trusted: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    http_port: int = 80
    tls_port: int = 443
    timeout_s: int = 10
    caa: bool = False
    caa_profiles: tuple[str, ...] = ()
    caa_identities: tuple[str, ...] = ()
    vantages: tuple[Vantage, ...] = ()
    quorum: int | None = None
    order_lifetime_s: int = 7 * _DAY_S
    authorization_lifetime_s: int = _DAY_S
    account_rate: int = 500
    order_rate: int = 3_000
    failure_rate: int = 60
    explanation_url: str | None = None


def check_settings(settings: AcmeSettings) -> None:
    """Raise BadRequest for the first fault."""
    _check_networks(settings)
    _check_numbers(settings)
    if not settings.challenges and not settings.trusted:
        raise _bad("challenges", "without a challenge nothing can be proved", "name at least one")
    if (settings.caa or settings.caa_profiles) and not settings.caa_identities:
        raise _bad("caa_identities", "CAA records name a CA", "give the names that stand for us")
    for url in (settings.terms_of_service, settings.website, settings.explanation_url):
        if url is not None and not url.startswith(("https://", "http://")):
            raise _bad("website", f"{url[:100]!r} is no URL of the web", "begin with https://")
    for vantage in settings.vantages:
        if not vantage.url.startswith("https://"):
            raise _bad("vantages", f"{vantage.url[:100]!r} is not HTTPS", "begin with https://")
    if settings.quorum is not None and not 0 <= settings.quorum <= len(settings.vantages):
        raise _bad("quorum", "more than there are vantages", "leave it out for all but one")


def _check_networks(settings: AcmeSettings) -> None:
    for text in settings.networks:
        _network("networks", text)
    for text in settings.trusted:
        try:
            name_syntax.dns(text.removeprefix("."))
        except BadName:
            _network("trusted", text)
    for text in settings.resolvers:
        host_port(text)


def _network(field: str, text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise _bad(field, f"{text[:100]!r} is no network", "write it like 10.0.0.0/8") from None


_BOUNDS: Final = {
    "max_identifiers": (1, 100),
    "http_port": (1, 65_535),
    "tls_port": (1, 65_535),
    "timeout_s": (1, 30),
    "order_lifetime_s": (60, 30 * _DAY_S),
    "authorization_lifetime_s": (60, 90 * _DAY_S),
    "account_rate": (1, 1_000_000),
    "order_rate": (1, 1_000_000),
    "failure_rate": (1, 1_000_000),
}


def _check_numbers(settings: AcmeSettings) -> None:
    for field, (least, most) in _BOUNDS.items():
        if not least <= getattr(settings, field) <= most:
            raise _bad(field, f"{field} is {least} to {most}", f"give {least} to {most}")


def host_port(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``192.0.2.1:5353`` or ``[2001:db8::1]:5353``; BadRequest for another."""
    host, _, port = text.rpartition(":") if _has_port(text) else (text, "", "53")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        if port.isascii() and port.isdigit() and 0 < int(port) <= 65_535:
            return str(address), int(port)
    except ValueError:
        pass
    raise _bad("resolvers", f"{text[:100]!r} is no address", "write it like 192.0.2.1:53")


def _has_port(text: str) -> bool:
    return text.count(":") == 1 or "]:" in text


def _bad(field: str, what: str, remedy: str) -> BadRequest:
    return BadRequest(what, field=f"door.settings.{field}", rule="acme.settings", remedy=remedy)
