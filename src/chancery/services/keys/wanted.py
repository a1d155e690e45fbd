"""What a wanted key must be, held against its template."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from chancery.domain.errors import BadRequest, NotPermitted
from chancery.domain.key_groups import KeyTemplate
from chancery.domain.managed_key import (
    Exportability,
    KeyRules,
    KeyUse,
    Origin,
    check_key_name,
)
from chancery.services.request_access import bounded

MAX_LABELS: Final = 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key is to be.  *activation* in Unix seconds; None: at once.

    *uses* and *exportability* may only narrow what the template says.
    """

    name: str
    group: str
    template: str
    description: str = ""
    custodian: str = ""
    activation: int | None = None
    vault: str = "software"
    uses: frozenset[KeyUse] | None = None
    exportability: Exportability | None = None
    labels: dict[str, str] = field(default_factory=dict)


def narrowed(template: KeyTemplate, wanted: Wanted) -> KeyRules:
    rules = template.rules
    if wanted.uses is not None:
        if not wanted.uses <= rules.uses:
            raise BadRequest(
                f"the template allows {', '.join(sorted(rules.uses))}",
                field="uses",
                rule="key-template.uses",
                remedy="leave uses out, or name fewer",
            )
        rules = replace(rules, uses=wanted.uses)
    if wanted.exportability is not None:
        if wanted.exportability.openness > rules.exportability.openness:
            raise BadRequest(
                f"the template allows exportability {rules.exportability.value}, or less",
                field="exportability",
                rule="key-template.exportability",
            )
        rules = replace(rules, exportability=wanted.exportability)
    if rules.trusted and KeyUse.WRAP not in rules.uses:
        rules = replace(rules, trusted=False)
    rules.check(template.kind)
    return rules


def check_fit(template: KeyTemplate, wanted: Wanted, origin: Origin) -> None:
    entry = {
        Origin.GENERATED: "generate",
        Origin.DERIVED: "generate",
        Origin.COMPONENTS: "components",
    }.get(origin, "import")
    if origin is not Origin.RECOVERED and entry not in template.entry:
        raise NotPermitted(
            f"keys of template {template.name} do not come in this way ({entry})",
            field="template",
            rule="key-template.entry",
            remedy=f"it allows: {', '.join(sorted(template.entry))}",
        )
    if template.groups and wanted.group not in template.groups:
        raise NotPermitted(
            f"template {template.name} makes no keys in {wanted.group}",
            field="template",
            rule="key-template.groups",
            remedy=f"it does in: {', '.join(sorted(template.groups))}",
        )


def check_texts(description: str, custodian: str, labels: Mapping[str, str]) -> None:
    """Raise BadRequest for what is too long, or too much, to be said about a key."""
    bounded(description, "description")
    bounded(custodian, "custodian")
    if len(labels) > MAX_LABELS:
        raise BadRequest(f"at most {MAX_LABELS} labels", field="labels", rule="key.labels")
    for title, text in labels.items():
        check_key_name(title, "labels")
        bounded(text, "labels")
