"""Which CRLs a key makes, where each is found, and what it says of its own scope (§5.2.5)."""

from chancery.domain.authority import Authority, CrlIdp
from chancery.domain.crl import CAS, DELTA, INDIRECT, partitions, shard_part
from chancery.services.issuers import CaKey
from chancery.wire.crl import Crl, Scope
from chancery.wire.tbs import fill

_SUFFIX = ".crl"


def parts_of(authority: Authority) -> tuple[str, ...]:
    """The CRLs of each key: "" is the full one."""
    parts = [""]
    if authority.crl_delta_every_s:
        parts.append(DELTA)
    if authority.crl_ca_list:
        parts.append(CAS)
    if authority.crl_indirect:
        parts.append(INDIRECT)
    for generation, count in partitions(authority.crl_shards):
        parts += [shard_part(generation, index) for index in range(count)]
    return tuple(parts)


def with_part(template: str, part: str) -> str:
    """The URL of a part, from that of the full CRL: it lies in a folder of its name."""
    return f"{template.removesuffix(_SUFFIX)}/{part}{_SUFFIX}" if part else template


def urls_of(authority: Authority, key: CaKey, http: str, part: str = "") -> tuple[str, ...]:
    """Where the CRLs of this key are found, as its authority says.  *http*: our base URL."""
    templates = [with_part(template, part) for template in authority.crl_urls]
    return tuple(fill(templates, http=http, ca=key.label))


def scope_of(authority: Authority, key: CaKey, http: str, part: str = "") -> Scope | None:
    """What the next CRL of this key is to say; None: nothing, which means every certificate.

    A delta speaks of what its base speaks of, in the same words (§5.2.4).
    """
    if part in ("", DELTA):
        if authority.crl_idp is CrlIdp.NONE:
            return None
        return Scope(urls_of(authority, key, http))
    return Scope(
        urls_of(authority, key, http, part),
        only_ca_certificates=part == CAS,
        indirect=part == INDIRECT,
    )


def is_for(decoded: Crl, authority: Authority, key: CaKey, http: str) -> bool:
    """Whether a CRL from elsewhere is the one that relying parties look for here.

    One that names no place is for every place.
    """
    places = () if decoded.scope is None else decoded.scope.distribution_point
    return not places or not set(places).isdisjoint(urls_of(authority, key, http))
