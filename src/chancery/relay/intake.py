"""What is taken in while the centre is away: read and checked as far as that goes without it."""

import base64
import json
import secrets
from base64 import b32encode
from collections.abc import Mapping
from typing import Any, Final

from chancery.api.submission import decode
from chancery.domain.errors import BadRequest
from chancery.services.portal.wishes import name_of
from chancery.web.fields import Form
from chancery.web.portal.intake import Brought, brought
from chancery.wire import pem, pkcs10

MAX_FILES: Final = 50
"""Requests at once."""
_SUBJECT: Final = "subject."

Item = Mapping[str, Any]


def new_code() -> str:
    """80 random bits, in four groups that can be read aloud: a request code like every other."""
    text = b32encode(secrets.token_bytes(10)).decode()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def of_program(body: bytes, authorization: str | None, key: str | None) -> tuple[Item, ...]:
    """A body of ``POST /api/v1/requests``; raises what is wrong with it already."""
    if authorization is not None and authorization[:7].lower() != "bearer ":
        raise BadRequest(
            "the central instance is away, and a password is kept nowhere",
            field="authorization",
            rule="queue.token",
            remedy="use an API token, or try again later",
        )
    if key is not None and authorization is None:
        raise BadRequest(
            "an Idempotency-Key needs a signed-in account",
            field="idempotency-key",
            rule="idempotency.account",
            remedy="leave the field out, or send a token",
        )
    submission = decode(body)
    if submission.csr is not None:
        _checked(submission.csr)
    return (json.loads(body),)


def of_form(form: Form) -> tuple[Item, ...]:
    """What the portal's form brings: a CSR or many, or the wish for a key that is made here."""
    ra, _, profile = form.required("profile").partition("/")
    subject = {
        name.removeprefix(_SUBJECT): value.strip()
        for name, value in form.pairs()
        if name.startswith(_SUBJECT) and value.strip()
    }
    common: dict[str, Any] = {"profile": profile, "ra": ra, "note": form.text("note")}
    if subject:
        common["subject"] = subject
    if (kind := form.text("server_key")) and not form.all("csr"):
        names = [name_of(name).text for name in form.text("names").replace(",", " ").split()]
        return ({**common, "server_key": kind, "names": names},)
    return tuple({**common, "csr": _text(one)} for one in brought(form, MAX_FILES))


def _text(one: Brought) -> str:
    _checked(one.data)
    if pem.is_der(one.data):
        return base64.b64encode(one.data).decode()
    return one.data.decode("utf-8", "replace")


def _checked(csr: bytes) -> None:
    """Raise BadCSR for what nobody could issue: better said now than found under the receipt."""
    pkcs10.check_signature(pkcs10.decode(csr))
