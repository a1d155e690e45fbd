"""RSA keys that are too small, malformed, or known to fall to an attack.

Sizes and exponents: Baseline Requirements §6.1.5, §6.1.6.  Attacks: §6.1.1.3
(ROCA, Fermat, Debian).  All arithmetic is on the public key.
"""

from collections.abc import Callable
from math import gcd, isqrt, prod
from typing import Final

from chancery.domain.errors import BadKey
from chancery.domain.weak_keys import debian_fingerprint

MIN_BITS: Final = 2048
MAX_BITS: Final = 8192
FERMAT_ROUNDS: Final = 110
_MIN_EXPONENT: Final = 65_537
_EXPONENT_BITS: Final = 256
_SMALL_FACTOR_BOUND: Final = 752


def _primes_below(bound: int) -> tuple[int, ...]:
    sieve = bytearray([1]) * bound
    for n in range(2, isqrt(bound) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, bound, n)))
    return tuple(n for n in range(2, bound) if sieve[n])


_SMALL_PRIMES: Final = _primes_below(_SMALL_FACTOR_BOUND)
_PRIMORIAL: Final = prod(_SMALL_PRIMES)


def check_rsa(n: int, e: int, *, debian: Callable[[bytes], bool] | None = None) -> None:
    """Raise BadKey naming the first weakness of the key (*n*, *e*)."""
    _check_size(n.bit_length())
    _check_exponent(e)
    if gcd(n % _PRIMORIAL, _PRIMORIAL) != 1:
        raise _weak(f"the modulus has a factor below {_SMALL_FACTOR_BOUND}", "rsa.small-factor")
    if has_roca_fingerprint(n):
        raise _weak("the modulus bears the ROCA fingerprint (CVE-2017-15361)", "rsa.roca")
    if factors_by_fermat(n):
        raise _weak("the two factors of the modulus lie too close together", "rsa.fermat")
    if is_perfect_power(n):
        raise _weak("the modulus is a power of one number", "rsa.perfect-power")
    if debian is not None and debian(debian_fingerprint(n)):
        raise _weak("a Debian weak key (CVE-2008-0166)", "rsa.debian")


def _check_size(bits: int) -> None:
    if not MIN_BITS <= bits <= MAX_BITS:
        raise BadKey(
            f"an RSA key of {bits} bits; {MIN_BITS} to {MAX_BITS} are accepted",
            field="key",
            rule="rsa.size",
            remedy="use an RSA key of 3072 bits, or an EC key",
        )
    if bits % 8:
        raise BadKey(
            f"an RSA key of {bits} bits, which is not a multiple of 8",
            field="key",
            rule="rsa.size-multiple",
            remedy="use an RSA key of 3072 bits",
        )


def _check_exponent(e: int) -> None:
    if e % 2 == 0 or e < _MIN_EXPONENT or e.bit_length() > _EXPONENT_BITS:
        raise BadKey(
            "the RSA public exponent must be odd, at least 65537 and below 2^256",
            field="key",
            rule="rsa.exponent",
            remedy="use the exponent 65537",
        )


def _weak(what: str, rule: str) -> BadKey:
    return BadKey(
        f"weak RSA key: {what}",
        field="key",
        rule=rule,
        remedy="make a new key with up-to-date software, and withdraw this one everywhere",
    )


# ROCA: the faulty library made primes of the form k*M + (65537^a mod M), M being
# the product of the first 39 primes or more.  So modulo each prime of M, the
# modulus of a key is a power of 65537 (Nemec et al., CCS 2017, §2).


def _powers(generator: int, p: int) -> frozenset[int]:
    found, value = set(), 1
    while value not in found:
        found.add(value)
        value = value * generator % p
    return frozenset(found)


_ROCA_PRIMES: Final = _SMALL_PRIMES[:39]
_ROCA_M: Final = prod(_ROCA_PRIMES)
# Only primes whose subgroup is a proper one say anything; the rarest residues first,
# so that a sound modulus leaves after two or three of them.
_ROCA_SUBGROUPS: Final = tuple(
    sorted(
        ((p, s) for p in _ROCA_PRIMES if len(s := _powers(65_537, p)) < p - 1),
        key=lambda pair: len(pair[1]) / (pair[0] - 1),
    )
)


def has_roca_fingerprint(n: int) -> bool:
    """Whether *n* is a power of 65537 modulo every telling prime."""
    residue = n % _ROCA_M
    return all(residue % p in subgroup for p, subgroup in _ROCA_SUBGROUPS)


_SQUARES_MOD_256: Final = frozenset(n * n % 256 for n in range(256))


def factors_by_fermat(n: int, rounds: int = FERMAT_ROUNDS) -> bool:
    """Whether Fermat's method finds the factors of odd *n* within *rounds* steps.

    It looks for a² - n = b².  A perfect square falls in step 0.
    """
    a = isqrt(n)
    rest = a * a - n
    if rest == 0:
        return True
    for _ in range(rounds):
        rest += 2 * a + 1  # (a + 1)² - n, without squaring again
        a += 1
        # Five of six candidates are no squares modulo 256 already.
        if rest & 0xFF in _SQUARES_MOD_256 and isqrt(rest) ** 2 == rest:
            return True
    return False


def _witnesses(k: int) -> tuple[int, ...]:
    """Primes q = 1 (mod k), enough that a random n is a k-th power modulo all once in 2^20."""
    found: list[int] = []
    q = 2 * k + 1
    while k ** len(found) < 2**20:
        if all(q % d for d in range(3, isqrt(q) + 1, 2)):
            found.append(q)
        q += 2 * k
    return tuple(found)


# Roots are above _SMALL_FACTOR_BOUND > 2^9 once small factors are excluded, so the
# exponent is below MAX_BITS / 9; squares are Fermat's step 0.
_POWERS: Final = tuple((k, _witnesses(k)) for k in _primes_below(MAX_BITS // 9 + 1) if k > 2)


def is_perfect_power(n: int) -> bool:
    """Whether *n* = r^k for an odd prime k and an r of 2^9 or more.

    A k-th power is 1 (or 0) modulo every prime q after raising it to (q - 1) / k.
    """
    bits = n.bit_length()
    for k, witnesses in _POWERS:
        if 9 * k > bits:
            return False
        if all(pow(n % q, (q - 1) // k, q) <= 1 for q in witnesses) and _root(n, k) ** k == n:
            return True
    return False


def _root(n: int, k: int) -> int:
    """The integer part of the k-th root, by Newton's method from above."""
    r = 1 << -(-n.bit_length() // k)
    while True:
        better = ((k - 1) * r + n // r ** (k - 1)) // k
        if better >= r:
            return r
        r = better
