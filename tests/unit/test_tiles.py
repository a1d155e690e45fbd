"""The files of a tiled log: names, bytes, and the proofs that come from them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain import merkle
from chancery.domain.audit import leaf_hash
from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire import tiles
from chancery.wire.tiles import Tile, TileReader

HASHES = [leaf_hash(b"%d" % n) for n in range(70_000)]


def write(size: int) -> dict[str, bytes]:
    """Every tile of the tree over the first *size* hashes, by the definition."""
    files = {}
    for tile in tiles.changed(0, size):
        span = merkle.ROW**tile.level
        first = tile.index * merkle.ROW
        files[tile.path] = b"".join(
            merkle.root(HASHES[n * span : (n + 1) * span]) for n in range(first, first + tile.width)
        )
    return files


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(3, 1_234_067), "tile/3/x001/x234/067"),  # the example in tlog-tiles
        (Tile(1, 999), "tile/1/999"),
        (Tile(1, 1000, 17), "tile/1/x001/000.p/17"),
    ],
)
def test_names(tile: Tile, path: str) -> None:
    assert tile.path == path


def test_names_of_bundles() -> None:
    assert Tile(0, 1_234_067, 1).entries_path == "tile/entries/x001/x234/067.p/1"
    assert Tile(0, 5, 1).partial_paths == ("tile/0/005.p", "tile/entries/005.p")
    assert Tile(2, 5, 1).partial_paths == ("tile/2/005.p",)


def test_the_example_of_70_000_leaves() -> None:
    """C2SP tlog-tiles, Partial Tiles."""
    found = list(tiles.changed(0, 70_000))

    assert [tile for tile in found if tile.level == 0] == [
        *(Tile(0, n) for n in range(273)),
        Tile(0, 273, 112),
    ]
    assert [tile for tile in found if tile.level > 0] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert tiles.edge(70_000) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles.changed(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]


@given(st.integers(0, 2**34), st.integers(0, 2_000))
def test_what_changes_is_what_differs(old: int, more: int) -> None:
    before, after = set(tiles.edge(old)), set(tiles.edge(old + more))
    found = list(tiles.changed(old, old + more))

    assert {tile for tile in found if tile.width < merkle.ROW} == after - before
    full = {
        (level, index)
        for level in range(6)
        for index in range(old >> (8 * (level + 1)), (old + more) >> (8 * (level + 1)))
    }
    assert {(tile.level, tile.index) for tile in found if tile.width == merkle.ROW} == full
    assert len(set(found)) == len(found)


@given(st.lists(st.integers(0, 1500), max_size=5))
def test_a_frontier_fills_exactly_the_full_tiles(steps: list[int]) -> None:
    frontier = merkle.Frontier()
    at = 0
    for step in steps:
        rows = frontier.extend(HASHES[at : at + step])
        expected = [tile for tile in tiles.changed(at, at + step) if tile.width == merkle.ROW]
        assert [(row.level, row.index) for row in rows] == [(t.level, t.index) for t in expected]
        at += step


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_come_back(entries: list[bytes]) -> None:
    tile = Tile(0, 0, len(entries))

    assert tiles.decode_bundle(tiles.encode_bundle(entries), tile) == entries
    with pytest.raises(BadRequest):
        tiles.decode_bundle(tiles.encode_bundle(entries) + b"\x00", tile)
    with pytest.raises(BadRequest):
        tiles.decode_bundle(tiles.encode_bundle(entries)[:-1], tile)
    with pytest.raises(BadRequest):
        tiles.decode_bundle(tiles.encode_bundle([*entries, b""]), tile)


def test_an_entry_has_a_bound() -> None:
    assert len(tiles.encode_bundle([bytes(65_535)])) == 65_537
    with pytest.raises(TooLarge):
        tiles.encode_bundle([bytes(65_536)])


@given(st.binary(), st.integers(1, 256))
def test_never_fails_in_an_unplanned_way(data: bytes, width: int) -> None:
    tile = Tile(0, 7, width)
    with contextlib.suppress(BadRequest):
        assert tiles.encode_bundle(tiles.decode_bundle(data, tile)) == data
    with contextlib.suppress(BadRequest):
        assert tiles.encode_tile(tiles.decode_tile(data, tile)) == data


FILES = {size: write(size) for size in (1, 255, 256, 257, 1000, 65_536, 65_537, 70_000)}


@given(st.sampled_from(list(FILES)), st.data())
def test_proofs_from_tiles(size: int, data: st.DataObject) -> None:
    reader = TileReader(FILES[size].get, size)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    whole = merkle.root(HASHES[:size])

    merkle.verify_inclusion(HASHES[index], index, size, reader.inclusion_proof(index), whole)
    merkle.verify_consistency(
        old, size, merkle.root(HASHES[:old]), whole, reader.consistency_proof(old)
    )
    assert reader.hashes(0, index // 256)[index % 256] == HASHES[index]


def test_an_older_tree_is_read_from_the_tiles_of_a_newer() -> None:
    """The partial tiles of the older are gone: the full ones begin with the same hashes."""
    reader = TileReader(FILES[65_536].get, 1000)

    merkle.verify_inclusion(
        HASHES[999], 999, 1000, reader.inclusion_proof(999), merkle.root(HASHES[:1000])
    )


def test_a_missing_tile_is_named() -> None:
    files = {name: data for name, data in FILES[1000].items() if name != "tile/0/002"}

    with pytest.raises(BadRequest, match="tile/0/002: missing"):
        TileReader(files.get, 1000).inclusion_proof(600)
