"""Profiles and DN profiles as people read them: lists of rules in columns, names for OIDs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chancery.cli import output
from chancery.cli.client import Json
from chancery.domain.names import SHORT_NAMES
from chancery.domain.profile import EKU_NAMES

_ATTRIBUTES: Final = (
    *("attribute", "required", "source", "editable", "length", "syntax", "value", "regex", "rdn"),
)
_SAN: Final = (
    *("kind", "required", "max_count", "from_csr", "from_requester", "wildcards", "suffixes"),
    *("networks", "regex"),
)
_USAGES: Final = {oid: name for name, oid in EKU_NAMES.items()}


def dn_profile(found: Json) -> None:
    """Print a DN profile, its attributes as a table."""
    attributes = found.get("attributes") or []
    output.record({key: value for key, value in found.items() if key != "attributes"})
    output.line("attributes:")
    _columns([_attribute(one) for one in attributes], _ATTRIBUTES)


def profile(found: Json) -> None:
    """Print a profile, its rules for names as a table."""
    inner = dict(found.get("profile") or {})
    san = inner.pop("san", None) or []
    if usages := inner.get("extended_key_usage"):
        inner["extended_key_usage"] = [_USAGES.get(oid, oid) for oid in usages]
    output.record(found | {"profile": inner})
    if san:
        output.line("names in the SAN:")
        _columns(san, _SAN)


def _attribute(rule: Mapping[str, Any]) -> Json:
    oid, least, most = (rule.get(key) for key in ("oid", "min_length", "max_length"))
    return dict(rule) | {
        "attribute": SHORT_NAMES.get(str(oid), oid),
        "length": f"{least or 0} to {most}" if most is not None else None,
    }


def _columns(rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> None:
    """Print a table without the columns in which nothing stands."""
    filled = tuple(
        column for column in columns if any(row.get(column) not in (None, "", []) for row in rows)
    )
    output.table(list(rows), filled)
