"""Kinds of key as AlgorithmIdentifiers of public keys, where those alone say which."""

from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.wire import der

_EC: Final = der.oid("1.2.840.10045.2.1")

IDENTIFIERS: Final[dict[KeyAlgorithm, bytes]] = {
    KeyAlgorithm.EC_P256: der.sequence(_EC, der.oid("1.2.840.10045.3.1.7")),
    KeyAlgorithm.EC_P384: der.sequence(_EC, der.oid("1.3.132.0.34")),
    KeyAlgorithm.EC_P521: der.sequence(_EC, der.oid("1.3.132.0.35")),
    KeyAlgorithm.ED25519: der.sequence(der.oid("1.3.101.112")),
    KeyAlgorithm.ML_DSA_44: der.sequence(der.oid("2.16.840.1.101.3.4.3.17")),
    KeyAlgorithm.ML_DSA_65: der.sequence(der.oid("2.16.840.1.101.3.4.3.18")),
    KeyAlgorithm.ML_DSA_87: der.sequence(der.oid("2.16.840.1.101.3.4.3.19")),
}
"""RSA is missing: its sizes are not told apart here."""
