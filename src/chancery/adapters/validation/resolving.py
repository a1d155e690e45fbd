"""The domain name system, asked at the resolvers that a door names."""

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from chancery.adapters.addresses import is_public, is_within
from chancery.adapters.validation.failing import Failed
from chancery.domain.acme_settings import AcmeSettings, host_port
from chancery.domain.errors import Unavailable
from chancery.ports_acme import CaaRecord

_MOST: Final = 100
"""Records of one answer that are looked at."""
_ADDRESSES: Final = 4
"""Addresses of one host that are tried."""
_UDP: Final = 1_232  # octets, as DNS Flag Day 2020 has it


def addresses(host: str, settings: AcmeSettings) -> list[str]:
    """Where *host* (a name or an address) is to be reached; Failed if that is not for us."""
    try:
        found = [str(ipaddress.ip_address(host))]
    except ValueError:
        found = [
            *(record.to_text() for record in _records(host, "AAAA", settings)),
            *(record.to_text() for record in _records(host, "A", settings)),
        ]
        if not found:
            raise Failed("dns", f"{host} has no address") from None
    reachable = [one for one in found if is_public(one) or is_within(one, settings.networks)]
    if not reachable:
        raise Failed("rejectedIdentifier", f"{host} has an address that is not to be reached here")
    return reachable[:_ADDRESSES]


def texts(name: str, settings: AcmeSettings) -> list[str]:
    """The TXT records of *name*, aliases followed."""
    return [
        b"".join(record.strings).decode("utf-8", "replace")
        for record in _records(name, "TXT", settings)
    ]


class DnsCaa:
    """``ports_acme.CaaLookup``."""

    def caa(self, name: str, settings: AcmeSettings) -> Sequence[CaaRecord]:
        try:
            found = _records(name, "CAA", settings)
        except Failed as error:
            raise Unavailable(str(error), field="identifiers", rule="acme.caa.lookup") from error
        return [
            CaaRecord(
                critical=bool(record.flags & 0x80),
                tag=record.tag.decode("ascii", "replace").lower(),
                value=record.value.decode("utf-8", "replace"),
            )
            for record in found
        ]


def _records(name: str, kind: str, settings: AcmeSettings) -> list[Any]:
    """What resolvers say; [] where there is nothing; Failed where they do not say."""
    import dns.exception  # noqa: PLC0415 - few processes ever validate, and memory counts
    import dns.nameserver  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    resolver = dns.resolver.Resolver(configure=not settings.resolvers)
    if settings.resolvers:
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(*host_port(text)) for text in settings.resolvers
        ]
    resolver.lifetime = settings.timeout_s
    resolver.use_edns(0, 0, _UDP)
    try:
        answer = resolver.resolve(f"{name}.", kind, search=False, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return []
    except dns.exception.Timeout:
        raise Failed("dns", f"no resolver answered about {kind} of {name} in time") from None
    except (dns.exception.DNSException, OSError, ValueError) as error:
        said = type(error).__name__
        raise Failed("dns", f"{kind} of {name} cannot be looked up: {said}") from None
    return list(answer.rrset)[:_MOST] if answer.rrset is not None else []
