"""A door as the fields of a form."""

import json
from dataclasses import replace

from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import BadRequest
from chancery.domain.registration import MAX_APPROVALS
from chancery.web.fields import Form


def door_of(form: Form, before: Door | None = None) -> Door:
    """What was typed; protocol and label of *before* stay."""
    if before is None:
        protocol = form.required("protocol")
        if protocol not in set(DoorProtocol):
            raise BadRequest("no such protocol", field="protocol", rule="door.protocol")
        before = Door(DoorProtocol(protocol), form.required("label"), ra="", profile="")
    return replace(
        before,
        ra=form.required("ra"),
        profile=form.required("profile"),
        profiles=tuple(name for name in form.all("profiles") if name != form.text("profile")),
        authority=form.text("authority") or None,
        approvals=form.number("approvals", None, least=0, most=MAX_APPROVALS),
        renewal_approvals=form.number("renewal_approvals", None, least=0, most=MAX_APPROVALS),
        renew_in_window=form.flag("renew_in_window"),
        enabled=form.flag("enabled"),
        description=form.text("description"),
        settings=_settings(form.text("settings")),
    )


def _settings(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRequest(
            "the settings are no JSON object",
            field="settings",
            rule="json",
            remedy='write them like {"legacy": false}',
        )
    return found
