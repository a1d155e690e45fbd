"""What a door for EST lets its owner choose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadRequest


class Authentication(StrEnum):
    """How a client says who it is (RFC 7030 §3.2.3, §3.3.2)."""

    PASSWORD = "password"  # noqa: S105 - the name of a way
    CERTIFICATE = "certificate"
    EITHER = "either"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class EstSettings:
    """*digest* offers HTTP Digest with SHA-256 beside Basic, *digest_md5* with MD5 as well.

    *channel_binding* demands the proof that a request was made for its
    connection (RFC 7030 §3.5), which TLS 1.2 alone can give.  With
    *change_subject* a renewal may ask for another name (RFC 6402 §2.8).
    *trust_ra*: a certificate of ours with the purpose id-kp-cmcRA may enrol
    for others.  *server_keys* switches serverkeygen, *server_key* is what it
    makes, *full_cmc* switches fullcmc.  *retry_after_s* is what a client that
    must wait is told.
    """

    authentication: Authentication = Authentication.EITHER
    digest: bool = False
    digest_md5: bool = False
    channel_binding: bool = False
    change_subject: bool = False
    trust_ra: bool = False
    server_keys: bool = True
    server_key: str = KeyAlgorithm.EC_P256.value
    full_cmc: bool = True
    retry_after_s: int = 60

    @classmethod
    def of(cls, given: Mapping[str, object]) -> "EstSettings":
        """Read the settings of a door; BadRequest names the first that is wrong."""
        known = {one.name: one for one in fields(cls)}
        values: dict[str, object] = {}
        for name, value in given.items():
            if name not in known:
                raise _bad(name, "no setting of EST", "one of: " + ", ".join(known))
            values[name] = _value(name, value, known[name].default)
        found = cls(**values)  # type: ignore[arg-type]  # each checked against its default
        if found.digest_md5 and not found.digest:
            raise _bad("digest_md5", "MD5 without Digest", "set digest, too")
        return found

    @property
    def passwords(self) -> bool:
        return self.authentication is not Authentication.CERTIFICATE


def _value(name: str, value: object, default: object) -> object:
    if name == "authentication":
        try:
            return Authentication(str(value))
        except ValueError:
            raise _bad(name, "an unknown way", "one of: " + ", ".join(Authentication)) from None
    if name == "server_key":
        if value not in set(KeyAlgorithm):
            raise _bad(name, "no key algorithm", "one of: " + ", ".join(KeyAlgorithm))
        return str(value)
    if name == "retry_after_s":
        if type(value) is not int or not 1 <= value <= 86_400:
            raise _bad(name, "no number of seconds", "use 1 to 86400")
        return value
    if type(value) is not type(default):
        raise _bad(name, "neither true nor false", "write true or false")
    return value


def _bad(name: str, why: str, remedy: str) -> BadRequest:
    return BadRequest(
        f"{name[:60]}: {why}", field=f"door.settings.{name[:60]}", rule="est.setting", remedy=remedy
    )


def check(given: Mapping[str, object]) -> dict[str, object]:
    """*given* with what holds where nothing is said.  Raises BadRequest."""
    found = asdict(EstSettings.of(given))
    return {**found, "authentication": str(found["authentication"])}
