"""Key blocks of ANSI X9.143 (TR-31): a symmetric key, bound to what it may do.

Versions B (TDES) and D (AES) are written, A to D are read.  *Header* fields
are the standard's: usage (``D0`` data, ``K0`` key encryption, ``P0`` PIN ...),
algorithm (``A`` AES, ``T`` TDES, ``H`` HMAC), mode of use, exportability.
"""

from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import BadRequest, NotPermitted
from chancery.domain.managed_key import Exportability, Family, KeyKind, KeyUse

WRITTEN: Final = {"tr31-b": "B", "tr31-d": "D"}
METHODS: Final = ("tr31", *WRITTEN)
_ALGORITHMS: Final = {Family.AES: "A", Family.TDES: "T", Family.HMAC: "H"}
_MODES: Final = {
    "B": frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT, KeyUse.WRAP, KeyUse.UNWRAP}),
    "C": frozenset({KeyUse.MAC}),
    "D": frozenset({KeyUse.DECRYPT, KeyUse.UNWRAP}),
    "E": frozenset({KeyUse.ENCRYPT, KeyUse.WRAP}),
    "G": frozenset({KeyUse.MAC}),
    "N": frozenset(KeyUse) - {KeyUse.VERIFY},
    "V": frozenset({KeyUse.VERIFY}),
    "X": frozenset({KeyUse.DERIVE}),
}
_WRAP: Final = frozenset({KeyUse.WRAP, KeyUse.UNWRAP})
_USAGES: Final = {
    "D0": frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}),
    "K0": _WRAP,
    "K1": _WRAP,
    "M6": frozenset({KeyUse.MAC, KeyUse.VERIFY}),  # CMAC
    "M7": frozenset({KeyUse.MAC, KeyUse.VERIFY}),  # HMAC
    "B3": frozenset({KeyUse.DERIVE}),  # outside of ANSI X9.24: B0 to B2 are DUKPT's
}
"""What a usage lets a key do here; keys of any other (PIN, CVV, EMV ...) are kept and passed on."""
_MAX: Final = 9_992  # characters: the length field has four digits


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What a block says about the key in it."""

    version: str
    usage: str
    algorithm: str
    mode: str
    exportability: Exportability

    def uses(self) -> frozenset[KeyUse]:
        """What usage and mode of use, together, let the key do here."""
        return uses_of(self.usage, self.mode)


def uses_of(usage: str, mode: str) -> frozenset[KeyUse]:
    """What a key with these header fields may do; nothing, for fields that are not known."""
    return _USAGES.get(usage, frozenset()) & _MODES.get(mode, frozenset())


def check_fields(usage: str, mode: str) -> None:
    """Raise BadRequest unless a block can have these header fields."""
    sound = len(usage) == 2 and usage.isascii() and usage.isalnum() and usage.upper() == usage
    if not sound or mode not in _MODES:
        raise BadRequest(
            f"a block has a usage of two characters and a mode among {', '.join(_MODES)}",
            field="block_usage" if not sound else "block_mode",
            rule="key-block.header",
            remedy="D0 and B for data, K1 and B for wrapping keys, M7 and C for HMAC",
        )


def check_inward(header: BlockHeader, uses: frozenset[KeyUse], ours: Exportability) -> None:
    """Raise NotPermitted if a key with *uses* would be more than the block says that it is."""
    allowed = header.uses()
    if not uses <= _with_checking(allowed):
        said = ", ".join(sorted(allowed)) or "nothing that keys do here"
        raise NotPermitted(
            f"the block's usage {header.usage} and mode of use {header.mode} allow {said}",
            field="uses",
            rule="key-block.usage",
            remedy="take it in with a template that has no other uses",
        )
    if ours.openness > header.exportability.openness:
        raise NotPermitted(
            f"the block says exportability {header.exportability.value}",
            field="exportability",
            rule="key-block.exportability",
            remedy=f"take it in with exportability {header.exportability.value}, or N",
        )


def check_outward(usage: str, mode: str, uses: frozenset[KeyUse]) -> None:
    """Raise NotPermitted if these header fields would make more of a key than it is."""
    check_fields(usage, mode)
    allowed = uses_of(usage, mode)
    if allowed <= _with_checking(uses) and bool(allowed) == bool(uses):
        return
    raise NotPermitted(
        f"usage {usage} and mode {mode} are not those of a key that is to"
        f" {', '.join(sorted(uses)) or 'be kept'}",
        field="block_usage",
        rule="key-block.usage",
        remedy="D0 is for data, K0, K1 for wrapping, M6 for CMAC, M7 for HMAC, B3 to derive",
    )


def other_usage(usage: str) -> NotPermitted:
    """A key that is only kept leaves as what it came."""
    return NotPermitted(
        f"this key is kept for usage {usage}, and leaves with no other",
        field="block_usage",
        rule="key-block.usage",
        remedy="leave the usage out",
    )


def _with_checking(uses: frozenset[KeyUse]) -> frozenset[KeyUse]:
    return uses | {KeyUse.VERIFY} if KeyUse.MAC in uses else uses


def peek(block: str) -> BlockHeader:
    """Read the header.  It is not proven before the block is opened."""
    from psec import tr31  # noqa: PLC0415 - few need it, and it takes memory

    header = tr31.Header()
    try:
        if len(block) > _MAX:
            raise ValueError
        header.load(block)
        if header.mode_of_use not in _MODES:
            raise ValueError
        length = int(block[1:5])
        found = BlockHeader(
            header.version_id,
            header.key_usage,
            header.algorithm,
            header.mode_of_use,
            Exportability(header.exportability),
        )
    except (tr31.HeaderError, ValueError, IndexError):
        raise BadRequest(
            "this is no X9.143 key block whose header can be read",
            field="wrapped",
            rule="key-block.header",
            remedy="send it whole: version A to D, with a mode of use that is known",
        ) from None
    if length != len(block):
        raise BadRequest(
            f"the block says that it has {length} characters, and has {len(block)}",
            field="wrapped",
            rule="key-block.length",
            remedy="send it whole, and nothing else with it",
        )
    return found


def wrap(
    method: str, kbpk: bytes, kbpk_kind: KeyKind, header: tuple[str, str, str], kind: KeyKind,
    material: bytes,
) -> str:  # fmt: skip
    """Write a block; *header* is (usage, mode, exportability).  BadRequest: it does not fit."""
    from psec import tr31  # noqa: PLC0415

    version = WRITTEN.get(method)
    wanted = {"B": Family.TDES, "D": Family.AES}.get(version or "")
    if version is None or kbpk_kind.family is not wanted:
        raise BadRequest(
            "blocks of version B are wrapped under TDES, of version D under AES keys",
            field="method",
            rule="key-block.version",
            remedy="use tr31-b with a TDES key, or tr31-d with an AES key",
        )
    if kind.family not in _ALGORITHMS:
        raise BadRequest(
            "a key block holds a symmetric key", field="key", rule="key-block.symmetric"
        )
    usage, mode, exportability = header
    try:
        made = tr31.Header(version, usage, _ALGORITHMS[kind.family], mode, "00", exportability)
        return str(tr31.KeyBlock(kbpk, made).wrap(material))
    except (tr31.HeaderError, tr31.KeyBlockError, ValueError) as error:
        raise BadRequest(
            f"the key does not go into a block: {error}", field="header", rule="key-block.header"
        ) from None


def unwrap(kbpk: bytes, block: str, kind: KeyKind) -> bytearray:
    """Open a block of any version.  BadRequest if it does not open, or holds another kind."""
    from psec import tr31  # noqa: PLC0415

    header = peek(block)
    try:
        material = bytearray(tr31.KeyBlock(kbpk).unwrap(block))
    except (tr31.HeaderError, tr31.KeyBlockError, ValueError, IndexError):
        raise BadRequest(
            "the block does not open: another key protects it, or it was altered",
            field="wrapped",
            rule="key-block.closed",
            remedy="compare the check values of the key block protection key on both sides",
        ) from None
    if header.algorithm != _ALGORITHMS.get(kind.family):
        raise BadRequest(
            f"the block holds a key of algorithm {header.algorithm}, not {kind.value}",
            field="kind",
            rule="key-block.algorithm",
        )
    return material
