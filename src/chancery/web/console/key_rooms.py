"""Key groups and key templates: who may do what, and what new keys are like."""

from typing import Any, Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission, Role
from chancery.domain.key_groups import KeyGroup, KeyRight, KeyTemplate
from chancery.domain.managed_key import (
    USES_OF,
    Exportability,
    KeyKind,
    KeyRules,
    KeyUse,
    RotationPolicy,
)
from chancery.domain.shipped_keys import TEMPLATES
from chancery.web.console import key_words as words
from chancery.web.console.keys import PATH, nested
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(PATH, section="keys")
GROUPS: Final = f"{PATH}/_groups"
MODELS: Final = f"{PATH}/_templates"
_READ, _WRITE = Permission.KEY_READ, Permission.KEY_POLICY
RIGHTS: Final = {
    KeyRight.VIEW: ("View", "see keys, never their material"),
    KeyRight.USE: ("Use", "encrypt, sign, wrap as the key allows"),
    KeyRight.MANAGE: ("Manage", "make, import, rotate, change states, ask for exports"),
    KeyRight.APPROVE: ("Approve", "agree to what others ask for"),
    KeyRight.HOLD: ("Hold", "bring and receive components"),
}
_USES: Final = {KeyUse.MAC: "MAC", KeyUse.VERIFY: "Verify; of a secret key: check MACs only"}
_WAYS: Final = (
    ("generate", "Generated here"),
    ("import", "Imported"),
    ("components", "In components"),
)


@pages.get("/_groups", _READ)
def groups(visit: Visit) -> Response:
    found = visit.services.keys.groups.all(visit.principal)
    return visit.render("console/keys/groups.html", groups=nested(found), rights=RIGHTS)


@pages.get("/_groups/_new", _WRITE)
def new_group(visit: Visit) -> Response:
    return visit.render("console/keys/group.html", **_group_form(visit, None))


@pages.post("/_groups/_new", _WRITE, step_up=True)
def make_group(visit: Visit) -> Response:
    made = visit.services.keys.groups.put(
        visit.principal, _group(visit, visit.form.required("name")), fresh=True
    )
    return visit.redirect(GROUPS, f"The key group {made.name} is made.")


@pages.get("/_groups/{group}", _READ)
def group(visit: Visit) -> Response:
    found = visit.services.keys.groups.show(visit.principal, visit.path["group"])
    return visit.render("console/keys/group.html", **_group_form(visit, found))


@pages.post("/_groups/{group}", _WRITE, step_up=True)
def save_group(visit: Visit) -> Response:
    made = visit.services.keys.groups.put(visit.principal, _group(visit, visit.path["group"]))
    return visit.redirect(GROUPS, f"{made.name} is saved.")


@pages.post("/_groups/{group}/delete", _WRITE, step_up=True, form=group)
def delete_group(visit: Visit) -> Response:
    visit.services.keys.groups.delete(visit.principal, visit.path["group"])
    return visit.redirect(GROUPS, f"{visit.path['group']} is deleted.", "info")


@pages.get("/_templates", _READ)
def templates(visit: Visit) -> Response:
    return visit.render(
        "console/keys/templates.html",
        templates=visit.services.keys.templates.all(visit.principal),
        shipped=TEMPLATES,
        exportability=words.EXPORTABILITY,
    )


@pages.get("/_templates/_new", _WRITE)
def new_template(visit: Visit) -> Response:
    """Begin with a copy of another, if the address names one."""
    source = visit.query.text("from", "data-aes-256")
    found = visit.services.keys.templates.show(visit.principal, source)
    return visit.render("console/keys/template.html", **_template_form(visit, found), fresh=True)


@pages.post("/_templates/_new", _WRITE, step_up=True)
def make_template(visit: Visit) -> Response:
    made = visit.services.keys.templates.put(
        visit.principal, _template(visit, visit.form.required("name"))
    )
    return visit.redirect(f"{MODELS}/{made.name}", f"The template {made.name} is made.")


@pages.get("/_templates/{template}", _READ)
def template(visit: Visit) -> Response:
    found = visit.services.keys.templates.show(visit.principal, visit.path["template"])
    return visit.render("console/keys/template.html", **_template_form(visit, found), fresh=False)


