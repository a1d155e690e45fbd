"""Sets of shares as documents, and shares as letters to their custodians.  No I/O.

A set's document is public: it says who holds which share and by which hash it
is known, so that a share of another set, or a forged one, is named at once.
The hash of a share says nothing of it: a share has 256 random bits.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from chancery.domain.custody import (
    Custodian,
    CustodyPurpose,
    Holder,
    ShareSet,
    check_people,
)
from chancery.domain.errors import BadRequest, CAError, Conflict
from chancery.wire import shares

FORMAT: Final = "chancery-share-set-1"
_COMMITMENT: Final = b"chancery share\n"
_MIN_RSA_BITS: Final = 3_072  # OAEP with SHA-256 then takes 318 octets: every share fits
_MAX_DOCUMENT: Final = 64 * 1024  # octets


def split(
    secret: bytes,
    people: Sequence[Custodian],
    *,
    threshold: int,
    purpose: CustodyPurpose,
    now: int,
) -> tuple[ShareSet, dict[str, str]]:
    """Split *secret* among *people*: the set, and each one's words."""
    check_people(people, threshold)
    for one in people:
        check_recipient(one)
    words = shares.split(secret, threshold=threshold, count=len(people))
    holders = tuple(
        Holder(one.name, shares.read(text).number, commitment(text), one.recipient)
        for one, text in zip(people, words, strict=True)
    )
    made = ShareSet(shares.read(words[0]).set_id, purpose, threshold, holders, now)
    return made, {one.name: text for one, text in zip(people, words, strict=True)}


def commitment(words: str) -> str:
    """The hash by which a share is known, in hex."""
    return hashlib.sha256(_COMMITMENT + words.encode()).hexdigest()


def recognise(share_set: ShareSet, text: str, *, place: int = 1) -> tuple[Holder, str]:
    """Whose share this is, and its words in full; Conflict if it is not one of this set."""
    share = shares.read(text, place=place)
    holder = share_set.holder(share.number)
    if share.set_id != share_set.id:
        raise Conflict(
            f"this share is of set {share.set_id}, not of {share_set.id}",
            field=f"shares[{place}]",
            rule="shares.other-set",
            remedy="a share from before the last change of custodians opens nothing any more",
        )
    if holder is None or holder.commitment != commitment(share.words):
        raise Conflict(
            f"this says it is share {share.number} of set {share_set.id}, and is not",
            field=f"shares[{place}]",
            rule="shares.forged",
            remedy="find out where it came from",
        )
    return holder, share.words


def combine(share_set: ShareSet, texts: Sequence[str]) -> bytes:
    """The secret; each share must be one of this set."""
    found = [recognise(share_set, text, place=n) for n, text in enumerate(texts, 1)]
    if not found:
        raise Conflict("no share was given", field="shares", rule="shares.missing")
    return shares.combine([words for _, words in found])


def to_document(share_set: ShareSet) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": share_set.id,
        "purpose": share_set.purpose.value,
        "threshold": share_set.threshold,
        "made_at": share_set.made_at,
        "holders": [
            {
                "name": one.name,
                "number": one.number,
                "commitment": one.commitment,
                "recipient": one.recipient,
            }
            for one in share_set.holders
        ],
    }


def from_document(document: Mapping[str, Any]) -> ShareSet:
    """Raises BadRequest for anything that is no set, and Conflict for one that breaks our rules."""
    try:
        if document["format"] != FORMAT:
            raise _malformed()
        holders = tuple(
            Holder(
                str(one["name"]),
                _integer(one["number"]),
                str(one["commitment"]),
                str(one.get("recipient", "")),
            )
            for one in document["holders"]
        )
        made = ShareSet(
            str(document["id"]),
            CustodyPurpose(document["purpose"]),
            _integer(document["threshold"]),
            holders,
            _integer(document["made_at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed() from error
    check_people([one.custodian for one in holders], made.threshold)
    if len({one.number for one in holders}) < len(holders):
        raise _malformed()
    return made


def read_document(data: bytes | str) -> ShareSet:
    """From JSON."""
    if len(data) > _MAX_DOCUMENT:
        raise _malformed()
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(document, dict):
        raise _malformed()
    return from_document(document)


def letter(words: str, to: Custodian, share_set: ShareSet) -> tuple[str, bytes]:
    """What *to* takes away: a file's name and content.  Encrypted where there is a key to."""
    recipient = to.recipient.strip()
    if recipient.startswith("-----BEGIN"):
        key = _rsa(to)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        return f"{to.name}.share.bin", key.encrypt(words.encode(), oaep)
    if recipient:
        import pyrage  # noqa: PLC0415 - only where shares are handed out

        sealed = pyrage.encrypt(f"{words}\n".encode(), [_age(to)], armored=True)
        return f"{to.name}.share.age", bytes(sealed)
    return f"{to.name}.share.txt", paper(words, to.name, share_set).encode()


def paper(words: str, name: str, share_set: ShareSet) -> str:
    """A share as it is printed: numbered words, four in a line, so that none is left out."""
    numbered = [f"{n:>2} {word:<10}" for n, word in enumerate(words.split(), 1)]
    lines = ["  ".join(numbered[at : at + 4]).rstrip() for at in range(0, len(numbered), 4)]
    number = next(one.number for one in share_set.holders if one.name == name)
    return "\n".join(
        [
            f"Share {number} of set {share_set.id}: {share_set.purpose}",
            f"Custodian: {name}.  {share_set.threshold} of {len(share_set.holders)} open it.",
            "Keep it apart from the others.  Its words, in order:",
            "",
            *lines,
            "",
        ]
    )


def words_of(text: str) -> str:
    """The words of a share as typed, from a file of one line, or from its paper."""
    body = text.partition("in order:\n")[2] or text
    return " ".join(word for word in body.split() if not word.isdecimal())


def check_recipient(custodian: Custodian) -> None:
    """Refuse a key that nothing can be encrypted to."""
    recipient = custodian.recipient.strip()
    if recipient.startswith("-----BEGIN"):
        _rsa(custodian)
    elif recipient:
        _age(custodian)


def _rsa(custodian: Custodian) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(custodian.recipient.encode())
    except (ValueError, TypeError) as error:
        raise _bad_recipient(custodian, "is no public key") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _MIN_RSA_BITS:
        raise _bad_recipient(custodian, f"is not RSA of {_MIN_RSA_BITS} bits or more")
    return key


def _age(custodian: Custodian) -> Any:
    from pyrage import RecipientError, ssh, x25519  # noqa: PLC0415

    recipient = custodian.recipient.strip()
    try:
        kind = ssh if recipient.startswith("ssh-") else x25519
        return kind.Recipient.from_str(recipient)
    except (RecipientError, ValueError, CAError) as error:
        raise _bad_recipient(custodian, "is no age recipient") from error


def _integer(value: object) -> int:
    if type(value) is not int:
        raise ValueError("not a number")
    return value


def _bad_recipient(custodian: Custodian, why: str) -> BadRequest:
    return BadRequest(
        f"the key of {custodian.name} {why}",
        field="recipient",
        rule="custodian.recipient",
        remedy="age1..., an SSH public key, an RSA key of 3072 bits in PEM, or nothing: printed",
    )


def _malformed() -> BadRequest:
    return BadRequest(
        "this is no set of shares",
        field="set",
        rule="custody.set",
        remedy="give the set.json that was written when the shares were made",
    )
