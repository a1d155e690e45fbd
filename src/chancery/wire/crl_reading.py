"""CRLs taken apart (RFC 5280 §5), by other code than what puts them together.

What it says of itself is read by pyca; the frame around the signature is
walked here, because pyca would encode a million entries again to give it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509 import DeltaCRLIndicator, FreshestCRL, IssuingDistributionPoint

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadRequest
from chancery.wire import algorithms, der
from chancery.wire.ca_certificate import UNREADABLE
from chancery.wire.crl_scope import Scope

_LIMIT: Final = 256 * 1024 * 1024
"""Octets of a CRL that we agree to look at: some six million entries."""
_EXPIRED_CERTS_ON_CRL: Final = x509.ObjectIdentifier("2.5.29.60")


@dataclass(frozen=True, slots=True)
class Crl:
    """What must be known of a CRL before it replaces another.  *issuer* is a DER Name.

    *complete*: no critical extension limits what it speaks of (§5.2.4, §5.2.5);
    a *scope* that only says where the CRL is found does not.  *base* is the
    number that a delta adds to; *freshest* the URLs of the delta to this one.
    """

    der: bytes
    signed: slice  # of der
    issuer: bytes
    algorithm: SignatureAlgorithm
    signature: bytes
    number: int
    key_identifier: bytes | None
    this_update: int
    next_update: int
    entries: int
    complete: bool
    scope: Scope | None
    base: int | None = None
    freshest: tuple[str, ...] = ()
    expired_since: int | None = None

    @property
    def tbs(self) -> memoryview:
        """What is signed, not copied."""
        return memoryview(self.der)[self.signed]


def decode(data: bytes) -> Crl:
    """Read a DER CRL; BadRequest unless it is version 2 with number and nextUpdate."""
    if len(data) > _LIMIT:
        raise BadRequest(f"a CRL is at most {_LIMIT} octets", field="crl", rule="crl.size")
    try:
        parsed = x509.load_der_x509_crl(data)
        extensions = {one.oid: one for one in parsed.extensions}
        number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        next_update = parsed.next_update_utc
        this_update = parsed.last_update_utc
        entries = len(parsed)
        known = _known(extensions)
        critical = {oid for oid, one in extensions.items() if one.critical}
    except UNREADABLE as error:
        raise BadRequest(f"not a usable CRL: {error}", field="crl", rule="crl.syntax") from error
    if next_update is None:
        raise BadRequest("the CRL has no nextUpdate", field="crl", rule="crl.next-update")
    frame = _frame(data)
    if frame.outer is not frame.algorithm or frame.unused:
        raise BadRequest(
            "its unsigned part is not what it says inside", field="crl", rule="crl.outer"
        )
    scope = known.scope
    return Crl(
        der=data,
        signed=frame.signed,
        issuer=frame.issuer,
        algorithm=frame.algorithm,
        signature=frame.signature,
        number=number,
        key_identifier=known.key_identifier,
        this_update=int(this_update.timestamp()),
        next_update=int(next_update.timestamp()),
        entries=entries,
        complete=critical <= {IssuingDistributionPoint.oid} and not (scope and scope.limits),
        scope=scope,
        base=known.base,
        freshest=known.freshest,
        expired_since=known.expired_since,
    )


def unlisted(data: bytes, serials: Sequence[str]) -> list[str]:
    """Those of *serials* (hex) that the DER CRL *data* does not revoke."""
    if not serials:
        return []
    parsed = x509.load_der_x509_crl(data)
    return [
        one
        for one in serials
        if parsed.get_revoked_certificate_by_serial_number(int(one, 16)) is None
    ]


@dataclass(frozen=True, slots=True)
class _Known:
    key_identifier: bytes | None
    scope: Scope | None
    base: int | None
    freshest: tuple[str, ...]
    expired_since: int | None


_Extensions = dict[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]]


def _known(extensions: _Extensions) -> _Known:
    values = {oid: one.value for oid, one in extensions.items()}
    identifier = values.get(x509.AuthorityKeyIdentifier.oid)
    base = values.get(DeltaCRLIndicator.oid)
    freshest = values.get(FreshestCRL.oid)
    expired = values.get(_EXPIRED_CERTS_ON_CRL)
    return _Known(
        key_identifier=identifier.key_identifier
        if isinstance(identifier, x509.AuthorityKeyIdentifier)
        else None,
        scope=_scope(values.get(IssuingDistributionPoint.oid)),
        base=base.crl_number if isinstance(base, DeltaCRLIndicator) else None,
        freshest=tuple(
            name.value
            for point in (freshest if isinstance(freshest, FreshestCRL) else ())
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        ),
        expired_since=der.decode_time(*der.single(expired.value))
        if isinstance(expired, x509.UnrecognizedExtension)
        else None,
    )


def _scope(found: x509.ExtensionType | None) -> Scope | None:
    if not isinstance(found, IssuingDistributionPoint):
        return None
    places = found.full_name or ()
    urls = tuple(n.value for n in places if isinstance(n, x509.UniformResourceIdentifier))
    return Scope(
        distribution_point=urls,
        only_user_certificates=found.only_contains_user_certs,
        only_ca_certificates=found.only_contains_ca_certs,
        indirect=found.indirect_crl,
        otherwise_limited=bool(
            found.only_some_reasons
            or found.only_contains_attribute_certs
            or found.relative_name
            or len(urls) < len(places)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    signed: slice
    issuer: bytes
    algorithm: SignatureAlgorithm
    outer: SignatureAlgorithm
    signature: bytes
    unused: int


def _frame(data: bytes) -> _Frame:
    """The parts around the entries, read where they stand."""
    _, start, end = der.header(data, 0, len(data))
    _, at, tbs_end = der.header(data, start, end)
    _, _, at = der.header(data, at, tbs_end)  # version
    _, _, issuer_at = der.header(data, at, tbs_end)
    _, _, issuer_end = der.header(data, issuer_at, tbs_end)
    _, _, outer_end = der.header(data, tbs_end, end)
    _, bits, stop = der.header(data, outer_end, end)
    return _Frame(
        signed=slice(start, tbs_end),
        issuer=data[issuer_at:issuer_end],
        algorithm=algorithms.signature_algorithm_of(data[at:issuer_at]),
        outer=algorithms.signature_algorithm_of(data[tbs_end:outer_end]),
        signature=data[bits + 1 : stop],
        unused=data[bits],
    )
