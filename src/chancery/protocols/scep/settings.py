"""What an operator can choose about one SCEP door."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from chancery.domain.door import Door
from chancery.domain.errors import BadRequest

_HOOK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|")


@dataclass(frozen=True, slots=True)
class ScepSettings:
    """Every default is the safe one.

    *legacy* takes SHA-1 and 3DES; MD5 and single DES never.
    *shared_challenge* honours passwords that are bound to no identity or may
    be used any number of times: whoever learns one enrols as anybody
    (VU#971035).  *without_challenge* takes requests without a password where
    people approve them.  *renewal*: certificates of ours may be renewed here.
    *single_certificate*: GetCACert names the CA alone, for clients that have
    the RA's certificate by other means.  *mdm*: the webhook of the device
    manager that validates challenges, "" for none.
    """

    legacy: bool = False
    shared_challenge: bool = False
    without_challenge: bool = False
    renewal: bool = True
    single_certificate: bool = False
    mdm: str = ""


def check(given: Mapping[str, object]) -> Mapping[str, object]:
    """*given* with what holds where nothing is said; BadRequest for a fault."""
    defaults = asdict(ScepSettings())
    for name, value in given.items():
        if name not in defaults or type(value) is not type(defaults[name]):
            raise BadRequest(
                f"no setting {name[:40]!r} of SCEP with such a value",
                field=f"door.settings.{name[:40]}",
                rule="scep.settings",
                remedy="yes or no for: " + ", ".join(f for f in defaults if f != "mdm")
                + "; a webhook's name for mdm",
            )  # fmt: skip
    merged = defaults | dict(given)
    if not _HOOK.fullmatch(str(merged["mdm"])):
        raise BadRequest(
            "the device manager is named as a webhook of chancery.toml is",
            field="door.settings.mdm",
            rule="scep.mdm",
            remedy="put its address into [[notifications.webhooks]], and its name here",
        )
    return merged


def read(door: Door) -> ScepSettings:
    """The settings of a door; what was written before a setting existed has its default."""
    known = {field.name for field in fields(ScepSettings)}
    given = {name: value for name, value in door.settings.items() if name in known}
    return ScepSettings(**given)  # type: ignore[arg-type]
