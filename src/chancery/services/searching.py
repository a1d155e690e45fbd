"""What somebody looks for among the certificates: in the form on record, and guessed from a word.

Every search here is one that an index answers (``adapters.storage.certificate_search``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.errors import BadRequest
from chancery.domain.estate import FOREIGN
from chancery.domain.names import NameKind
from chancery.ports import CertificateFilter, Page, Session
from chancery.services.issuers import find

MAX_WORD: Final = 400
"""Characters of a word that is looked for."""
_SERIAL: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{1,40})")
_SHA256: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{0,63}\*")
_IPV6: Final = re.compile(r"[0-9a-fA-F:]+(\.\d+)*\*?")
_HEX: Final = re.compile(r"(?:0x)?([0-9a-f]+)\*?")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z0-9.]{1,40}=.")
_SHORTEST: Final = 4  # hex digits that may be meant as a serial number
_SERIAL_DIGITS: Final = 40
_SHA256_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing a word may mean.  *what* says it to a person: ``a name``, ``a serial number``."""

    what: str
    where: CertificateFilter


def checked(session: Session, where: CertificateFilter) -> CertificateFilter:
    """*where* in the form on record; an error if nothing can meet one of its conditions."""
    if where.serial is not None and not where.serial.endswith("*"):
        where = replace(where, serial=normal_serial(where.serial))
    if where.key_sha256 is not None:
        where = replace(where, key_sha256=_hash(where.key_sha256, "key_sha256", "key"))
    if where.sha256 is not None:
        where = replace(where, sha256=_hash(where.sha256, "sha256", "certificate"))
    if where.name is not None:
        _check_kind(where.name)
    issuer = where.authority
    # An issuer that is no CA on record has a mark, and no name.
    if issuer is not None and not issuer.endswith("*") and not issuer.startswith(FOREIGN):
        find(session, issuer)
    return where


def normal_serial(text: str) -> str:
    """A serial as people write it (any case, colons, 0x) in the form on record."""
    found = _SERIAL.fullmatch(text.replace(":", "").strip())
    if found is None:
        raise BadRequest(
            "a serial number is hexadecimal, at most 20 octets",
            field="serial",
            rule="serial.syntax",
            remedy="copy it from `chancery certificate list`",
        )
    return found[1].lower().lstrip("0") or "0"


def resolved(session: Session, word: str, where: CertificateFilter) -> Meaning:
    """The first meaning of *word* that finds something together with *where*; else the first."""
    first: Meaning | None = None
    for meaning in meanings(word, where):
        narrowed = checked(session, meaning.where)
        if session.certificates.find(narrowed, Page(limit=1)):
            return meaning
        first = first or meaning
    assert first is not None  # every word may be a name
    return first


def meanings(word: str, where: CertificateFilter) -> Iterator[Meaning]:
    """What *word* may mean, the likeliest first: a hash, a serial number, a subject, a name."""
    text = word.strip()
    if not text or len(text) > MAX_WORD:
        raise BadRequest(
            f"1 to {MAX_WORD} characters to look for",
            field="search",
            rule="search.length",
            remedy="give a name, a subject, a serial number or a fingerprint",
        )
    hexadecimal = _HEX.fullmatch(re.sub(r"[:\s]", "", text).lower())
    if hexadecimal is not None:
        yield from _numbers(hexadecimal[1], where)
    if _ATTRIBUTE.match(text):
        subject = text.replace(", ", ",")
        yield Meaning("a subject", replace(where, subject=_beginning(subject)))
        return
    bare = text.removesuffix("*")
    if not _kind_unknown(text):
        if bare == text:
            yield Meaning("a name", replace(where, name=text))
        yield Meaning("the beginning of a name", replace(where, name=_beginning(text)))
    yield Meaning("a common name", replace(where, subject=_beginning(f"CN={bare}")))


def _numbers(digits: str, where: CertificateFilter) -> Iterator[Meaning]:
    if len(digits) == _SHA256_DIGITS:
        yield Meaning("a fingerprint", replace(where, sha256=digits))
        yield Meaning("the hash of a key", replace(where, key_sha256=digits))
    elif _SHORTEST <= len(digits) <= _SERIAL_DIGITS:
        serial = digits.lstrip("0") or "0"
        yield Meaning("a serial number", replace(where, serial=serial))
        yield Meaning("the beginning of a serial number", replace(where, serial=f"{serial}*"))


def _beginning(text: str) -> str:
    return text if text.endswith("*") else f"{text}*"


def _hash(text: str, field: str, of: str) -> str:
    """A SHA-256 as people write it, or the beginning of one and ``*``, as it is on record."""
    found = text.replace(":", "").lower()
    if _SHA256.fullmatch(found) is None:
        raise BadRequest(
            f"the SHA-256 of a {of} is 64 hex digits",
            field=field,
            rule="sha256.syntax",
            remedy="give all of them, or the first ones and *",
        )
    return found


def _kind_unknown(name: str) -> bool:
    """Whether the kind before a colon is none that names have.

    The colon may be an address's or a URI's.
    """
    kind, colon, rest = name.partition(":")
    if not colon or kind.lower() in set(NameKind) or rest.startswith("//"):
        return False
    return _IPV6.fullmatch(name) is None


def _check_kind(name: str) -> None:
    """Refuse ``foo:bar``."""
    if _kind_unknown(name):
        kind = name.partition(":")[0]
        raise BadRequest(
            f"no kind of name is called {kind[:40]!r}",
            field="name",
            rule="name.kind",
            remedy="put one of these before the colon: " + ", ".join(NameKind),
        )
