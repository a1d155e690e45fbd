"""Which network addresses are public: what others name is not to lead us to our own."""

import ipaddress
from collections.abc import Sequence
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 §2.1


def is_public(text: str) -> bool:
    """Whether that address belongs to the public Internet, and to one host of it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # What only wraps an IPv4 address is as public as that one is.
        for inner in (address.ipv4_mapped, address.sixtofour, (address.teredo or (None, None))[1]):
            if inner is not None and not is_public(str(inner)):
                return False
        if address.ipv4_mapped is not None:
            return True
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
    return address.is_global and not address.is_multicast


def is_within(text: str, networks: Sequence[str]) -> bool:
    """Whether that address lies in one of *networks*."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return any(address in ipaddress.ip_network(network) for network in networks)
