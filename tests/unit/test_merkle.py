"""The tree, held to the published vectors and to the definition in RFC 9162."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain import merkle
from chancery.domain.audit import leaf_hash
from chancery.domain.errors import BadRequest

# The reference leaves, roots and proofs of Certificate Transparency (RFC 6962), as
# published with the reference log and in transparency-dev/merkle ``testonly``.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (0, 1): [],
}
CONSISTENCY: dict[tuple[int, int], list[str]] = {
    (1, 1): [],
    (2, 8): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
sizes = st.integers(1, 70) | st.sampled_from([128, 255, 256, 257, 511, 512, 513, 700])


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


MANY = leaves(700)


def mth(hashes: Sequence[bytes]) -> bytes:
    """RFC 9162 §2.1.1, word for word."""
    n = len(hashes)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashes[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162 §2.1.3.1, word for word."""
    n = len(hashes)
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: Sequence[bytes], *, complete: bool) -> list[bytes]:
    """RFC 9162 §2.1.4.1, word for word."""
    n = len(hashes)
    if m == n:
        return [] if complete else [mth(hashes)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*subproof(m, hashes[:k], complete=complete), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], complete=False), mth(hashes[:k])]


@pytest.mark.parametrize("size", range(9))
def test_root_vectors(size: int) -> None:
    frontier = merkle.Frontier()
    frontier.extend(HASHES[:size])

    assert merkle.root(HASHES[:size]).hex() == ROOTS[size]
    assert frontier.root().hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_vectors(index: int, size: int) -> None:
    proof = merkle.inclusion_proof(HASHES[:size], index)

    assert [node.hex() for node in proof] == INCLUSION[index, size]
    merkle.verify_inclusion(HASHES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_vectors(old: int, size: int) -> None:
    proof = merkle.consistency_proof(HASHES[:size], old)

    assert [node.hex() for node in proof] == CONSISTENCY[old, size]
    merkle.verify_consistency(
        old, size, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size]), proof
    )


@given(sizes, st.data())
def test_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    hashes = MANY[:size]
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))

    assert merkle.root(hashes) == mth(hashes)
    assert merkle.inclusion_proof(hashes, index) == path(index, hashes)
    assert merkle.consistency_proof(hashes, old) == subproof(old, hashes, complete=True)
    merkle.verify_inclusion(hashes[index], index, size, path(index, hashes), mth(hashes))
    merkle.verify_consistency(
        old, size, mth(hashes[:old]), mth(hashes), subproof(old, hashes, complete=True)
    )


def _mangled(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    how = data.draw(st.sampled_from(["flip", "drop", "repeat", "append", "swap"]))
    if how == "append" or not proof:
        return [*proof, bytes(32)]
    at = data.draw(st.integers(0, len(proof) - 1))
    if how == "flip":
        bit = data.draw(st.integers(0, 255))
        changed = (int.from_bytes(proof[at]) ^ (1 << bit)).to_bytes(32)
        return [*proof[:at], changed, *proof[at + 1 :]]
    if how == "drop":
        return [*proof[:at], *proof[at + 1 :]]
    if how == "repeat":
        return [*proof[: at + 1], *proof[at:]]
    return [*proof[at:], *proof[:at]] if at else [*proof, proof[0]]


@given(sizes, st.data())
def test_no_other_proof_verifies(size: int, data: st.DataObject) -> None:
    hashes = MANY[:size]
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    inclusion = _mangled(path(index, hashes), data)
    consistency = _mangled(subproof(old, hashes, complete=True), data)

    with pytest.raises(BadRequest):
        merkle.verify_inclusion(hashes[index], index, size, inclusion, mth(hashes))
    with pytest.raises(BadRequest):
        merkle.verify_consistency(old, size, mth(hashes[:old]), mth(hashes), consistency)


@given(sizes, st.data())
def test_a_proof_for_one_place_does_not_serve_another(size: int, data: st.DataObject) -> None:
    hashes = MANY[:size]
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-1, size + 1).filter(lambda n: n != index))

    with pytest.raises(BadRequest):
        merkle.verify_inclusion(hashes[index], other, size, path(index, hashes), mth(hashes))


@given(st.integers(), st.integers(), st.lists(st.binary(min_size=32, max_size=32), max_size=80))
def test_verification_never_fails_in_an_unplanned_way(
    index: int, size: int, proof: list[bytes]
) -> None:
    with pytest.raises(BadRequest):
        merkle.verify_inclusion(bytes(32), index, size, proof, b"never a root")
    try:
        merkle.verify_consistency(index, size, bytes(32), b"never a root", proof)
    except BadRequest:
        return
    raise AssertionError


@given(st.lists(st.integers(0, 900), max_size=6))
def test_a_frontier_is_the_tree(steps: list[int]) -> None:
    """However the leaves arrive, root and rows are those of the whole tree."""
    hashes = leaves(sum(steps))
    frontier = merkle.Frontier()
    rows: list[merkle.Row] = []
    for step in steps:
        rows += frontier.extend(hashes[frontier.size : frontier.size + step])
        taken_up = merkle.Frontier(frontier.size, [frontier.row(level) for level in range(3)])
        assert taken_up.root() == frontier.root()

    assert frontier.size == len(hashes)
    assert frontier.root() == merkle.root(hashes)
    assert [row for row in rows if row.level == 0] == [
        merkle.Row(0, n, tuple(hashes[n * 256 : n * 256 + 256])) for n in range(len(hashes) // 256)
    ]


def test_the_higher_levels_of_a_frontier() -> None:
    hashes = leaves(70_000)
    frontier = merkle.Frontier()
    rows = [
        row
        for first in range(0, 70_000, 999)
        for row in frontier.extend(hashes[first : first + 999])
    ]

    assert frontier.root() == merkle.root(hashes)
    assert [len([row for row in rows if row.level == level]) for level in range(3)] == [273, 1, 0]
    assert [len(frontier.row(level)) for level in range(4)] == [112, 17, 1, 0]
    assert frontier.row(2)[0] == merkle.root(hashes[:65_536])


def test_a_frontier_refuses_rows_of_another_size() -> None:
    with pytest.raises(ValueError, match="level 0 holds 2 of 3 hashes"):
        merkle.Frontier(3, [HASHES[:2]])
    with pytest.raises(ValueError, match="level 1 holds 0 of 1 hashes"):
        merkle.Frontier(256, [[]])


@given(st.integers(1, 2**40), st.data())
def test_subtrees_on_tiles_are_those_of_the_proof(size: int, data: st.DataObject) -> None:
    """Spans tile the tree: with the leaf itself they cover every leaf exactly once."""
    index = data.draw(st.integers(0, size - 1))
    spans = sorted([*merkle.inclusion_spans(index, size), (index, index + 1)])

    assert spans[0][0] == 0
    assert spans[-1][1] == size
    assert all(left[1] == right[0] for left, right in pairwise(spans))
    for first, end in spans:
        pieces = merkle.perfect_subtrees((first, end))
        assert sum(1 << height for height, _ in pieces) == end - first
        assert pieces[0][1] << pieces[0][0] == first
