"""What templates and webhooks are given to speak of one notification."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from chancery.domain.notification import Event, Notification

# Controls, and characters that turn the direction of what follows them: in a
# message they could make a stranger's text pass for ours.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_MAX_TEXT: Final = 1_000  # characters of one value


_FIXED: Final = {
    Event.BACKUP_CONCERN: "/console/backups",
    Event.CERTIFICATE_EXPIRING: "/console/certificates",
    Event.JOB_FAILED: "/console/operations/jobs?state=failed",
}


def values_of(notification: Notification, base_url: str) -> dict[str, Any]:
    """Its facts, each text on one line and of bounded length, and where to look further."""
    facts = _tame(notification.data)
    assert isinstance(facts, dict)
    return facts | {
        "event": notification.event.value,
        "at": notification.created_at,
        "base_url": base_url,
        "url": base_url + _path(notification),
    }


def _path(told: Notification) -> str:
    match told.event:
        case Event.REQUEST_WAITING | Event.REQUEST_APPROVED | Event.REQUEST_DENIED:
            return f"/console/requests/{_part(told.data['request']['id'])}"
        case Event.CERTIFICATE_ISSUED:
            found = told.data["certificate"]
            return f"/console/certificates/{_part(found['authority'])}/{_part(found['serial'])}"
        case Event.REVOCATION_REQUESTED:
            return f"/console/revocations/{_part(told.data['wish'])}"
        case Event.KEY_ROTATION_DUE | Event.KEY_EXPIRING:
            return f"/console/keys/{_part(told.data['key']['name'])}"
        case Event.CRL_LATE | Event.CA_EXPIRING:
            return f"/console/authorities/{_part(told.data['authority'])}"
        case _:
            return _FIXED.get(told.event, "/console/notifications")


def _part(text: object) -> str:
    return quote(str(text), safe="")


def _tame(value: object) -> object:
    if isinstance(value, str):
        return _HIDDEN.sub(" ", value)[:_MAX_TEXT]
    if isinstance(value, Mapping):
        return {str(key): _tame(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(one) for one in value]
    return value
