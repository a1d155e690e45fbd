"""Revoking everything that a search finds: preview, reason, confirmation; then an operation."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.ports import CertificateFilter
from chancery.services.operations import Seen
from chancery.services.operations.selection import to_plain
from chancery.web.console import reasons
from chancery.web.console.certificate import invalidity_date
from chancery.web.console.certificates import PATH, standing, understood
from chancery.web.console.content import called
from chancery.web.fields import Form
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire import documents

pages = Pages(PATH, section="certificates")

_ACT: Final = f"{PATH}/revoke-many"
_LABELS: Final = {
    "authority": "Issuing CA",
    "profile": "Profile",
    "requester": "Requester",
    "subject": "Subject",
    "name": "Name",
    "serial": "Serial number",
    "sha256": "Fingerprint",
    "key_sha256": "Key",
    "request_id": "Request",
    "status": "State",
    "expires_after": "Ends after",
    "expires_before": "Ends before",
}


@pages.get("/revoke-many", Permission.CERTIFICATE_REVOKE)
def look(visit: Visit) -> Response:
    """What would be revoked: how many, of which CAs and profiles, and some of them."""
    where = _filter(visit.form) if visit.method == "POST" else understood(visit, visit.query).where
    preview = visit.services.operations.preview(visit.principal, where)
    given = to_plain(where)
    return visit.render(
        "console/certificates/revoke_many.html",
        preview=preview,
        filter=json.dumps(given),
        conditions=[
            (label, given[name], name.startswith("expires_"))
            for name, label in _LABELS.items()
            if name in given
        ],
        cli=_command(given),
        options=[(name, title, text) for name, (title, text) in reasons.REASONS.items()],
        standing=standing,
        called=called,
        back=PATH + ("?" + visit.url.partition("?")[2] if "?" in visit.url else ""),
    )


@pages.post("/revoke-many", Permission.CERTIFICATE_REVOKE, step_up=True)
def revoke(visit: Visit) -> Response:
    """Begin; the page of the operation shows how it goes on."""
    form = visit.form
    seen = Seen(
        form.number("as_of", 0, most=10**15) or 0,
        form.number("count", 0) or 0,
        form.required("sha256", "what the page showed"),
    )
    if form.number("confirm", -1) != seen.count:
        raise BadRequest(
            f"there are {seen.count} certificates",
            field="confirm",
            rule="operation.confirm",
            remedy=f"type {seen.count} if you mean all of them",
        )
    operation = visit.services.operations.revoke(
        visit.principal,
        _filter(form),
        reasons.chosen(form),
        seen,
        comment=form.text("comment"),
        invalidity_date=invalidity_date(form),
    )
    return visit.redirect(f"/console/operations/{operation.id}", "It has begun.")


def _command(given: Mapping[str, Any]) -> str:
    options = (f"--{name.replace('_', '-')} {shlex.quote(str(given[name]))}" for name in given)
    return " ".join(("chancery certificate revoke-matching", *options, "--reason superseded"))


def _filter(form: Form) -> CertificateFilter:
    """The conditions of the preview, exactly: a window of days has moved on since."""
    text = form.required("filter", "what the page showed")
    return documents.decode(CertificateFilter, text.encode(), "filter")
