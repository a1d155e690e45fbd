"""Shares of a secret as words on paper: SLIP-39, one group, M of N.

A share says which set it is of and which of the set it is, and carries a
checksum: a word that was misread is found at once.  What the shares of a set
make together carries a digest: a share that is well formed and yet forged is
found when enough of them meet.  No I/O.

The library is a reference implementation and not hardened against an observer
of its timing: secrets are split and put together where nobody measures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, Final

from chancery.domain.errors import BadRequest, Conflict, TooLarge

MAX_SHARES: Final = 16  # SLIP-39: an index of four bits
MIN_SECRET: Final = 16  # octets, SLIP-39
MAX_SECRET: Final = 64  # octets; a share of 64 has 59 words, and nobody types more
_MAX_TEXT: Final = 1_024  # characters of one share
_PREFIX: Final = 4  # SLIP-39: the first four letters of a word tell it from every other


@dataclass(frozen=True, slots=True)
class Share:
    """What one share says of itself.  *number* counts from 1 as the paper does."""

    set_id: str
    """Fifteen bits in hex, drawn at random: two sets differ, but for one chance in 32,768."""
    number: int
    threshold: int
    words: str


def split(secret: bytes, *, threshold: int, count: int, passphrase: bytes = b"") -> tuple[str, ...]:
    """Split *secret* (16 to 64 octets, an even number) into *count* shares, *threshold* open it.

    A passphrase (printable ASCII) that is wrong later gives another secret
    and no error: keep a check value beside whatever the secret opens.
    """
    if not (len(secret) % 2 == 0 and MIN_SECRET <= len(secret) <= MAX_SECRET):
        raise BadRequest(
            f"a secret of {len(secret)} octets cannot be split",
            field="secret",
            rule="shares.secret",
            remedy=f"an even number of octets from {MIN_SECRET} to {MAX_SECRET}",
        )
    check_numbers(threshold, count)
    from shamir_mnemonic import generate_mnemonics  # noqa: PLC0415 - only where shares are used

    (shares,) = generate_mnemonics(1, [(threshold, count)], secret, _printable(passphrase))
    return tuple(shares)


def check_numbers(threshold: int, count: int) -> None:
    """Refuse an M of N that protects nothing, or that nobody could open."""
    if not 2 <= threshold <= count <= MAX_SHARES:
        raise BadRequest(
            f"{threshold} of {count} is no choice of shares",
            field="threshold",
            rule="shares.numbers",
            remedy=f"2 <= threshold <= count <= {MAX_SHARES}: 3 of 5, say",
        )


def combine(mnemonics: Iterable[str], *, passphrase: bytes = b"") -> bytes:
    """Put a secret together; more shares than needed are checked too.

    Raises BadRequest for a share that does not read, Conflict for one that is
    of another set, comes twice, or does not fit the others, and for too few.
    *field* is ``shares[2]`` for the second one given.
    """
    texts = list(mnemonics)
    if not texts:
        raise Conflict("no share was given", field="shares", rule="shares.missing")
    if len(texts) > MAX_SHARES * MAX_SHARES:
        raise TooLarge("more shares than a set can have", field="shares", rule="shares.count")
    parsed = [_parse(text, place) for place, text in enumerate(texts, 1)]
    _check_one_set(parsed)
    if parsed[0].group_count > 1:
        return _combined(_canonical(parsed), _printable(passphrase))
    need = parsed[0].member_threshold
    if len(parsed) < need:
        missing = need - len(parsed)
        raise Conflict(
            f"{missing} more share{'' if missing == 1 else 's'} needed: "
            f"{len(parsed)} given, {need} open it",
            field="shares",
            rule="shares.missing",
            remedy=f"bring {missing} more of set {_set_id(parsed[0])}",
        )
    return _agreed(parsed, need, _printable(passphrase))


def read(mnemonic: str, *, place: int = 1) -> Share:
    """Read one share as typed: upper or lower case, words by their first four letters at least.

    *place* is which of those given it is, for the error to name.  Raises BadRequest.
    """
    share = _parse(mnemonic, place)
    if share.group_count != 1:
        raise BadRequest(
            "this share is of a set in groups, which this program does not make",
            field=f"shares[{place}]",
            rule="shares.groups",
        )
    return Share(_set_id(share), share.index + 1, share.member_threshold, share.mnemonic())


def _parse(text: str, place: int) -> Any:
    """Read one share into the library's own kind, naming what is wrong and where."""
    from shamir_mnemonic.share import Share as Slip39Share  # noqa: PLC0415
    from shamir_mnemonic.utils import MnemonicError  # noqa: PLC0415

    field = f"shares[{place}]"
    if len(text) > _MAX_TEXT:
        raise TooLarge("a share has fewer characters", field=field, rule="shares.length")
    words = text.lower().split()
    whole = []
    for position, word in enumerate(words, 1):
        known = _words().get(word[:_PREFIX])
        if known is None or not known.startswith(word):
            raise BadRequest(
                f"word {position} of share {place} is not in the list of SLIP-39",
                field=field,
                rule="shares.word",
                remedy="read that word again: its first four letters decide",
            )
        whole.append(known)
    try:
        return Slip39Share.from_mnemonic(" ".join(whole))
    except (MnemonicError, ValueError) as error:
        short = "length" in str(error)
        raise BadRequest(
            f"share {place} has {len(words)} words, and no share has as many"
            if short
            else f"share {place} does not hold: a word is wrong, or two have changed places",
            field=field,
            rule="shares.length" if short else "shares.checksum",
            remedy="read it again, word by word",
        ) from error


