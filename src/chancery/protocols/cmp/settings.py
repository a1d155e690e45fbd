"""What an operator may choose at a CMP door."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadRequest, CAError
from chancery.wire import pem, pkcs7

_MAX_RAS: Final = 32
_BOUNDS: Final = {  # seconds
    "confirm_s": (60, 30 * 86_400),
    "check_after_s": (1, 86_400),
    "clock_skew_s": (0, 86_400),
}


@dataclass(frozen=True, slots=True)
class CmpSettings:
    """*trusted_ras*: PEM certificates of registration authorities that may vouch for others.

    *implicit_confirm*: whether a client that asks for it need not confirm.
    A certificate that was to be confirmed and was not within *confirm_s* is
    revoked.  *check_after_s* is how long a client waits between two polls.
    *clock_skew_s*: by how much the time in a message may differ from ours;
    0: it is not looked at.  *server_keys* are the kinds of key that are made
    here when a request comes without one; (): none.
    """

    trusted_ras: tuple[str, ...] = ()
    implicit_confirm: bool = True
    confirm_s: int = 3600
    check_after_s: int = 10
    clock_skew_s: int = 600
    server_keys: tuple[str, ...] = ()

    def ra_certificates(self) -> tuple[bytes, ...]:
        """DER of the trusted registration authorities."""
        return tuple(_certificate(text) for text in self.trusted_ras)


def read(given: Mapping[str, object]) -> CmpSettings:
    """The settings of a door; BadRequest for the first fault in them."""
    unknown = sorted(set(given) - set(CmpSettings.__dataclass_fields__))
    if unknown:
        raise _bad(unknown[0], "no such setting", "it has: " + ", ".join(CmpSettings.__slots__))
    for name, (least, most) in _BOUNDS.items():
        value = given.get(name, least or 1)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _bad(name, "not a number of seconds in bounds", f"give {least} to {most}")
    if not isinstance(given.get("implicit_confirm", True), bool):
        raise _bad("implicit_confirm", "neither true nor false", "give true or false")
    ras = _texts(given, "trusted_ras")
    if len(ras) > _MAX_RAS:
        raise _bad("trusted_ras", f"more than {_MAX_RAS} certificates", "leave some out")
    for text in ras:
        _certificate(text)
    kinds = _texts(given, "server_keys")
    for kind in kinds:
        if kind not in set(KeyAlgorithm):
            raise _bad("server_keys", f"no kind of key: {kind[:40]!r}", ", ".join(KeyAlgorithm))
    return CmpSettings(**{**given, "trusted_ras": ras, "server_keys": kinds})  # type: ignore[arg-type]


def check(given: Mapping[str, object]) -> Mapping[str, object]:
    """The same, filled up and ready to be kept."""
    filled: dict[str, object] = json.loads(json.dumps(asdict(read(given))))
    return filled


def _texts(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = given.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise _bad(name, "not a list of texts", "give a list")
    return tuple(value)


@lru_cache(maxsize=64)
def _certificate(text: str) -> bytes:
    try:
        (found,) = pkcs7.certificates(text.encode("ascii", "replace"))
    except (CAError, ValueError):
        raise _bad(
            "trusted_ras", "an entry that is not one PEM certificate", "paste the certificate"
        ) from None
    return found


def pem_of(certificate: bytes) -> str:
    """How a trusted registration authority is written down."""
    return pem.encode("CERTIFICATE", certificate)


def _bad(name: str, what: str, remedy: str) -> BadRequest:
    return BadRequest(what, field=f"settings.{name}", rule="door.settings", remedy=remedy)
