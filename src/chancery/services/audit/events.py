"""How a service says what happened."""

from typing import Any, Final

from chancery.domain.audit import AuditEvent, Outcome, leaf_bytes
from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.identity import Principal

MAX_LEAF: Final = 0xFFFF  # octets: an entry bundle gives a leaf's length in a uint16
_LAST: Final = 2**63 - 1  # the longest number a leaf can come to hold


def event(
    principal: Principal,
    action: str,
    subject_id: str,
    outcome: Outcome = Outcome.SUCCESS,
    **details: Any,
) -> AuditEvent:
    """Describe what *principal* did, to be appended in the transaction that did it.

    *details* are strings, integers, booleans, None, and lists or dicts of
    these.  An event that no leaf can hold is refused here, before anything
    has changed: TooLarge, or BadRequest for text that is not Unicode.
    """
    described = AuditEvent(
        action=action,
        actor=principal.name,
        method=principal.method.value,
        origin=principal.origin,
        subject_id=subject_id,
        outcome=outcome,
        details=details,
    )
    _check_values(details)
    try:
        leaf = leaf_bytes(_LAST, _LAST, described)
    except UnicodeEncodeError as error:
        raise BadRequest(
            "text that is not valid Unicode cannot be put on record",
            field=action,
            rule="audit.unicode",
            remedy="send well-formed UTF-8",
        ) from error
    if len(leaf) > MAX_LEAF:
        raise TooLarge(
            f"the record of this would be {len(leaf)} octets long",
            field=action,
            rule="audit.leaf-size",
            remedy=f"shorten the texts; a record holds {MAX_LEAF} octets",
        )
    return described


def _check_values(value: object) -> None:
    """Plain ``json`` is RFC 8785 for these types only; anything else is our own mistake."""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"bug: an audit detail under {key!r}")
            _check_values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_values(item)
    elif not (value is None or isinstance(value, str | int)):
        raise TypeError(f"bug: {type(value).__name__} is not for the audit log")
