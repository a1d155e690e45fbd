"""Hostile input for every reader that strangers can reach: T8 of the test plan.

Whatever comes in, only BadRequest (or its subclasses) comes out, and soon.
``CHANCERY_FUZZ_INPUTS`` scales the volume; a release runs a million.
"""

import os
import random
import resource
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chancery.domain import key_quality
from chancery.domain.errors import BadRequest
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.wire import der, pem, pkcs7, pkcs10, possession, spki
from chancery.wire.lint import compile_lint

pytestmark = pytest.mark.filterwarnings(
    # pyca warns of serial numbers and versions that RFC 5280 forbids; here they are many.
    "ignore::cryptography.utils.CryptographyDeprecationWarning"
)

INPUTS = int(os.environ.get("CHANCERY_FUZZ_INPUTS", "5000"))
DIRECTORY = Path(__file__).parents[1] / "vectors" / "pkcs10"
TEXTS = [tomllib.loads(path.read_text())["pem"].encode() for path in sorted(DIRECTORY.iterdir())]
LABELS = (*pkcs10.LABELS, "CERTIFICATE")


def _der_of(texts: list[bytes]) -> list[bytes]:
    found = []
    for text in texts:
        try:
            found.append(pem.decode(text, LABELS, 65_536)[1])
        except BadRequest:
            continue
    return found


REQUESTS = _der_of(TEXTS)
CERTIFICATE = pem.decode(
    tomllib.loads((DIRECTORY / "reject-certificate.toml").read_text())["pem"].encode(),
    LABELS,
    65_536,
)[1]
SOME = pkcs10.decode(tomllib.loads((DIRECTORY / "rsa-2048.toml").read_text())["pem"].encode())
KEYS = [pkcs10.decode(request).spki for request in _der_of(TEXTS[:10])]
LINT = compile_lint(ProfileVersion(ExtensionProfile("any"), 1, "0" * 64, 0, "test"))


def request(data: bytes) -> None:
    """Everything a submission does with a CSR before any policy."""
    csr = pkcs10.decode(data)
    assert csr.der.endswith(csr.signature)
    assert len(csr.names) <= pkcs10.MAX_NAMES
    assert csr.subject.text.isprintable() or csr.subject.text
    key_quality.allowed(("rsa", "ec-p256"), csr.public_key)
    key_quality.check(csr.public_key)
    pkcs10.check_signature(csr)


def signature(data: bytes) -> None:
    possession.check(SOME.public_key, data, b"", SOME.info)


def public_key(data: bytes) -> None:
    key_quality.check(spki.decode(data))


READERS: dict[str, Callable[[bytes], object]] = {
    "pkcs10": request,
    "pkcs7": pkcs7.certificates,
    "pem": lambda data: pem.decode_all(data, LABELS, 65_536),
    "spki": public_key,
    "signature algorithm": signature,
    "lint": LINT,
}
SEEDS: dict[str, list[bytes]] = {
    "pkcs10": REQUESTS + TEXTS,
    "pkcs7": [pkcs7.certs_only([CERTIFICATE] * 2), CERTIFICATE],
    "pem": TEXTS,
    "spki": KEYS,
    "signature algorithm": [pkcs10.decode(r).signature_algorithm for r in _der_of(TEXTS[:10])],
    "lint": [CERTIFICATE],
}


def survive(reader: Callable[[bytes], object], data: bytes) -> None:
    started = time.perf_counter()
    with suppress(BadRequest):
        reader(data)
    took = time.perf_counter() - started
    assert took < 1, f"{took:.2f} s for {len(data)} octets: {data[:100].hex()}..."


@pytest.mark.parametrize("name", READERS)
def test_any_octets(name: str) -> None:
    @given(st.binary(max_size=2_000))
    @settings(max_examples=300, deadline=None)
    def run(data: bytes) -> None:
        survive(READERS[name], data)

    run()


