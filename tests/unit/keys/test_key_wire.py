"""Wrapped keys, ciphertexts and key blocks as octets: vectors with their origin."""

import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from psec import tr31

from chancery.domain.errors import BadRequest
from chancery.domain.managed_key import Exportability, KeyKind, KeyUse
from chancery.signer.managed import material
from chancery.signer.managed.operations import hkdf
from chancery.wire import key_block, key_envelope, key_wrap
from chancery.wire.key_envelope import Envelope

KEK = bytes(range(32))
# (source, method, KEK, key, wrapped)
VECTORS = [
    ("RFC 3394 §4.1", "aes-kw", KEK[:16].hex(), "00112233445566778899aabbccddeeff",
     "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
    ("RFC 3394 §4.2", "aes-kw", KEK[:24].hex(), "00112233445566778899aabbccddeeff",
     "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"),
    ("RFC 3394 §4.4", "aes-kw", KEK[:24].hex(), "00112233445566778899aabbccddeeff0001020304050607",
     "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"),
    ("RFC 3394 §4.5", "aes-kw", KEK.hex(), "00112233445566778899aabbccddeeff0001020304050607",
     "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"),
    ("RFC 3394 §4.3", "aes-kw", KEK.hex(), "00112233445566778899aabbccddeeff",
     "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"),
    ("RFC 3394 §4.6", "aes-kw", KEK.hex(),
     "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
     "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
    ("RFC 5649 §6", "aes-kwp", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
     "c37b7e6492584340bed12207808941155068f738",
     "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
    ("RFC 5649 §6", "aes-kwp", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
     "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "method", "kek", "key", "wrapped"), VECTORS)
def test_wraps_as_the_rfcs_do(source: str, method: str, kek: str, key: str, wrapped: str) -> None:
    made = key_wrap.wrap(method, bytes.fromhex(kek), bytes.fromhex(key))
    assert made.hex() == wrapped, source
    assert key_wrap.unwrap(method, bytes.fromhex(kek), made).hex() == key
    for at in range(len(made)):
        altered = bytearray(made)
        altered[at] ^= 1
        with pytest.raises(BadRequest, match="does not open"):
            key_wrap.unwrap(method, bytes.fromhex(kek), bytes(altered))


def test_rsa_wraps_short_keys_and_with_aes_any() -> None:
    private = rsa.generate_private_key(65537, 2048)
    key, temporary = secrets.token_bytes(32), secrets.token_bytes(32)
    for method in key_wrap.RSA_METHODS:
        made = key_wrap.wrap_public(method, private.public_key(), key, temporary)
        assert key_wrap.unwrap_private(method, private, made) == key
        for bad in (made[:-1], bytes([made[0] ^ 1]) + made[1:], b""):
            with pytest.raises(BadRequest, match="does not open"):
                key_wrap.unwrap_private(method, private, bad)
    with pytest.raises(BadRequest, match="takes 190 octets") as caught:
        key_wrap.wrap_public(key_wrap.OAEP, private.public_key(), bytes(191), temporary)
    assert caught.value.rule == "wrap.length"


@settings(max_examples=30)
@given(st.uuids(), st.integers(0, 2**32 - 1), st.binary(max_size=40))
def test_ciphertexts_read_as_written(key: object, version: int, body: bytes) -> None:
    envelope = Envelope(str(key), version, bytes(12), body + bytes(16))
    text = key_envelope.encode(envelope)
    assert key_envelope.decode(text) == envelope
    assert key_envelope.header(str(key), version)[0] == 1


@settings(max_examples=50)
@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda b: "chy1." + b.hex()))
def test_what_is_no_ciphertext_is_refused(text: str) -> None:
    try:
        found = key_envelope.decode(text)
    except BadRequest:
        return
    assert key_envelope.encode(found) == text.strip()


# Examples of psec's documentation (its tests take them from X9.143): KBPK, block, key
BLOCKS = [
    ("FF" * 16,
     "B0096P0TE00N0000342811F905093F2B797EB9248C1121C011C2AE41BEC63E33C9C2FDB320540D82327221AE9C5C34FB",
     "EE" * 16, "P0", "E"),
]  # fmt: skip


@pytest.mark.parametrize(("kbpk", "block", "key", "usage", "mode"), BLOCKS)
def test_reads_blocks_that_others_wrote(
    kbpk: str, block: str, key: str, usage: str, mode: str
) -> None:
    header = key_block.peek(block)
    assert (header.usage, header.mode, header.exportability) == (usage, mode, Exportability.NONE)
    opened = key_block.unwrap(bytes.fromhex(kbpk), block, KeyKind.TDES_112)
    assert opened == bytes.fromhex(key)
    with pytest.raises(BadRequest, match="holds a key of algorithm T, not aes-128"):
        key_block.unwrap(bytes.fromhex(kbpk), block, KeyKind.AES_128)
    for altered in (block[:-1] + "A", block.replace("TE00N", "TE00E"), block[:-2], "X" + block[1:]):
        with pytest.raises(BadRequest):
            key_block.unwrap(bytes.fromhex(kbpk), altered, KeyKind.TDES_112)


@pytest.mark.parametrize("version", "ABCD")
def test_psec_reads_ours_and_we_read_its(version: str) -> None:
    protection = KeyKind.AES_256 if version == "D" else KeyKind.TDES_168
    kbpk = bytes(material.make(protection))
    key = bytes(material.make(KeyKind.AES_128 if version == "D" else KeyKind.TDES_112))
    kind = KeyKind.AES_128 if version == "D" else KeyKind.TDES_112
    algorithm = "A" if version == "D" else "T"
    theirs = tr31.KeyBlock(kbpk, tr31.Header(version, "K0", algorithm, "D", "00", "E")).wrap(key)
    assert key_block.unwrap(kbpk, theirs, kind) == key
    assert key_block.peek(theirs).uses() == {KeyUse.UNWRAP}
    method = f"tr31-{version.lower()}"
    if version in "BD":
        ours = key_block.wrap(method, kbpk, protection, ("D0", "B", "S"), kind, key)
        reader = tr31.KeyBlock(kbpk)
        assert reader.unwrap(ours) == key
        assert str(reader.header)[0] == version
        assert (reader.header.key_usage, reader.header.exportability) == ("D0", "S")
    else:
        with pytest.raises(BadRequest, match=r"version B .* version D"):
            key_block.wrap(method, kbpk, protection, ("D0", "B", "S"), kind, key)


@settings(max_examples=40)
@given(st.text(max_size=120) | st.text("0123456789ABCDEFKPDTNSE", min_size=16, max_size=120))
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        key_block.unwrap(bytes(range(32)), text, KeyKind.AES_128)


def test_check_values_are_those_that_everybody_computes() -> None:
    # The double-length test key of payment manuals, and its check value.
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert material.check_value(KeyKind.TDES_112, key) == "08D7B4"
    # AES-CMAC of a zero block under the key of NIST SP 800-38B, by OpenSSL 3.
    aes = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    assert material.check_value(KeyKind.AES_128, aes) == CMAC_ZERO


CMAC_ZERO = "7AD386C376"


def test_derives_as_rfc_5869_does() -> None:
    """Appendix A.1."""
    made = hkdf(
        bytes.fromhex("0b" * 22),
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        42,
    )
    assert made.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
