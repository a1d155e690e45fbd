"""Keys on their way out: wrapped, as files, in components, in escrow; and back from there."""

import base64
from typing import Any, Final

import msgspec
from starlette.responses import Response

from chancery.domain.errors import CAError, NotFound
from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyRight
from chancery.domain.managed_key import Exportability, Family
from chancery.services.keys.desk import KeyView, Outcome
from chancery.web.console import key_reading as reading
from chancery.web.console import key_words as words
from chancery.web.console.keys import PATH, after, needed
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(PATH, section="keys")
WAYS: Final = (
    ("wrapped", "Under a key here"),
    ("public", "Under a public key"),
    ("file", "PKCS#8, PKCS#12"),
    ("components", "Components"),
    ("escrow", "Escrow"),
)
_METHODS: Final = {
    Family.AES: (
        ("tr31-d", "X9.143 key block, version D"),
        ("aes-kwp", "AES-KWP, RFC 5649"),
        ("aes-kw", "AES-KW, RFC 3394"),
    ),
    Family.TDES: (("tr31-b", "X9.143 key block, version B"),),
    Family.RSA: (
        ("rsa-aes-sha256", "RSA-AES (CKM_RSA_AES_KEY_WRAP)"),
        ("rsa-oaep-sha256", "RSA-OAEP, SHA-256"),
    ),
}
_SUFFIX: Final = {"tr31-d": "tr31", "tr31-b": "tr31"}


def _view(visit: Visit) -> KeyView:
    keys = visit.services.keys
    view = keys.life.show(visit.principal, visit.path["name"])
    if KeyRight.MANAGE not in keys.groups.rights(visit.principal, view.key.group):
        raise NotFound("there is nothing to take out here", field="key", rule="key-group.manage")
    return view


@pages.get("/{name}/export/{way}", Permission.KEY_MANAGE)
def export(visit: Visit) -> Response:
    """One way out, and why it is closed where it is."""
    way, view = visit.path["way"], _view(visit)
    if way not in {one for one, _ in WAYS}:
        raise NotFound("there is no such way out", field="way", rule="key.way")
    key = view.key
    return visit.render(
        "console/keys/export.html",
        key=key,
        way=way,
        ways=WAYS,
        closed=_closed(way, view),
        exportability=words.EXPORTABILITY[key.rules.exportability],
        versions=reading.versions_offered(view, visit.now),
        needed=max(needed(visit, view), 0 if way == "wrapped" else 1),
        **_choices(visit, way, view),
    )


@pages.post("/{name}/export/{way}", Permission.KEY_MANAGE, step_up=True)
def ask(visit: Visit) -> Response:
    way, form = visit.path["way"], visit.form
    name, who, keys = visit.path["name"], visit.principal, visit.services.keys
    version = reading.version(visit)
    if way in {"wrapped", "public"}:
        method = form.required("method")
        done = keys.leaving.wrap(
            who,
            name,
            method,
            by=form.required("by") if way == "wrapped" else "",
            public_key=reading.spki(form.required("public_key"), "public_key")
            if way == "public"
            else "",
            version=version,
            block_usage=form.text("block_usage").upper(),
            block_mode=form.text("block_mode").upper(),
        )
        if done.data:
            return visit.download(done.data, f"{name}.{_SUFFIX.get(method, 'wrapped')}")
        return after(visit, done, "")
    return after(visit, _other(visit, way, version), "")


def _other(visit: Visit, way: str, version: int | None) -> Outcome:
    form, who, keys = visit.form, visit.principal, visit.services.keys
    name = visit.path["name"]
    if way == "file":
        return keys.leaving.package(who, name, form.required("form"), version=version)
    if way == "components":
        return keys.parts.split(who, name, form.all("holders"), version=version)
    if way == "escrow":
        agents = reading.spkis(form.required("agents"), "agents")
        threshold = form.number("threshold", 2, least=1, most=16) or 2
        return keys.escrow.seal(who, name, agents, threshold, version=version)
    raise NotFound("there is no such way out", field="way", rule="key.way")


@pages.get("/{name}/escrow", Permission.KEY_MANAGE)
def record(visit: Visit) -> Response:
    """The record of a key's escrow, for its agents."""
    name = visit.path["name"]
    data = visit.services.keys.escrow.record(visit.principal, name, reading.version(visit))
    return visit.download(data, f"{name}.escrow.json", "application/json")


@pages.get("/{name}/recover", Permission.KEY_MANAGE)
def recover_form(visit: Visit) -> Response:
    view = _view(visit)
    record = _escrowed(visit, view.key.name)
    if record is None:
        raise NotFound(f"{view.key.name} is not in escrow", field="key", rule="escrow.none")
    return visit.render("console/keys/recover.html", key=view.key, record=record)


@pages.post("/{name}/recover", Permission.KEY_MANAGE, step_up=True)
def recover(visit: Visit) -> Response:
    form = visit.form
    shares = [" ".join(one.split()) for one in form.required("shares").split("\n\n")]
    lines = [line for one in shares for line in [one] if line]
    if len(lines) == 1:  # one share a line, without empty lines between them
        lines = [" ".join(one.split()) for one in form.text("shares").splitlines() if one.strip()]
    made = visit.services.keys.escrow.recover(
        visit.principal,
        visit.path["name"],
        lines,
        to=form.required("to"),
        version=reading.version(visit),
    )
    return visit.redirect(f"{PATH}/{made.key.name}", "Brought back from escrow.")


def _choices(visit: Visit, way: str, view: KeyView) -> dict[str, Any]:
    keys, who, name = visit.services.keys, visit.principal, view.key.name
    if way == "wrapped":
        under = keys.leaving.under(who, name)
        families = {key.kind.family for key in under}
        return {
            "under": [(key.name, f"{key.name} ({key.kind.value})") for key in under],
            "methods": [m for family, some in _METHODS.items() if family in families for m in some],
        }
    if way == "public":
        return {"methods": _METHODS[Family.RSA]}
    if way == "components":
        return {"holders": [(one, one) for one in keys.parts.holders(who, name)]}
    if way == "escrow":
        return {"record": _escrowed(visit, name)}
    return {}


def _escrowed(visit: Visit, name: str) -> dict[str, Any] | None:
    """How many agents of how many, and for each the thumbprint of its key."""
    try:
        found = visit.services.keys.escrow.record(visit.principal, name)
    except CAError:
        return None
    record: dict[str, Any] = msgspec.json.decode(found)
    import hashlib  # noqa: PLC0415 - for this page alone

    return {
        "version": record["version"],
        "threshold": record["threshold"],
        "agents": [
            hashlib.sha256(base64.b64decode(one["public_key"])).hexdigest()
            for one in record["agents"]
        ],
    }


def _closed(way: str, view: KeyView) -> str:
    """Why a key cannot leave that way; "": it can."""
    key = view.key
    if key.rules.exportability is Exportability.NONE:
        return "Its exportability is N: it never leaves.  That was fixed when it was made."
    if way == "public" and key.rules.exportability is Exportability.TRUSTED:
        return "Its exportability is E: it goes only under a wrapping key here that is trusted."
    if way == "file" and not key.rules.pkcs:
        return (
            "Its template did not allow PKCS#8 and PKCS#12 when it was made."
            if not key.kind.secret
            else "PKCS#8 and PKCS#12 hold private keys; this is a secret key."
        )
    if way == "components" and not key.kind.secret:
        return "Components are made of secret keys; this is a pair."
    return ""
