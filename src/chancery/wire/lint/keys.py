"""Subject keys in certificates: their kind, and what they may be used for."""

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.profile import KeyUsage
from chancery.wire import der

_BITS: Final = {
    KeyUsage.DIGITAL_SIGNATURE: 0,
    KeyUsage.CONTENT_COMMITMENT: 1,
    KeyUsage.KEY_ENCIPHERMENT: 2,
    KeyUsage.DATA_ENCIPHERMENT: 3,
    KeyUsage.KEY_AGREEMENT: 4,
    KeyUsage.KEY_CERT_SIGN: 5,
    KeyUsage.CRL_SIGN: 6,
    KeyUsage.ENCIPHER_ONLY: 7,
    KeyUsage.DECIPHER_ONLY: 8,
}
_ENCIPHER: Final = frozenset({2, 3})
_AGREE: Final = frozenset({4, 7, 8})

_RSA: Final = bytes.fromhex("300d06092a864886f70d0101010500")  # rsaEncryption, NULL
_FIXED: Final = {  # AlgorithmIdentifier: (kind, octets of the key); RFC 5480, 8410, 9881
    bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"): (KeyAlgorithm.EC_P256, 65),
    bytes.fromhex("301006072a8648ce3d020106052b81040022"): (KeyAlgorithm.EC_P384, 97),
    bytes.fromhex("301006072a8648ce3d020106052b81040023"): (KeyAlgorithm.EC_P521, 133),
    bytes.fromhex("300506032b6570"): (KeyAlgorithm.ED25519, 32),
    bytes.fromhex("300b0609608648016503040311"): (KeyAlgorithm.ML_DSA_44, 1312),
    bytes.fromhex("300b0609608648016503040312"): (KeyAlgorithm.ML_DSA_65, 1952),
    bytes.fromhex("300b0609608648016503040313"): (KeyAlgorithm.ML_DSA_87, 2592),
}
_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192


class Key(NamedTuple):
    """*family* as ``domain.algorithms.key_family`` writes it; empty if unknown."""

    family: str
    findings: tuple[str, ...]


class Kinds:
    """Which keys a profile certifies, and which bits of keyUsage they must and may have."""

    __slots__ = ("_algorithms", "_usage", "demands_usage")

    def __init__(self, algorithms: tuple[str, ...], usage: tuple[KeyUsage, ...]) -> None:
        self._algorithms = frozenset(algorithms)
        self._usage = frozenset(_BITS[u] for u in usage)
        self.demands_usage = bool(usage)

    def examine(self, spki: bytes) -> Key:
        """Name the kind of key and find fault with it if the profile does not list it."""
        _, at, end = der.header(spki, 0, len(spki))
        _, _, bits_at = der.header(spki, at, end)
        tag, start, stop = der.header(spki, bits_at, end)
        if tag != der.BIT_STRING or stop != end or spki[start : start + 1] != b"\x00":
            return Key("", ("ERROR key.malformed: not a SubjectPublicKeyInfo",))
        identifier = spki[at:bits_at]
        fixed = _FIXED.get(identifier)
        if fixed is not None:
            kind, size = fixed
            if stop - start - 1 != size or (size in (65, 97, 133) and spki[start + 1] != 4):
                return Key(kind, (f"ERROR key.malformed: not the length of a {kind} key",))
            return self._judged(kind, listed=kind in self._algorithms)
        if identifier == _RSA:
            return self._examine_rsa(spki[start + 1 : stop])
        return Key("", ("ERROR key.kind: an unknown kind of key",))

    def _examine_rsa(self, key: bytes) -> Key:
        _, at, end = der.header(key, 0, len(key))
        tag, start, stop = der.header(key, at, end)
        bits = int.from_bytes(key[start : start + 1]).bit_length() + 8 * (stop - start - 1)
        if key[start : start + 1] == b"\x00" and stop - start > 1:
            bits = key[start + 1].bit_length() + 8 * (stop - start - 2)
        if tag != der.INTEGER or end != len(key):
            return Key("", ("ERROR key.malformed: not an RSAPublicKey",))
        family = f"rsa-{bits}"
        general = "rsa" in self._algorithms and _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS
        return self._judged(family, listed=general or family in self._algorithms)

    @staticmethod
    def _judged(family: str, *, listed: bool) -> Key:
        if listed:
            return Key(family, ())
        return Key(family, (f"ERROR key.kind: the profile does not list {family}",))

    def check_usage(self, family: str, value: bytes) -> tuple[str, ...]:
        """Hold keyUsage against the profile, and against what the key can do at all."""
        return _check_usage(self._usage, family.partition("-")[0], value)


@lru_cache(maxsize=1024)
def _check_usage(wanted: frozenset[int], family: str, value: bytes) -> tuple[str, ...]:
    """RSA enciphers (RFC 4055 §1.2), EC agrees (RFC 5480 §3), others only sign."""
    bits = frozenset(der.decode_named_bits(der.single(value, der.BIT_STRING)[1]))
    cannot = _AGREE if family == "rsa" else _ENCIPHER if family == "ec" else _AGREE | _ENCIPHER
    found = []
    if bits - wanted:
        found.append("ERROR key-usage.excess: keyUsage promises more than the profile")
    if bits & cannot:
        found.append(f"ERROR key-usage.key: keyUsage promises what {family} keys cannot do")
    if wanted - bits - cannot:
        found.append("ERROR key-usage.missing: keyUsage lacks what the profile says")
    if not bits:
        found.append("ERROR key-usage.empty: keyUsage has no bit set (RFC 5280 §4.2.1.3)")
    return tuple(found)


def identifiers(spki: bytes) -> tuple[bytes, bytes]:
    """Key identifiers by RFC 7093 §2 method 1 (SHA-256) and RFC 5280 §4.2.1.2 method 1 (SHA-1)."""
    _, at, end = der.header(spki, 0, len(spki))
    _, _, bits_at = der.header(spki, at, end)
    _, start, stop = der.header(spki, bits_at, end)
    bits = spki[start + 1 : stop]
    return (
        hashlib.sha256(bits).digest()[:20],
        hashlib.sha1(bits, usedforsecurity=False).digest(),
    )
