"""The registration authorities that a CMP door believes: kept in its settings, as PEM."""

from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.door import Door
from chancery.domain.errors import AlreadyExists, BadRequest, NotFound
from chancery.wire import foreign_certificate, pem, pkcs7

SETTING: Final = "trusted_ras"


@dataclass(frozen=True, slots=True)
class TrustedRa:
    """*not_after* is Unix seconds, *sha256* of the DER."""

    subject: str
    issuer: str
    not_after: int
    sha256: str


def all_of(door: Door) -> list[TrustedRa]:
    """Those that *door* names."""
    found = []
    for text in _texts(door):
        one = foreign_certificate.decode(pkcs7.certificates(text.encode())[0])
        found.append(TrustedRa(one.subject, one.issuer, one.not_after, one.sha256))
    return found


def trusting(door: Door, certificate: bytes) -> Door:
    """*door*, with the authority that *certificate* (PEM or DER) names."""
    found = pkcs7.certificates(certificate)
    if len(found) != 1:
        raise BadRequest(
            f"{len(found)} certificates where one belongs",
            field="certificate",
            rule="pkcs7.count",
            remedy="give the certificate of the registration authority alone",
        )
    text = pem.encode("CERTIFICATE", found[0])
    if text in _texts(door):
        raise AlreadyExists(
            "the door trusts it already", field="certificate", rule="door.trusted-ra"
        )
    return _with(door, (*_texts(door), text))


def distrusting(door: Door, sha256: str) -> Door:
    """*door* without the authority whose certificate has that hash."""
    known = {ra.sha256: text for ra, text in zip(all_of(door), _texts(door), strict=True)}
    if sha256 not in known:
        raise NotFound("the door trusts no such authority", field="sha256", rule="door.trusted-ra")
    return _with(door, tuple(text for text in _texts(door) if text != known[sha256]))


def _texts(door: Door) -> tuple[str, ...]:
    value = door.settings.get(SETTING, ())
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _with(door: Door, texts: tuple[str, ...]) -> Door:
    return replace(door, settings={**door.settings, SETTING: list(texts)})
