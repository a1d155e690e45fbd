"""Certificate revocation lists (RFC 5280 §5): joined from entries encoded one by one.

Bytes in, domain values out, and back.  No I/O, no clock, no settings.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.wire import algorithms, der
from chancery.wire.crl_entries import entry, generalized_time
from chancery.wire.crl_reading import Crl, decode, unlisted
from chancery.wire.crl_scope import Scope, urls_encoded

__all__ = ["Crl", "Scope", "decode", "entry", "generalized_time", "join", "tbs", "unlisted"]

_CRL_NUMBER: Final = der.oid("2.5.29.20")
_DELTA_CRL_INDICATOR: Final = der.oid("2.5.29.27")
_ISSUING_DISTRIBUTION_POINT: Final = der.oid("2.5.29.28")
_AUTHORITY_KEY_IDENTIFIER: Final = der.oid("2.5.29.35")
_FRESHEST_CRL: Final = der.oid("2.5.29.46")
_EXPIRED_CERTS_ON_CRL: Final = der.oid("2.5.29.60")

_CRITICAL: Final = der.boolean(value=True)
_VERSION_2: Final = der.integer(1)
_EXTENSION_TAG: Final = 0xA0


def tbs(
    *,
    issuer: bytes,
    key_identifier: bytes,
    algorithm: SignatureAlgorithm,
    number: int,
    this_update: int,
    next_update: int,
    entries: Iterable[bytes],
    scope: Scope | None = None,
    base: int | None = None,
    freshest: Sequence[str] = (),
    expired_since: int | None = None,
) -> bytes:
    """Encode a TBSCertList, version 2.

    *issuer* is a DER Name; *entries* come from ``entry``, alone or already
    joined; times are Unix seconds.  An empty list of entries is left out, as
    §5.1.2.6 demands.  *base* makes it a delta to the CRL of that number;
    *freshest* are the URLs of the delta; *expired_since* says that certificates
    stay listed which expired after that (X.509 §9.5.2.9).
    """
    parts = list(entries)
    size = sum(map(len, parts))
    head = b"".join(
        (
            _VERSION_2,
            algorithms.algorithm_identifier(algorithm),
            issuer,
            der.time(this_update),
            der.time(next_update),
            der.head(der.SEQUENCE, size) if size else b"",
        )
    )
    extensions = [
        der.sequence(
            _AUTHORITY_KEY_IDENTIFIER,
            der.octet_string(der.sequence(der.tlv(0x80, key_identifier))),
        ),
        der.sequence(_CRL_NUMBER, der.octet_string(der.integer(number))),
    ]
    if base is not None:
        indicator = der.octet_string(der.integer(base))
        extensions.append(der.sequence(_DELTA_CRL_INDICATOR, _CRITICAL, indicator))
    if scope is not None:
        extensions.append(
            der.sequence(_ISSUING_DISTRIBUTION_POINT, _CRITICAL, der.octet_string(scope.encode()))
        )
    if freshest:
        point = der.sequence(der.tlv(0xA0, der.tlv(0xA0, urls_encoded(freshest))))
        extensions.append(der.sequence(_FRESHEST_CRL, der.octet_string(der.sequence(point))))
    if expired_since is not None:
        since = der.octet_string(generalized_time(expired_since))
        extensions.append(der.sequence(_EXPIRED_CERTS_ON_CRL, since))
    tail = der.tlv(_EXTENSION_TAG, der.sequence(*extensions))
    # The entries may be most of the memory there is: they are copied once, here.
    whole = len(head) + size + len(tail)
    return b"".join((der.head(der.SEQUENCE, whole), head, *parts, tail))


def join(tbs_der: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """Make the CertificateList."""
    end = algorithms.algorithm_identifier(algorithm) + der.bit_string(signature)
    return b"".join((der.head(der.SEQUENCE, len(tbs_der) + len(end)), tbs_der, end))
