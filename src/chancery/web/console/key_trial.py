"""Trying a key: encrypt, decrypt, encrypt anew, sign, verify, MAC; and random octets."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission
from chancery.domain.managed_key import Family, KeyUse, ManagedKey
from chancery.web.console import key_reading as reading
from chancery.web.console.keys import PATH
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(PATH, section="keys")
_TRIALS: Final = (
    ("encrypt", "Encrypt", KeyUse.ENCRYPT),
    ("decrypt", "Decrypt", KeyUse.DECRYPT),
    ("rewrap", "Encrypt anew", KeyUse.DECRYPT),
    ("sign", "Sign", KeyUse.SIGN),
    ("verify", "Verify", KeyUse.VERIFY),
    ("mac", "MAC", KeyUse.MAC),
    ("check", "Check a MAC", KeyUse.MAC),
)


def trials(key: ManagedKey) -> list[tuple[str, str]]:
    """What can be tried with a key, by its uses and its kind."""
    found = []
    for name, title, use in _TRIALS:
        if name in {"encrypt", "decrypt", "rewrap"} and key.kind.family is not Family.AES:
            continue
        if name == "verify" and key.kind.secret:
            continue
        if use in key.rules.uses or (name == "check" and KeyUse.VERIFY in key.rules.uses):
            found.append((name, title))
    return found


@pages.get("/_random", Permission.KEY_USE)
def random(visit: Visit) -> Response:
    return visit.render("console/keys/random.html", data="")


@pages.post("/_random", Permission.KEY_USE)
def draw(visit: Visit) -> Response:
    count = visit.form.number("count", 32, least=1, most=4_096) or 32
    data = visit.services.keys.using.random(visit.principal, count)
    return visit.render("console/keys/random.html", data=data.hex())


@pages.get("/{name}/try/{what}", Permission.KEY_USE)
def trial(visit: Visit) -> Response:
    return _shown(visit)


@pages.post("/{name}/try/{what}", Permission.KEY_USE, form=trial)
def attempt(visit: Visit) -> Response:
    """Do it, and show what came of it on the page that asked."""
    do = _DO.get(visit.path["what"])
    if do is None:
        raise _nothing(visit.path["what"])
    return _shown(visit, do(visit))


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of a trial: a text with a title, or whether something is *good*."""

    title: str = ""
    text: str = ""
    good: bool | None = None


def _encrypt(visit: Visit) -> Shown:
    made = visit.services.keys.using.encrypt(
        visit.principal, visit.path["name"], _data(visit), _aad(visit)
    )
    return Shown("Ciphertext", made)


def _decrypt(visit: Visit) -> Shown:
    form = visit.form
    plain, number = visit.services.keys.using.decrypt(
        visit.principal,
        visit.path["name"],
        form.required("ciphertext"),
        _aad(visit),
        form.text("despite"),
    )
    return Shown(f"Plain text, by version {number}", _text(plain))


def _rewrap(visit: Visit) -> Shown:
    form, name = visit.form, visit.path["name"]
    made = visit.services.keys.using.rewrap(
        visit.principal, name, form.required("ciphertext"), _aad(visit), form.text("to")
    )
    return Shown("New ciphertext", made)


def _sign(visit: Visit) -> Shown:
    made = visit.services.keys.using.sign(
        visit.principal, visit.path["name"], _data(visit), visit.form.text("algorithm")
    )
    title = f"Signature, {made.algorithm}, version {made.version}"
    return Shown(title, base64.b64encode(made.data).decode())


def _verify(visit: Visit) -> Shown:
    good = visit.services.keys.using.verify(
        visit.principal,
        visit.path["name"],
        _data(visit),
        _base64(visit, "signature"),
        visit.form.text("algorithm"),
        reading.version(visit),
    )
    return Shown(good=good)


def _mac(visit: Visit) -> Shown:
    made = visit.services.keys.using.mac(visit.principal, visit.path["name"], _data(visit))
    return Shown(f"MAC, {made.algorithm}, version {made.version}", made.data.hex())


def _check(visit: Visit) -> Shown:
    given = reading.octets(visit.form.required("mac"), "mac")
    good = visit.services.keys.using.check_mac(
        visit.principal, visit.path["name"], _data(visit), given, reading.version(visit)
    )
    return Shown(good=good)


_DO: Final[Mapping[str, Callable[[Visit], Shown]]] = {
    "encrypt": _encrypt,
    "decrypt": _decrypt,
    "rewrap": _rewrap,
    "sign": _sign,
    "verify": _verify,
    "mac": _mac,
    "check": _check,
}


def _data(visit: Visit) -> bytes:
    return visit.form.raw("data").encode()


def _aad(visit: Visit) -> bytes:
    return visit.form.text("aad").encode()


def _shown(visit: Visit, made: Shown = Shown()) -> Response:
    what = visit.path["what"]
    view = visit.services.keys.life.show(visit.principal, visit.path["name"])
    key = view.key
    possible = trials(key)
    if what not in {name for name, _ in possible}:
        raise _nothing(what)
    pair = not key.kind.secret
    return visit.render(
        "console/keys/trial.html",
        key=key,
        what=what,
        trials=possible,
        made=made,
        algorithms=[one.value for one in SIGNATURES_OF[KeyAlgorithm(key.kind.value)]]
        if pair
        else [],
        versions=reading.versions_offered(view, visit.now),
    )


def _nothing(what: str) -> NotFound:
    return NotFound(f"this key does not {what[:20]}", field="what", rule="key.use")


def _text(plain: bytes) -> str:
    """As text if it is some, else in hex."""
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return plain.hex()


def _base64(visit: Visit, name: str) -> bytes:
    try:
        return base64.b64decode(visit.form.required(name), validate=True)
    except ValueError:
        raise BadRequest("this is not base64", field=name, rule="base64") from None
