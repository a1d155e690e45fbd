"""How a service says what happened."""

from typing import Any, Final, cast

from chancery.domain.audit import AuditEvent, Outcome, leaf_bytes
from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.identity import Principal

MAX_LEAF: Final = 0xFFFF  # octets: an entry bundle gives a leaf's length in a uint16
_LAST: Final = 2**63 - 1  # the longest number a leaf can come to hold
_ESCAPED: Final = 6  # octets that one octet of text can become in JSON (a control character)
_FRAME: Final = 1024  # octets of a leaf that are not text from outside, at the most


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
    has changed: TooLarge, or BadRequest for text that is not Unicode.  Of a
    joint session the other half is named among them, as ``partner``.
    """
    if principal.partner:
        details["partner"] = principal.partner
    described = AuditEvent(
        action=action,
        actor=principal.name,
        method=principal.method.value,
        origin=principal.origin,
        subject_id=subject_id,
        outcome=outcome,
        details=details,
    )
    try:
        octets = _weigh(details) + sum(map(_weigh, (action, subject_id, principal.name)))
        if octets * _ESCAPED + _FRAME <= MAX_LEAF:
            return described
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


def alike(first: AuditEvent, subject_id: str, **own: str | int) -> AuditEvent:
    """The same event about another object; *own* are details that differ.

    For thousands at once: only names and numbers of ours may differ, which are
    short, so that what was weighed of the first holds for all.
    """
    return AuditEvent(
        action=first.action,
        actor=first.actor,
        method=first.method,
        origin=first.origin,
        subject_id=subject_id,
        outcome=first.outcome,
        details={**first.details, **own},
    )


def _weigh(value: object) -> int:
    """Octets of text in *value*, at the least its number of parts.

    Plain ``json`` is RFC 8785 for these types only; anything else is our own
    mistake.  Raises UnicodeEncodeError for text that is not Unicode.
    """
    kind = type(value)
    if kind is str:
        text = cast("str", value)
        return len(text) + 1 if text.isascii() else len(text.encode()) + 1
    if value is None or isinstance(value, int):
        return 20
    if isinstance(value, str):
        return _weigh(str(value))
    if isinstance(value, dict):
        if any(type(key) is not str for key in value):
            raise TypeError("bug: the name of an audit detail is no text")
        return sum(len(key) + 1 + _weigh(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_weigh, value))
    raise TypeError(f"bug: {kind.__name__} is not for the audit log")