@st.composite
def tlv(draw: st.DrawFn, depth: int = 4) -> bytes:
    """Well-formed TLVs of random tags, lengths sometimes wrong."""
    tag = draw(st.sampled_from([0x02, 0x03, 0x04, 0x06, 0x0C, 0x13, 0x17, 0x1E, 0x30, 0x31, 0x80, 0xA0, 0xA3]))  # fmt: skip
    if depth and tag & 0x20:
        content = b"".join(draw(st.lists(tlv(depth - 1), max_size=4)))
    else:
        content = draw(st.binary(max_size=20))
    encoded = der.tlv(tag, content)
    lie = draw(st.integers(0, 30))
    return encoded if lie else encoded[:1] + b"\x84\xff\xff\xff\xff" + encoded[2:]


@pytest.mark.parametrize("name", READERS)
def test_well_formed_nonsense(name: str) -> None:
    @given(tlv())
    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    def run(data: bytes) -> None:
        survive(READERS[name], data)

    run()


def _mutate(source: random.Random, seed: bytes) -> bytes:
    """Flip, replace, insert, delete, repeat or lie about a length; up to four times.

    Two of three inputs keep their length, and so reach deeper than its check.
    """
    data = bytearray(seed)
    kinds = 7 if source.randrange(3) == 0 else 2
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(data))
        match source.randrange(kinds):
            case 0:
                data[at] ^= 1 << source.randrange(8)
            case 1:
                data[at] = source.choice((0x00, 0x7F, 0x80, 0xFF, 0x30, 0x31, 0x1E, 0xA0))
            case 2:
                data[at:at] = source.randbytes(source.randint(1, 8))
            case 3:
                del data[at : at + source.randint(1, 8)]
            case 4:
                data[at:at] = data[at : at + source.randint(1, 64)]
            case 5:
                data[at : at + 1] = source.choice(
                    (b"\x80", b"\x84\x7f\xff\xff\xff", b"\x82\x00\x01")
                )
            case _:
                del data[at:]
        if not data:
            return b""
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_mutations_by_volume(name: str) -> None:
    """0 crashes, 0 inputs above 1 s, and memory that stays where it is (T8)."""
    source = random.Random(f"{name} {INPUTS}")
    reader, seeds = READERS[name], SEEDS[name]
    for _ in range(min(INPUTS, 500)):  # caches fill first
        survive(reader, _mutate(source, source.choice(seeds)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(INPUTS):
        survive(reader, _mutate(source, source.choice(seeds)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50 * 1024, f"{grown} KiB more"


EMPTY_NAME = b"\x30\x00"


def _request_of(key: bytes, attributes: bytes = b"", subject: bytes = EMPTY_NAME) -> bytes:
    info = der.sequence(der.integer(0), subject, key, der.implicit(0, attributes, constructed=True))
    algorithm = der.sequence(der.oid("1.2.840.10045.4.3.2"))
    return der.sequence(info, algorithm, der.bit_string(bytes(70)))


def _nested(depth: int) -> bytes:
    """A value *depth* SEQUENCEs deep, built from the inside."""
    data = b"\x30\x00"
    for _ in range(depth):
        data = der.sequence(data)
    return data


def _rsa(n: int, e: int) -> bytes:
    key = der.sequence(der.integer(n), der.integer(e))
    return der.sequence(
        der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL), der.bit_string(key)
    )


def _extension_request(*extensions: tuple[str, bytes]) -> bytes:
    listed = der.sequence(
        *(der.sequence(der.oid(oid), der.octet_string(value)) for oid, value in extensions)
    )
    return der.sequence(der.oid("1.2.840.113549.1.9.14"), der.set_of(listed))


def _san(count: int) -> bytes:
    return der.sequence(*(der.tlv(0x82, b"h%d.test" % n) for n in range(count)))


def _cn(tag: int, value: bytes, count: int = 1) -> bytes:
    rdn = der.set_of(der.sequence(der.oid("2.5.4.3"), der.tlv(tag, value)))
    return der.sequence(*[rdn] * count)


P256 = KEYS[0]
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "nested 10,000 deep": _nested(10_000),
    "a subject nested 10,000 deep": _request_of(P256, subject=_nested(10_000)),
    "an attribute nested 10,000 deep": _request_of(
        P256, der.sequence(der.oid("1.2.3"), der.set_of(_nested(10_000)))
    ),
    "an extension nested 10,000 deep": _request_of(
        P256, _extension_request(("1.2.3", _nested(10_000)))
    ),
    "a SAN nested 10,000 deep": _request_of(
        P256, _extension_request(("2.5.29.17", _nested(10_000)))
    ),
    "a length of 100 MB": b"\x30\x84\x05\xf5\xe1\x00" + bytes(100),
    "a length of 127 octets": b"\x30\xff" + b"\xff" * 200,
    "indefinite lengths": b"\x30\x80" * 1_000 + b"\x00\x00" * 1_000,
    "3,500 SANs": _request_of(P256, _extension_request(("2.5.29.17", _san(3_500)))),
    "10,000 SANs": _request_of(P256, _extension_request(("2.5.29.17", _san(10_000)))),
    "1,000 extensions": _request_of(
        P256, _extension_request(*((f"1.2.{n}", b"\x05\x00") for n in range(1_000)))
    ),
    "4,000 attributes": _request_of(
        P256, b"".join(der.sequence(der.oid(f"1.2.{n}"), der.set_of()) for n in range(4_000))
    ),
    "3,000 CNs": _request_of(P256, subject=_cn(0x0C, b"x", 3_000)),
    "a CN of 60 KB": _request_of(P256, subject=_cn(0x0C, b"x" * 60_000)),
    "NUL in the CN": _request_of(P256, subject=_cn(0x0C, b"a\x00b")),
    "half a BMPString": _request_of(P256, subject=_cn(0x1E, b"\x00a\x00")),
    "a lone surrogate": _request_of(P256, subject=_cn(0x1E, b"\xd8\x00")),
    "broken UTF-8": _request_of(P256, subject=_cn(0x0C, b"\xc0\x80")),
    "a UniversalString beyond Unicode": _request_of(P256, subject=_cn(0x1C, b"\x7f\xff\xff\xff")),
    "an escape sequence": _request_of(P256, subject=_cn(0x0C, b"\x1b[2J")),
    "a right-to-left override": _request_of(P256, subject=_cn(0x0C, "\u202egro.elpmaxe".encode())),
    "an OID of 60 KB": _request_of(
        P256, der.sequence(der.tlv(0x06, b"\x81" * 60_000 + b"\x01"), der.set_of())
    ),
    "RSA of 16,384 bits": _request_of(_rsa((1 << 16_383) + 1, 65_537)),
    "RSA of 250,000 bits": _request_of(_rsa((1 << 250_000) + 1, 65_537)),
    "RSA with e = 1": _request_of(_rsa((1 << 2_047) + 1, 1)),
    "RSA with an even modulus": _request_of(_rsa(1 << 2_047, 65_537)),
    "RSA with a negative modulus": _request_of(_rsa(-(1 << 2_047), 65_537)),
    "RSA with e of 2,047 bits": _request_of(_rsa((1 << 2_047) + 1, (1 << 2_046) + 1)),
    "RSA with modulus 0": _request_of(_rsa(0, 0)),
    "a point off the curve": _request_of(P256[:-1] + bytes((P256[-1] ^ 1,))),
    "punycode that is none": _request_of(
        P256, _extension_request(("2.5.29.17", der.sequence(der.tlv(0x82, b"xn--" + b"9" * 59))))
    ),
    "an IP address of 200 octets": _request_of(
        P256, _extension_request(("2.5.29.17", der.sequence(der.tlv(0x87, bytes(120)))))
    ),
    "BEGIN without END": b"-----BEGIN CERTIFICATE REQUEST-----\n" * 1_800,
    "dashes": b"-" * 65_536,
    "UTF-16 text": "-----BEGIN CERTIFICATE REQUEST-----".encode("utf-16"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_inputs(data: bytes) -> None:
    """Each of these is refused by each reader; the linter answers with findings."""
    for name, reader in READERS.items():
        survive(reader, data)
        if name == "pkcs10":
            with pytest.raises(BadRequest):
                reader(data)


def test_every_prefix_of_a_request_is_refused() -> None:
    for end in range(len(REQUESTS[0])):
        with pytest.raises(BadRequest):
            pkcs10.decode(REQUESTS[0][:end])
