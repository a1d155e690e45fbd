"""issuingDistributionPoint (RFC 5280 §5.2.5): what a CRL says of its own scope."""

from collections.abc import Sequence
from dataclasses import dataclass

from chancery.domain.errors import BadRequest
from chancery.wire import der


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a CRL is found, and what it speaks of where that is not all (§5.2.5).

    *distribution_point* are the URLs of this very CRL.  *otherwise_limited* is only ever
    read: reasons and attribute CRLs, or places that are no URLs, are not written here.
    """

    distribution_point: tuple[str, ...] = ()
    only_user_certificates: bool = False
    only_ca_certificates: bool = False
    indirect: bool = False
    otherwise_limited: bool = False

    def __post_init__(self) -> None:
        if self.only_user_certificates and self.only_ca_certificates:
            raise BadRequest("a CRL cannot hold only user and only CA certificates", field="scope")

    @property
    def limits(self) -> bool:
        """Whether such a CRL leaves out certificates of its issuer, or speaks of others'."""
        return (
            self.only_user_certificates
            or self.only_ca_certificates
            or self.indirect
            or self.otherwise_limited
        )

    def encode(self) -> bytes:
        """IssuingDistributionPoint, without the fields that have their default."""
        if self.otherwise_limited:
            raise ValueError("bug: such a scope can be read and not written")
        parts = []
        if self.distribution_point:
            parts.append(der.tlv(0xA0, der.tlv(0xA0, urls_encoded(self.distribution_point))))
        if self.only_user_certificates:
            parts.append(b"\x81\x01\xff")
        if self.only_ca_certificates:
            parts.append(b"\x82\x01\xff")
        if self.indirect:
            parts.append(b"\x84\x01\xff")
        return der.sequence(*parts)


def urls_encoded(urls: Sequence[str]) -> bytes:
    """GeneralNames without their frame: one URI each."""
    return b"".join(der.tlv(0x86, url.encode("ascii")) for url in urls)