@pages.post("/_templates/{template}", _WRITE, step_up=True)
def save_template(visit: Visit) -> Response:
    made = visit.services.keys.templates.put(
        visit.principal, _template(visit, visit.path["template"])
    )
    return visit.redirect(f"{MODELS}/{made.name}", "Saved.  Keys that there are stay as they are.")


@pages.post("/_templates/{template}/delete", _WRITE, step_up=True, form=template)
def delete_template(visit: Visit) -> Response:
    visit.services.keys.templates.delete(visit.principal, visit.path["template"])
    return visit.redirect(MODELS, f"Your {visit.path['template']} is deleted.", "info")


def _group_form(visit: Visit, found: KeyGroup | None) -> dict[str, Any]:
    people = (
        [one.name for one in visit.services.identity.groups.all(visit.principal)]
        if visit.may(Permission.IDENTITY_READ)
        else []
    )
    granted = dict(found.grants) if found is not None else {}
    titles = [role.value for role in Role] + [f"group:{name}" for name in people]
    titles += [title for title in sorted(granted) if title not in titles]
    ticked = (
        set(visit.form.all("grants"))
        if visit.method == "POST"
        else {f"{title}:{right.value}" for title, some in granted.items() for right in some}
    )
    others = [g.name for g in visit.services.keys.groups.all(visit.principal)]
    return {
        "group": found,
        "rights": RIGHTS,
        "titles": titles,
        "ticked": ticked,
        "people": people,
        "parents": [name for name in others if found is None or name != found.name],
        "writes": visit.may(_WRITE),
    }


def _group(visit: Visit, name: str) -> KeyGroup:
    form = visit.form
    grants: dict[str, set[KeyRight]] = {}
    for text in form.all("grants"):
        title, _, right = text.rpartition(":")
        if right not in set(KeyRight):
            raise BadRequest("there is no such right", field="grants", rule="key-group.right")
        grants.setdefault(title, set()).add(KeyRight(right))
    return KeyGroup(
        name,
        form.text("description"),
        form.text("owner"),
        {title: frozenset(some) for title, some in grants.items()},
        form.number("approvals", 0, most=8) or 0,
        form.text("parent"),
    )


def _template_form(visit: Visit, found: KeyTemplate) -> dict[str, Any]:
    return {
        "model": found,
        "own": found != TEMPLATES.get(found.name),
        "kinds": [
            (kind.value, f"{kind.value}, {kind.strength} bits of strength") for kind in KeyKind
        ],
        "uses": [(use.value, _USES.get(use, use.value.capitalize())) for use in KeyUse],
        "uses_of": {
            family.value: ", ".join(sorted(some)) for family, some in sorted(USES_OF.items())
        },
        "exportability": [(kind.value, text) for kind, text in words.EXPORTABILITY.items()],
        "said": words.EXPORTABILITY[found.rules.exportability],
        "overlap": words.overlap(found.rotation),
        "ways": _WAYS,
        "groups": [(g.name, g.name) for g in visit.services.keys.groups.all(visit.principal)],
        "writes": visit.may(_WRITE),
    }


def _template(visit: Visit, name: str) -> KeyTemplate:
    form = visit.form
    kind, exportability = form.required("kind"), form.text("exportability", "N")
    if kind not in set(KeyKind) or exportability not in set(Exportability):
        raise BadRequest("there is no such kind of key", field="kind", rule="key.kind")
    uses = [use for use in form.all("uses") if use in set(KeyUse)]
    rules = KeyRules(
        frozenset(KeyUse(use) for use in uses),
        Exportability(exportability),
        form.number("approvals", 0, most=8) or 0,
        form.flag("pkcs"),
        form.flag("trusted"),
    )
    return KeyTemplate(
        name,
        form.text("description"),
        KeyKind(kind),
        rules,
        RotationPolicy(
            form.number("every", 0, most=36_500) or 0,
            form.number("overlap", -1, least=-1, most=36_500) or 0,
            form.number("warn", 14, most=3_650) or 0,
        ),
        form.number("cryptoperiod", 0, most=36_500) or 0,
        frozenset(form.all("groups")),
        frozenset(form.all("entry")),
        form.text("block_usage", "D0").upper(),
        form.text("block_mode", "B").upper(),
    )
