"""Keys that must not be certified: one red test for each kind of failure in the field.

Incident I20 (ROCA, Debian, Fermat) and Baseline Requirements §6.1.1.3, §6.1.6.
"""

import random
import tomllib
from math import isqrt
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain import ed25519_points, key_quality, rsa_weaknesses
from chancery.domain.errors import BadKey, BadRequest
from chancery.domain.weak_keys import debian_fingerprint, debian_list

DIRECTORY = Path(__file__).parents[1] / "vectors" / "rsa_keys"
VECTORS = {path.stem: tomllib.loads(path.read_text()) for path in sorted(DIRECTORY.iterdir())}


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPublicKey:
    return rsa.generate_private_key(65_537, 2048).public_key()


def rule_of(key: PublicKeyTypes) -> str | None:
    with pytest.raises(BadKey) as refused:
        key_quality.check(key)
    assert refused.value.field == "key"
    assert refused.value.remedy
    return refused.value.rule


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_refuses_weak_rsa(vector: dict[str, Any]) -> None:
    modulus = int(vector["modulus"], 16)
    key = rsa.RSAPublicNumbers(vector["exponent"], modulus)
    with pytest.raises(BadKey) as refused:
        rsa_weaknesses.check_rsa(key.n, key.e)
    assert refused.value.rule == vector["reject"]


def test_roca_is_refused_as_a_key_object_too() -> None:
    """I20: CVE-2017-15361, the Estonian identity card and others."""
    modulus = int(VECTORS["roca-2048"]["modulus"], 16)
    assert rule_of(rsa.RSAPublicNumbers(65_537, modulus).public_key()) == "rsa.roca"


def test_close_primes_are_refused() -> None:
    """I20: CVE-2022-26320, printers whose primes were neighbours."""
    modulus = int(VECTORS["fermat-next-prime"]["modulus"], 16)
    assert rule_of(rsa.RSAPublicNumbers(65_537, modulus).public_key()) == "rsa.fermat"


def test_debian_keys_are_refused(rsa_key: rsa.RSAPublicKey) -> None:
    """I20: CVE-2008-0166."""
    modulus = rsa_key.public_numbers().n
    listed = debian_list([f"{debian_fingerprint(modulus).hex()}\n"])
    with pytest.raises(BadKey) as refused:
        key_quality.check(rsa_key, debian=listed)
    assert refused.value.rule == "rsa.debian"
    key_quality.check(rsa_key, debian=debian_list(["# an empty list\n"]))


@pytest.mark.parametrize("digits", [20, 40])
def test_debian_lists_come_in_two_lengths(digits: int) -> None:
    line = "0123456789abcdef0123456789abcdef01234567"[-digits:]
    listed = debian_list(["# comment", "", f"  {line}  # i386"])
    assert listed(bytes(10)) is False
    assert listed(bytes.fromhex(line[-20:])) is True


@pytest.mark.parametrize("line", ["xyz", "0123", "0123456789abcdef0123456789abcdef"])
def test_a_broken_debian_list_is_named_by_its_line(line: str) -> None:
    with pytest.raises(BadRequest, match="line 2"):
        debian_list(["# fine", line])


@pytest.mark.parametrize("bits", [2048, 3072])
def test_ordinary_rsa_keys_pass(bits: int) -> None:
    key_quality.check(rsa.generate_private_key(65_537, bits).public_key())


def test_the_roca_fingerprint_has_no_false_positives() -> None:
    """The 17 telling primes let one sound modulus in 2^27 through."""
    source = random.Random(20)
    assert not any(
        rsa_weaknesses.has_roca_fingerprint(source.getrandbits(2048) | 1) for _ in range(20_000)
    )


def test_the_roca_primes_follow_from_the_mathematics() -> None:
    """Those below 168 in which 65537 does not generate everything, as the paper says."""
    telling = {p for p, _ in rsa_weaknesses._ROCA_SUBGROUPS}
    assert telling == {
        11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
    }  # fmt: skip


@pytest.mark.parametrize("bits", [1024, 2040, 8200, 16_384])
def test_sizes_outside_2048_to_8192(bits: int) -> None:
    with pytest.raises(BadKey) as refused:
        rsa_weaknesses.check_rsa((1 << bits - 1) + 1, 65_537)
    assert refused.value.rule == "rsa.size"


@pytest.mark.parametrize("bits", [2049, 2052, 3071])
def test_sizes_are_whole_octets(bits: int) -> None:
    with pytest.raises(BadKey) as refused:
        rsa_weaknesses.check_rsa((1 << bits - 1) + 1, 65_537)
    assert refused.value.rule == "rsa.size-multiple"


@pytest.mark.parametrize("exponent", [-1, 0, 1, 2, 3, 17, 65_535, 65_536, 65_538, 2**256 + 1])
def test_exponents(rsa_key: rsa.RSAPublicKey, exponent: int) -> None:
    with pytest.raises(BadKey) as refused:
        rsa_weaknesses.check_rsa(rsa_key.public_numbers().n, exponent)
    assert refused.value.rule == "rsa.exponent"


