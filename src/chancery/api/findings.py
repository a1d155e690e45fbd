"""What pydantic finds wrong with a request, in the words of a person.

The rule stays pydantic's own name for it; text and remedy are ours.
"""

from collections.abc import Mapping
from typing import Any, Final

_TEXTS: Final[Mapping[str, str]] = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "json_invalid": "not JSON",
    "string_type": "expected text",
    "string_unicode": "not Unicode text",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "the number is too large",
    "int_from_float": "expected a whole number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "enum": "none of: {expected}",
    "literal_error": "none of: {expected}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}
_PATTERNS: Final[Mapping[str, tuple[str, str]]] = {
    "^[0-9a-f]{64}$": (
        "64 hex digits in lower case",
        "copy the whole hash as `chancery request show` or `chancery ca pending` prints it",
    ),
}
_REMEDIES: Final[Mapping[str, str]] = {
    "missing": "give it",
    "extra_forbidden": "remove it, or check its spelling",
    "json_invalid": "send one JSON document in UTF-8",
}
_DESCRIBED: Final = "GET /api/openapi.json describes it"


def finding(found: Mapping[str, Any]) -> dict[str, str]:
    """Return field, rule, detail and remedy of one of pydantic's errors."""
    place, rule = [str(part) for part in found["loc"]], found["type"]
    field = ".".join(place[1:]) if len(place) > 1 and rule != "json_invalid" else place[0]
    context = found.get("ctx") or {}
    if rule == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        said, remedy = _PATTERNS[context["pattern"]]
    else:
        expected = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
        template = _TEXTS.get(rule)
        said = template.format(**context | {"expected": expected}) if template else found["msg"]
        remedy = _REMEDIES.get(rule, _DESCRIBED)
    return {"field": field, "rule": rule, "detail": f"{field[:80]}: {said}", "remedy": remedy}
