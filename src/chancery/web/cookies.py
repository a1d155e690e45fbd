"""The cookies of the web faces.  All are ``__Host-``: no other host, no plain HTTP can set them.

SameSite=Lax, so that a link in a mail finds the reader signed in; what changes
anything is a POST, and carries a token besides.
"""

import re
import secrets
from typing import Final

from chancery.services.identity.sessions import COOKIE

SESSION: Final = COOKIE
FORM: Final = "__Host-chancery-form"  # ties the forms of somebody who has no session to a browser
CODES: Final = "__Host-chancery-codes"  # what opens a stranger's requests, while the browser runs
FLOW: Final = "__Host-chancery-provider"  # finds the sign-in that is at a provider
NOTICE: Final = "__Host-chancery-notice"  # one notice, to be shown on the next page
_FORM_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX: Final = 4096  # octets of the Cookie field that are looked at


def parse(field: str) -> dict[str, str]:
    """Return the cookies of ours in a Cookie field; the first of one name counts."""
    found: dict[str, str] = {}
    for part in field[:_MAX].split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and name in (SESSION, FORM, CODES, FLOW, NOTICE):
            found.setdefault(name, value)
    return found


def header(name: str, value: str, *, lasts_s: int | None = None) -> str:
    """Return a Set-Cookie field; without *lasts_s* the browser forgets it at its end."""
    age = "" if lasts_s is None else f"; Max-Age={lasts_s}"
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}"


def new_form_token() -> str:
    return secrets.token_urlsafe(32)


def is_form_token(text: str) -> bool:
    return _FORM_TOKEN.fullmatch(text) is not None