@pytest.mark.parametrize("exponent", [65_537, 65_539, 2**256 - 1])
def test_exponents_in_range(rsa_key: rsa.RSAPublicKey, exponent: int) -> None:
    rsa_weaknesses.check_rsa(rsa_key.public_numbers().n, exponent)


def test_fermat_stops_after_exactly_its_rounds() -> None:
    a = random.Random(110).getrandbits(1024) | 1 << 1023
    wanted = 110
    b = isqrt(2 * a * wanted)
    while a - isqrt(a * a - b * b) > wanted:
        b -= b >> 20
    n = (a - b) * (a + b)
    assert a - isqrt(n) == wanted
    assert rsa_weaknesses.factors_by_fermat(n, 110)
    assert not rsa_weaknesses.factors_by_fermat(n, 109)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_perfect_power_is_found(data: st.DataObject) -> None:
    exponent = data.draw(st.sampled_from([3, 5, 7, 11, 13, 101, 211]))
    smallest = max(753, 1 << (2047 // exponent))
    root = data.draw(st.integers(smallest, smallest * 4)) | 1
    assert rsa_weaknesses.is_perfect_power(root**exponent)
    assert not rsa_weaknesses.is_perfect_power(root**exponent + 2)


def test_the_longest_modulus_is_searched_for_every_exponent() -> None:
    assert not rsa_weaknesses.is_perfect_power((1 << 8191) + 1)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_nist_curves_pass(curve: ec.EllipticCurve) -> None:
    key_quality.check(ec.generate_private_key(curve).public_key())


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP256K1(), ec.BrainpoolP256R1()])
def test_other_curves_do_not(curve: ec.EllipticCurve) -> None:
    assert rule_of(ec.generate_private_key(curve).public_key()) == "ec.curve"


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x00",  # infinity (SEC 1 §2.3.3)
        b"\x04" + bytes(64),
        b"\x04" + (1).to_bytes(32) + (1).to_bytes(32),
        b"\x04" + b"\xff" * 64,  # coordinates above the field
    ],
)
def test_points_off_the_curve_never_become_keys(encoded: bytes) -> None:
    """``key_quality`` leaves this to the library: this test holds it to that."""
    with pytest.raises(ValueError):
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)


# Chalkias, Garillot, Nikolaenko: Taming the many EdDSAs (2020), table 1.
LOW_ORDER = {
    "0100000000000000000000000000000000000000000000000000000000000000": "ed25519.low-order",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "ed25519.low-order",
    "0000000000000000000000000000000000000000000000000000000000000080": "ed25519.low-order",
    "0000000000000000000000000000000000000000000000000000000000000000": "ed25519.low-order",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a": "ed25519.low-order",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa": "ed25519.low-order",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05": "ed25519.low-order",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85": "ed25519.low-order",
    "0100000000000000000000000000000000000000000000000000000000000080": "ed25519.low-order",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "ed25519.low-order",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "ed25519.canonical",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "ed25519.canonical",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "ed25519.canonical",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "ed25519.canonical",
    "0200000000000000000000000000000000000000000000000000000000000000": "ed25519.point",
}


@pytest.mark.parametrize(("encoded", "rule"), LOW_ORDER.items())
def test_ed25519_points_that_are_no_keys(encoded: str, rule: str) -> None:
    assert rule_of(ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(encoded))) == rule


def test_the_low_order_points_have_low_order() -> None:
    """Eight times each of them is the neutral element (0, 1)."""
    p, d = ed25519_points.P, ed25519_points.D

    def double(x: int, y: int) -> tuple[int, int]:
        k = d * x * x * y * y
        return 2 * x * y * pow(1 + k, -1, p) % p, (y * y + x * x) * pow(1 - k, -1, p) % p

    for y in ed25519_points.LOW_ORDER_Y:
        x = ed25519_points._square_root((y * y - 1) * pow(d * y * y + 1, -1, p) % p)
        assert double(*double(*double(x, y))) == (0, 1)


def test_ordinary_ed25519_keys_pass() -> None:
    for _ in range(20):
        key_quality.check(ed25519.Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize(
    "kind", [mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey]
)
def test_ml_dsa_passes(kind: type[mldsa.MLDSA44PrivateKey]) -> None:
    key_quality.check(kind.generate().public_key())


@pytest.mark.parametrize(
    "key",
    [
        lambda: dsa.generate_private_key(1024).public_key(),
        lambda: x25519.X25519PrivateKey.generate().public_key(),
        lambda: ed448.Ed448PrivateKey.generate().public_key(),
    ],
    ids=["dsa", "x25519", "ed448"],
)
def test_other_kinds_are_refused(key: Any) -> None:
    assert rule_of(key()) == "key.kind"


def test_what_a_profile_allows(rsa_key: rsa.RSAPublicKey) -> None:
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key()
    key_quality.allowed(("rsa", "ec-p256"), rsa_key)
    key_quality.allowed(("rsa-2048",), rsa_key)
    key_quality.allowed(("ec-p256",), p256)
    for algorithms, key in (
        (("rsa-3072", "ec-p256"), rsa_key),
        (("rsa", "ec-p384"), p256),
        ((), p256),
    ):
        with pytest.raises(BadKey) as refused:
            key_quality.allowed(algorithms, key)
        assert refused.value.rule == "key.profile"
