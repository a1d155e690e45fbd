"""Signed notes and checkpoints: published vectors, refusals, properties."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import note
from chancery.wire.note import Checkpoint, VerifierKey

# The key and note of the Go checksum database's own tests (golang.org/x/mod/sumdb/note).
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)
# The example in C2SP tlog-checkpoint.
C2SP_TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey("ca.example/audit", PRIVATE.public_key().public_bytes_raw())


def signed(text: str) -> bytes:
    return note.sign_note(text, KEY, PRIVATE.sign(text.encode()))


def test_opens_the_go_note() -> None:
    key = VerifierKey.parse(GO_VKEY)

    assert str(key) == GO_VKEY
    assert note.open_note((GO_TEXT + "\n" + GO_LINE).encode(), key) == GO_TEXT


def test_writes_the_go_note() -> None:
    seed = base64.b64decode(GO_SKEY.split("+", 4)[4])[1:]
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key = VerifierKey("PeterNeumann", private.public_key().public_bytes_raw())

    written = note.sign_note(GO_TEXT, key, private.sign(GO_TEXT.encode()))

    assert str(key) == GO_VKEY
    assert written.decode() == GO_TEXT + "\n" + GO_LINE


def test_reads_the_c2sp_checkpoint() -> None:
    checkpoint = note.parse_checkpoint(C2SP_TEXT)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.text() == C2SP_TEXT


def test_every_mangling_of_a_vkey_is_refused() -> None:
    """As the Go tests do: every substring, and every character moved on by one."""
    others = {GO_VKEY[i:j] for i in range(len(GO_VKEY)) for j in range(i, len(GO_VKEY) + 1)}
    others |= {
        GO_VKEY[:i] + chr(ord(GO_VKEY[i]) + 1) + GO_VKEY[i + 1 :] for i in range(len(GO_VKEY))
    }
    others |= {  # a key too long, and an unknown signature type, each with its right id
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    }
    for text in others - {GO_VKEY}:
        with pytest.raises(BadRequest):
            VerifierKey.parse(text)


def test_a_key_from_its_spki() -> None:
    spki = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert VerifierKey.from_spki("ca.example/audit", spki) == KEY
    with pytest.raises(BadRequest):
        VerifierKey.from_spki("ca.example/audit", spki[:-1])
    with pytest.raises(BadRequest):
        VerifierKey.from_spki("two words", spki)


def test_signatures_of_strangers_are_ignored() -> None:
    text = "a note\n"
    cosigned = signed(text) + "— witness.example AAAAAAAA\n".encode()

    assert note.open_note(cosigned, KEY) == text
    with pytest.raises(BadRequest, match="did not sign"):
        note.open_note(cosigned, VerifierKey("another.example", KEY.public))


def test_one_bad_signature_of_a_known_key_condemns_the_note() -> None:
    bad = base64.b64encode(KEY.id + bytes(64)).decode()
    doubly = signed("a note\n") + f"— {KEY.name} {bad}\n".encode()

    with pytest.raises(BadRequest, match="does not verify"):
        note.open_note(doubly, KEY)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],  # no final newline
        lambda data: data.replace(b"\n\n", b"\n"),  # no blank line
        lambda data: data.replace("— ".encode(), b"- "),
        lambda data: data.replace("— ".encode(), "—  ".encode()),
        lambda data: data + b"\n",
        lambda data: data.replace(b"note", b"no\x00te"),
        lambda data: data.replace(b"note", b"no\xffte"),
        lambda data: data.replace(b"\n\n", b"\r\n\r\n"),
        lambda data: data + "— short AAAA\n".encode(),
        lambda data: data + "— loose AAAAAAAB=\n".encode(),
        lambda data: data + "— unpadded AAAAAAA\n".encode(),
        lambda data: data + "— many AAAAAAAA\n".encode() * note.MAX_SIGNATURES,
    ],
)
def test_malformed_notes_are_refused(change: "object") -> None:
    assert callable(change)
    with pytest.raises(BadRequest):
        note.open_note(change(signed("a note\n")), KEY)


def test_a_note_has_a_bound() -> None:
    with pytest.raises(TooLarge):
        note.open_note(b"x" * (note.MAX_NOTE + 1), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        "origin\n1\n",
        "origin\n01\n" + "A" * 43 + "=\n",
        "origin\n-1\n" + "A" * 43 + "=\n",
        "origin\n+1\n" + "A" * 43 + "=\n",
        "origin\n１\n" + "A" * 43 + "=\n",
        "origin\n9223372036854775808\n" + "A" * 43 + "=\n",
        "origin\n1\n" + "A" * 42 + "==\n",
        "origin\n1\n" + "A" * 42 + "B=\n",  # one value, two spellings
        "origin\n1\nAAAA\n",
        "origin\n1\n" + "A" * 43 + "=",
        "origin\n1\n" + "A" * 43 + "=\n\n",
        "\n1\n" + "A" * 43 + "=\n",
        "origin\n1\n" + "A" * 43 + "=\n\nextension\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        note.parse_checkpoint(text)


@given(
    st.integers(0, note.MAX_SIZE - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1)),
)
def test_what_was_signed_opens(size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint("ca.example/audit", size, root, tuple(extensions))

    opened = note.open_note(signed(checkpoint.text()), KEY)

    assert note.parse_checkpoint(opened) == checkpoint


@given(st.integers(0, 7), st.data())
def test_any_flipped_bit_is_noticed(bit: int, data: st.DataObject) -> None:
    good = signed(C2SP_TEXT)
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = good[:at] + bytes([good[at] ^ (1 << bit)]) + good[at + 1 :]

    with pytest.raises(BadRequest):
        note.open_note(flipped, KEY)


@given(st.binary())
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    with pytest.raises(BadRequest):
        note.open_note(data, KEY)
    text = data.decode("latin-1")
    for parse in (VerifierKey.parse, note.parse_checkpoint):
        try:
            parse(text)
        except BadRequest:
            continue
