"""What people type about keys: dates, labels, public keys, hexadecimal digits."""

import base64
import re
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from chancery.domain.errors import BadRequest
from chancery.domain.key_states import KeyState, state_at
from chancery.domain.managed_key import Exportability, KeyUse
from chancery.services.keys.desk import KeyView
from chancery.services.keys.wanted import Wanted
from chancery.web.fields import Fields
from chancery.web.visit import Visit

_PEM: Final = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def moment(fields: Fields, name: str) -> int | None:
    """A date and time in UTC, as ``datetime-local`` sends it; None if it is blank."""
    text = fields.text(name)
    if not text:
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        raise BadRequest(
            f"this is no date and time: {text[:40]!r}",
            field=name,
            rule="date",
            remedy="write 2026-05-01T12:00",
        ) from None


def version(visit: Visit) -> int | None:
    """The version that a form, or an address, names; None: the current one."""
    fields: Fields = visit.form if visit.form.text("version") else visit.query
    return fields.number("version", None, least=1, most=1_000_000)


def labels(visit: Visit) -> dict[str, str]:
    """Lines of ``name: text``."""
    found = {}
    for line in visit.form.text("labels").splitlines():
        if line.strip():
            name, colon, text = line.partition(":")
            if not colon:
                raise BadRequest(
                    f"no colon in {line.strip()[:40]!r}",
                    field="labels",
                    rule="key.labels",
                    remedy="write name: text, one a line",
                )
            found[name.strip()] = text.strip()
    return found


def wanted(visit: Visit, template: str | None = None) -> Wanted:
    """What a form says that a new key is to be."""
    form = visit.form
    exportability = form.text("exportability")
    uses = form.all("uses")
    if form.flag("kept"):
        narrowed: frozenset[KeyUse] | None = frozenset()
    else:
        narrowed = frozenset(KeyUse(use) for use in uses if use in set(KeyUse)) if uses else None
    return Wanted(
        form.required("name"),
        form.required("group"),
        template or form.required("template"),
        form.text("description"),
        form.text("custodian"),
        moment(form, "activation"),
        form.text("vault", "software"),
        narrowed,
        Exportability(exportability) if exportability in set(Exportability) else None,
        labels(visit),
    )


def spki(text: str, field: str) -> str:
    """One public key in PEM, as base64 of DER."""
    found = spkis(text, field)
    if len(found) != 1:
        raise _no_key(field)
    return found[0]


def spkis(text: str, field: str) -> list[str]:
    """Every public key in *text*, PEM, as base64 of DER."""
    if "PRIVATE KEY" in text:
        raise BadRequest(
            "this is a private key: it is not to be shown to anybody",
            field=field,
            rule="key.private",
            remedy="paste the public key: openssl pkey -in key.pem -pubout",
        )
    try:
        return [
            base64.b64encode(
                load_pem_public_key(one.encode()).public_bytes(
                    Encoding.DER, PublicFormat.SubjectPublicKeyInfo
                )
            ).decode()
            for one in _PEM.findall(text)
        ]
    except Exception:  # noqa: BLE001 - OpenSSL's errors have many classes
        raise _no_key(field) from None


def octets(text: str, field: str) -> bytes:
    """Hexadecimal digits."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadRequest(
            "this is not hexadecimal", field=field, rule="hex", remedy="write 0a1b2c"
        ) from None


def versions_offered(view: KeyView, now: int) -> list[tuple[str, str]]:
    """The versions that something can be done with, for a list to choose from."""
    gone = {KeyState.DESTROYED, KeyState.DESTROYED_COMPROMISED}
    found = []
    for one in view.versions:
        state = state_at(one.dates, now)
        if state not in gone:
            current = ", current" if one.number == view.key.current else ""
            found.append((str(one.number), f"{one.number} ({state.value}{current})"))
    return found


def choices(visit: Visit) -> dict[str, Any]:
    """What may be chosen in the forms for new keys."""
    keys, who = visit.services.keys, visit.principal
    templates = keys.templates.all(who)
    return {
        "groups": [group.name for group in keys.groups.all(who)],
        "templates": [(one.name, f"{one.name}: {one.description}"[:110]) for one in templates],
        "secret_templates": [
            (one.name, f"{one.name}: {one.description}"[:110])
            for one in templates
            if one.kind.secret and "components" in one.entry
        ],
        "entering": [
            (one.name, f"{one.name}: {one.description}"[:110])
            for one in templates
            if "import" in one.entry
        ],
    }


def _no_key(field: str) -> BadRequest:
    return BadRequest(
        "one public key in PEM is expected here",
        field=field,
        rule="public-key.pem",
        remedy="openssl pkey -in key.pem -pubout",
    )
