"""New keys: generated, taken in, derived from others."""

from typing import Any

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyRight, KeyTemplate
from chancery.domain.key_states import KeyState, state_at
from chancery.domain.managed_key import Family, KeyUse
from chancery.ports_keys import KeyFilter
from chancery.web.console import key_reading as reading
from chancery.web.console import key_words as words
from chancery.web.console.keys import PATH
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(PATH, section="keys")
_MANY = 1_000
DERIVATIONS = (
    ("hkdf-sha256", "HKDF, SHA-256 (RFC 5869)"),
    ("kbkdf-cmac", "KBKDF, CMAC, counter mode (SP 800-108)"),
    ("kbkdf-hmac", "KBKDF, HMAC, counter mode (SP 800-108)"),
    ("ecdh-hkdf-sha256", "ECDH with a public key, then HKDF"),
)
METHODS = (
    ("tr31", "X9.143 (TR-31) key block"),
    ("aes-kwp", "AES-KWP, RFC 5649"),
    ("aes-kw", "AES-KW, RFC 3394"),
    ("rsa-oaep-sha256", "RSA-OAEP, SHA-256"),
    ("rsa-aes-sha256", "RSA-AES (CKM_RSA_AES_KEY_WRAP)"),
)


@pages.get("/_new", Permission.KEY_MANAGE)
def choose(visit: Visit) -> Response:
    """Choose a template first: it says nearly everything."""
    templates = visit.services.keys.templates.all(visit.principal)
    return visit.render(
        "console/keys/choose.html",
        templates=[one for one in templates if "generate" in one.entry],
        exportability=words.EXPORTABILITY,
        groups=_groups(visit),
    )


@pages.get("/_new/{template}", Permission.KEY_MANAGE)
def new(visit: Visit) -> Response:
    template = visit.services.keys.templates.show(visit.principal, visit.path["template"])
    return visit.render("console/keys/new.html", **_form(visit, template))


@pages.post("/_new/{template}", Permission.KEY_MANAGE, step_up=True)
def generate(visit: Visit) -> Response:
    wanted = reading.wanted(visit, visit.path["template"])
    made = visit.services.keys.making.generate(visit.principal, wanted)
    return visit.redirect(f"{PATH}/{made.key.name}", "Generated.")


@pages.get("/_import", Permission.KEY_MANAGE)
def import_form(visit: Visit) -> Response:
    choices = reading.choices(visit)
    return visit.render(
        "console/keys/import.html",
        **(choices | {"groups": _groups(visit)}),
        methods=METHODS,
        openers=_usable(visit, KeyUse.UNWRAP),
        exportability=list(words.EXPORTABILITY.items()),
    )


@pages.post("/_import", Permission.KEY_MANAGE, form=import_form)
def take_in(visit: Visit) -> Response:
    form, making = visit.form, visit.services.keys.making
    upload = form.file("packed")
    if upload is None or not upload.data:
        raise BadRequest("choose a file", field="packed", rule="required")
    if by := form.text("by"):
        method = form.required("method")
        data = upload.data.strip() if method.startswith("tr31") else upload.data
        made = making.unwrap(visit.principal, reading.wanted(visit), by, method, data)
    else:
        passphrase = form.raw("passphrase")
        made = making.insert(visit.principal, reading.wanted(visit), upload.data, passphrase)
    return visit.redirect(f"{PATH}/{made.key.name}", "Imported.")


@pages.get("/_derive", Permission.KEY_MANAGE)
def derive_form(visit: Visit) -> Response:
    choices = reading.choices(visit)
    return visit.render(
        "console/keys/derive.html",
        **(choices | {"groups": _groups(visit)}),
        methods=DERIVATIONS,
        parents=_usable(visit, KeyUse.DERIVE),
        exportability=list(words.EXPORTABILITY.items()),
    )


@pages.post("/_derive", Permission.KEY_MANAGE, step_up=True)
def derive(visit: Visit) -> Response:
    form = visit.form
    method = form.required("method")
    if method.startswith("ecdh"):
        import base64  # noqa: PLC0415 - for this alone

        context = base64.b64decode(reading.spki(form.text("context"), "context"))
    else:
        context = reading.octets(form.text("context"), "context")
    made = visit.services.keys.making.derive(
        visit.principal,
        reading.wanted(visit),
        form.required("by"),
        method,
        context,
        reading.octets(form.text("salt"), "salt"),
    )
    return visit.redirect(f"{PATH}/{made.key.name}", "Derived.")


def _form(visit: Visit, template: KeyTemplate) -> dict[str, Any]:
    allowed = template.rules.exportability.openness
    return {
        "model": template,
        "groups": [
            name for name in _groups(visit) if not template.groups or name in template.groups
        ],
        "vaults": visit.services.keys.vaults,
        "uses": [(use.value, use.value) for use in sorted(template.rules.uses)],
        "exportability": [
            (kind.value, text)
            for kind, text in words.EXPORTABILITY.items()
            if kind.openness <= allowed
        ],
        "said": words.EXPORTABILITY[template.rules.exportability],
        "overlap": words.overlap(template.rotation),
    }


def _groups(visit: Visit) -> list[str]:
    """Those in which the visitor may make keys."""
    groups, who = visit.services.keys.groups, visit.principal
    return [g.name for g in groups.all(who) if KeyRight.MANAGE in groups.rights(who, g.name)]


def _usable(visit: Visit, use: KeyUse) -> list[tuple[str, str]]:
    """Keys that can do *use* now, and that the visitor may use."""
    keys, who = visit.services.keys, visit.principal
    found = []
    for view in keys.life.find(who, KeyFilter(), None, _MANY):
        fits = use in view.key.rules.uses and KeyRight.USE in keys.groups.rights(
            who, view.key.group
        )
        if fits and state_at(view.current.dates, visit.now) is KeyState.ACTIVE:
            block = {Family.AES: ", D blocks", Family.TDES: ", B blocks"}
            more = block.get(view.key.kind.family, "") if use is KeyUse.UNWRAP else ""
            found.append((view.key.name, f"{view.key.name} ({view.key.kind.value}{more})"))
    return found
