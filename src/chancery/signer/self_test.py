"""Known-answer tests of the algorithms that the signer itself computes.

Answers from public vectors, so that a broken library, a wrong build or a
flipped bit in its code is met before anything is signed.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chancery.domain.vaults import Probe

_HASHES: Final = {  # of "abc", FIPS 180-4 examples
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
    "8086072ba1e7cc2358baeca134c825a7",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
}
_HMAC: Final = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"  # RFC 4231 §4.3
_GCM_TAG: Final = "530f8afbc74536b9a963b4f1c4cb738b"  # GCM specification, test case 13
_KW: Final = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"
"""RFC 3394 §4.6."""
_KWP: Final = "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"  # RFC 5649 §6
_HKDF: Final = (  # RFC 5869 A.1
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
)


class Failed(Exception):
    """An answer is not the known one."""


def _equal(found: bytes, expected: str) -> None:
    if found != bytes.fromhex(expected):
        raise Failed("a wrong answer")


def _sha2() -> None:
    for name, expected in _HASHES.items():
        _equal(hashlib.new(name, b"abc").digest(), expected)
        digest = hashes.Hash(getattr(hashes, name.upper())())
        digest.update(b"abc")
        _equal(digest.finalize(), expected)


def _hmac() -> None:
    _equal(hmac.digest(b"Jefe", b"what do ya want for nothing?", "sha256"), _HMAC)


def _gcm() -> None:
    _equal(AESGCM(bytes(32)).encrypt(bytes(12), b"", None), _GCM_TAG)


def _wrap() -> None:
    key = bytes(range(32))
    plain = bytes.fromhex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f")
    _equal(keywrap.aes_key_wrap(key, plain), _KW)
    padded = bytes.fromhex("c37b7e6492584340bed12207808941155068f738")
    by = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    _equal(keywrap.aes_key_wrap_with_padding(by, padded), _KWP)


def _hkdf() -> None:
    made = HKDF(hashes.SHA256(), 42, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    _equal(made.derive(b"\x0b" * 22), _HKDF)


def _ed25519() -> None:
    """RFC 8032 §7.1, test 2."""
    seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    expected = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    _equal(key.sign(b"\x72"), expected)
    key.public_key().verify(bytes.fromhex(expected), b"\x72")


def _ecdsa() -> None:
    """RFC 6979 A.2.5: P-256, SHA-256, "sample", its signature by way of known r and s."""
    secret = int("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", 16)
    expected = (
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )
    key = ec.derive_private_key(secret, ec.SECP256R1())
    how = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    _equal(key.sign(b"sample", how), expected)
    key.public_key().verify(bytes.fromhex(expected), b"sample", ec.ECDSA(hashes.SHA256()))


def _rsa() -> None:
    """Signed and verified with a key of known primes, both ways; PKCS#1 is deterministic."""
    p, q = (1 << 1279) - 1, (1 << 2203) - 1  # Mersenne primes
    e = 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    digest = hashes.SHA256()
    signature = key.sign(b"abc", padding.PKCS1v15(), digest)
    _equal(hashlib.sha256(signature).digest(), _RSA)
    key.public_key().verify(signature, b"abc", padding.PKCS1v15(), digest)
    pss = padding.PSS(padding.MGF1(digest), 32)
    key.public_key().verify(key.sign(b"abc", pss, digest), b"abc", pss, digest)


_RSA: Final = "c356a73b598aeaf275d9b197f68ced9c32efe96e1fdeddce585341c87598d676"
"""SHA-256 of the signature, computed with Python's own integers (RFC 8017 §8.2.1)."""
TESTS: Final[dict[str, Callable[[], None]]] = {
    "SHA-2": _sha2,
    "HMAC-SHA-256": _hmac,
    "HKDF": _hkdf,
    "AES-GCM": _gcm,
    "AES key wrap": _wrap,
    "ECDSA P-256": _ecdsa,
    "Ed25519": _ed25519,
    "RSA": _rsa,
}


def run(tests: dict[str, Callable[[], None]] = TESTS) -> list[Probe]:
    """Each test once: some milliseconds in all."""
    return [_tried(name, test) for name, test in tests.items()]


def _tried(name: str, test: Callable[[], None]) -> Probe:
    started = time.perf_counter_ns()
    try:
        test()
        passed, detail = True, "the known answer"
    except Exception as error:  # noqa: BLE001 - whatever it is, the algorithm is not to be used
        passed, detail = False, str(error) or type(error).__name__
    return Probe(name, passed, detail, (time.perf_counter_ns() - started) // 1000)
