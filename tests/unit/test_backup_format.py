"""The layers of a backup as bytes: whole, or refused in words."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.wire import backup_frames as frames
from chancery.wire import backup_manifest, backup_stream, note, shares
from chancery.wire.backup_frames import Digest, End, File, FrameReader, Rows, TableHead
from chancery.wire.backup_manifest import Manifest, TableCount
from chancery.wire.backup_source import SourcePublic, SourceSecret
from chancery.wire.backup_stream import CHUNK, Opener
from chancery.wire.note import Checkpoint, VerifierKey

SECRET = SourceSecret(b"s" * 32)
SOURCE = SECRET.public()
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
VERIFIER = VerifierKey("log.example", KEY.public_key().public_bytes_raw())


def sealed(plain: bytes, *, cut: int = 1000) -> bytes:
    parts = (plain[at : at + cut] for at in range(0, len(plain), cut))
    return b"".join(backup_stream.seal(parts, SOURCE, "log.example", 7))


def opened(stream: bytes, secret: SourceSecret | None = SECRET, *, cut: int = 4096) -> bytes:
    opener = Opener(secret)
    plain = b"".join(opener.feed(stream[at : at + cut]) for at in range(0, len(stream), cut))
    return plain + opener.end()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_a_stream_of_any_length_comes_back(size: int) -> None:
    plain = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert opened(sealed(plain, cut=300_000), cut=700_000) == plain


def test_the_source_key_follows_from_its_secret_alone() -> None:
    again = SourceSecret(b"s" * 32).public()
    assert again == SOURCE == SourcePublic.parse(str(SOURCE))
    # Pinned: a change of the derivation would make every backup there is unreadable.
    assert SOURCE.id == hashlib.sha256(SOURCE.raw).hexdigest()[:16] == PINNED_ID
    split = shares.split(b"s" * 32, threshold=2, count=3)
    assert SourceSecret(shares.combine(split[1:])).public().id == SOURCE.id


PINNED_ID = "bdb38a0760cbdd59"


def test_each_octet_of_a_small_stream_is_held(subtests: pytest.Subtests) -> None:
    stream = sealed(b"every octet counts")
    regions = {
        "magic": range(len(backup_stream.MAGIC)),
        "length": range(len(backup_stream.MAGIC), len(backup_stream.MAGIC) + 4),
        "header": range(len(backup_stream.MAGIC) + 4, len(stream) - 34, 37),
        "chunk": range(len(stream) - 34, len(stream) - 16),
        "tag": range(len(stream) - 16, len(stream)),
    }
    for name, places in regions.items():
        with subtests.test(name):
            for at in places:
                flipped = bytearray(stream)
                flipped[at] ^= 1
                with pytest.raises(BadRequest):
                    opened(bytes(flipped))


def test_a_stream_cut_at_any_place_is_no_stream() -> None:
    stream = sealed(b"x" * (CHUNK + 5), cut=CHUNK)
    ends = [
        0,
        5,
        18,
        22,
        100,
        len(stream) - CHUNK,
        len(stream) - 22,
        len(stream) - 21,
        len(stream) - 1,
    ]
    for end in ends:
        with pytest.raises(BadRequest):
            opened(stream[:end], cut=CHUNK)
    with pytest.raises(BadRequest):
        opened(stream + b"x", cut=CHUNK)


def test_shares_of_another_key_are_named_as_such() -> None:
    other = SourceSecret(b"t" * 32)
    with pytest.raises(BadRequest, match=other.public().id) as refused:
        opened(sealed(b"x"), other)
    assert refused.value.rule == "backup.source-other"


def test_without_shares_the_header_alone_is_read() -> None:
    assert opened(sealed(b"x" * 5000), None) == b""


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        opened(data)
    reader = FrameReader()
    try:
        list(reader.feed(data))
        reader.end()
    except BadRequest:
        return


@given(
    st.lists(
        st.tuples(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=5)),
        max_size=5,
    )
)
@settings(max_examples=30)
def test_rows_come_back_as_they_were(rows: list[tuple[str, int, bytes]]) -> None:
    stream = frames.encode(TableHead("t", ("a", "b", "c"))) + frames.encode(Rows([*rows]))
    reader = FrameReader()
    found = [frame for at in range(len(stream)) for frame in reader.feed(stream[at : at + 1])]
    reader.end()
    assert found == [TableHead("t", ("a", "b", "c")), Rows([*rows])]
    assert [frames.decode_row(frames.encode_row(row)) for row in rows] == rows


def test_the_digest_of_all_depends_on_each() -> None:
    def digest(*ends: tuple[str, End]) -> bytes:
        whole = Digest()
        for name, end in ends:
            whole.add(name, end)
        return whole.done().sha256

    one, two = ("a", End(1, b"1" * 32)), ("b", End(2, b"2" * 32))
    assert len({digest(one, two), digest(two, one), digest(one), digest(("c", one[1]), two)}) == 4


def test_a_frame_longer_than_any_is_refused_at_its_length() -> None:
    with pytest.raises(BadRequest, match="a frame of"):
        list(FrameReader().feed((frames.MAX_FRAME + 1).to_bytes(4)))


def manifest(**changes: object) -> Manifest:
    told = {
        "format": backup_manifest.FORMAT, "log": "log.example", "verifier": str(VERIFIER),
        "sequence": 7, "made_at": 1_790_000_000, "product": "0", "schema": "0011",
        "engine": "sqlite", "source": SOURCE.id, "device": "d" * 16, "recipient": "age1",
        "file": "b.age", "octets": 10, "sha256": "0" * 64, "content": "1" * 64,
        "tables": {"certificate": TableCount(3, "2" * 64)}, "files": 2, "file_octets": 5,
        "checkpoint": signed(()).decode(), "approved_by": ("olga", "oscar"), "previous": "",
    }  # fmt: skip
    return Manifest(**(told | changes))  # type: ignore[arg-type]


def signed(extensions: tuple[str, ...], origin: str = "log.example") -> bytes:
    text = Checkpoint(origin, 3, b"r" * 32, extensions).text()
    return note.sign_note(text, VERIFIER, KEY.sign(text.encode()))


def joined(one: Manifest) -> bytes:
    return backup_manifest.join(one.encode(), signed((backup_manifest.extension(one.encode()),)))


def test_a_sealed_manifest_comes_back() -> None:
    assert backup_manifest.open_manifest(joined(manifest()), (VERIFIER,)) == manifest()


def test_each_octet_of_a_manifest_is_held() -> None:
    data = joined(manifest())
    for at in range(0, len(data), 3):
        for bit in (1, 32):
            flipped = bytearray(data)
            flipped[at] ^= bit
            with pytest.raises(BadRequest):
                backup_manifest.open_manifest(bytes(flipped), (VERIFIER,))
    for end in range(0, len(data), 50):
        with pytest.raises(BadRequest):
            backup_manifest.open_manifest(data[:end], (VERIFIER,))


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (backup_manifest.join(manifest().encode(), signed(())), "backup.seal"),
        (
            backup_manifest.join(
                manifest().encode(), signed((backup_manifest.extension(b"another"),))
            ),
            "backup.seal",
        ),
        (joined(manifest(log="other.example")), "backup.seal"),
        (joined(manifest(format="chancery-backup-manifest/2")), "backup.format"),
        (joined(manifest(verifier="log.example+00000000+AAAA")), "backup.signer"),
    ],
)
def test_a_seal_that_is_of_something_else(data: bytes, rule: str) -> None:
    with pytest.raises(BadRequest) as refused:
        backup_manifest.open_manifest(data, (VERIFIER,))
    assert refused.value.rule == rule


def test_nobody_is_trusted_unasked() -> None:
    with pytest.raises(BadRequest) as refused:
        backup_manifest.open_manifest(joined(manifest()), ())
    assert refused.value.rule == "backup.signer"


def test_files_are_frames() -> None:
    stream = frames.encode(File("secrets/unseal.key", 0o600))
    assert list(FrameReader().feed(stream)) == [File("secrets/unseal.key", 0o600)]