@cache
def _words() -> dict[str, str]:
    """First four letters -> word."""
    from shamir_mnemonic.wordlist import WORDLIST  # noqa: PLC0415

    return {word[:_PREFIX]: word for word in WORDLIST}


def _check_one_set(shares: Sequence[Any]) -> None:
    """All of one set, each once.  What most of them are is the set; the odd one is named."""
    kinds = [(*s.common_parameters(), len(s.value)) for s in shares]
    usual = max(kinds, key=kinds.count)
    thresholds: dict[int, int] = {}
    seen: dict[tuple[int, int], int] = {}
    for place, (share, kind) in enumerate(zip(shares, kinds, strict=True), 1):
        threshold = thresholds.setdefault(share.group_index, share.member_threshold)
        if kind != usual or share.member_threshold != threshold:
            raise Conflict(
                f"share {place} is of another set: {_set_id(share)}, not "
                f"{_set_id(shares[kinds.index(usual)])}",
                field=f"shares[{place}]",
                rule="shares.other-set",
                remedy="leave it out and bring one of this set",
            )
        first = seen.setdefault((share.group_index, share.index), place)
        if first != place:
            raise Conflict(
                f"shares {first} and {place} are both number {share.index + 1} of the set",
                field=f"shares[{place}]",
                rule="shares.twice",
                remedy="bring another one: each counts once",
            )


def _agreed(shares: Sequence[Any], need: int, passphrase: bytes) -> bytes:
    """The secret that the shares agree on; names those that do not fit when there are enough."""
    for chosen in combinations(range(len(shares)), need):
        try:
            secret = _combined(_canonical([shares[n] for n in chosen]), passphrase)
        except Conflict:
            continue
        if stray := [n for n in range(len(shares)) if not _fits(shares, chosen, n)]:
            raise Conflict(
                f"share {stray[0] + 1} does not fit the others, although it claims their set",
                field=f"shares[{stray[0] + 1}]",
                rule="shares.forged",
                remedy="leave it out, and find out where it came from",
            )
        return secret
    raise Conflict(
        "these shares do not fit together: one of them is not of this set, although it says so",
        field="shares",
        rule="shares.digest",
        remedy="bring one more share: then the one that is wrong can be named",
    )


def _fits(shares: Sequence[Any], chosen: Sequence[int], other: int) -> bool:
    """Whether *other* makes the same secret in the place of one that was chosen."""
    if other in chosen:
        return True
    try:
        _combined(_canonical([shares[n] for n in (*chosen[1:], other)]), b"")
    except Conflict:
        return False
    return True


def _canonical(shares: Iterable[Any]) -> list[str]:
    return [share.mnemonic() for share in shares]


def _combined(mnemonics: list[str], passphrase: bytes) -> bytes:
    from shamir_mnemonic import combine_mnemonics  # noqa: PLC0415
    from shamir_mnemonic.utils import MnemonicError  # noqa: PLC0415

    try:
        return bytes(combine_mnemonics(mnemonics, passphrase))
    except (MnemonicError, ValueError) as error:
        raise Conflict(
            "these shares do not open the secret",
            field="shares",
            rule="shares.digest",
            remedy="bring as many of one set as it needs",
        ) from error


def _set_id(share: Any) -> str:
    return f"{share.identifier:04x}"


def _printable(passphrase: bytes) -> bytes:
    if not all(32 <= octet <= 126 for octet in passphrase):
        raise BadRequest(
            "a passphrase of shares is printable ASCII",
            field="passphrase",
            rule="shares.passphrase",
        )
    return passphrase
