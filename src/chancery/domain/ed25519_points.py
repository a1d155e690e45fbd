"""Ed25519 public keys that decode, and yet are no keys (RFC 8032 §5.1.3, §8.4-8.9)."""

from typing import Final

from chancery.domain.errors import BadKey

P: Final = 2**255 - 19
D: Final = -121665 * pow(121666, -1, P) % P
_SIGN_BIT: Final = 1 << 255


def _order_eight() -> int:
    """A y coordinate of the points of order 8.

    Doubling such a point must give a point of order 4, whose y is 0, so
    y² + x² = 0; on the curve -x² + y² = 1 + d x² y² this leaves
    d y⁴ + 2 y² - 1 = 0, hence y² = (-1 + sqrt(1 + d)) / d.
    """
    inverse = pow(D, -1, P)
    root = _square_root((1 + D) % P)
    for candidate in ((-1 + root) * inverse % P, (-1 - root) * inverse % P):
        if pow(candidate, (P - 1) // 2, P) == 1:
            return _square_root(candidate)
    raise AssertionError("edwards25519 has points of order 8")


def _square_root(value: int) -> int:
    """A square root modulo P, which is 5 modulo 8 (RFC 8032 §5.1.3 step 3)."""
    root = pow(value, (P + 3) // 8, P)
    if root * root % P != value:
        root = root * pow(2, (P - 1) // 4, P) % P
    return root


_Y8: Final = _order_eight()
LOW_ORDER_Y: Final = frozenset({0, 1, P - 1, _Y8, P - _Y8})
"""y of the eight points whose order divides 8: what they 'sign' verifies for anybody."""


def check_point(encoded: bytes) -> None:
    """Raise BadKey if 32 octets are not the canonical encoding of a sound point."""
    y = int.from_bytes(encoded, "little") & ~_SIGN_BIT
    if y >= P:
        raise _bad("is not in canonical form", "ed25519.canonical")
    if y in LOW_ORDER_Y:
        raise _bad("is a point of low order: anybody can sign for it", "ed25519.low-order")
    # x² = (y² - 1) / (d y² + 1) must be a square; u / v is one exactly if u * v is.
    y2 = y * y % P
    if pow((y2 - 1) * (D * y2 + 1), (P - 1) // 2, P) != 1:
        raise _bad("is not a point on the curve", "ed25519.point")


def _bad(what: str, rule: str) -> BadKey:
    return BadKey(
        f"the Ed25519 key {what}",
        field="key",
        rule=rule,
        remedy="make a new key with well-tested software",
    )
