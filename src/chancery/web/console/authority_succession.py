"""Authorities through time: renewed, cross-signed, and approved by enough people."""

from datetime import UTC, datetime

from starlette.responses import Response

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadRequest
from chancery.web.console.authorities import MANAGE, READ
from chancery.web.console.authority_making import extensions
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages("/console/authorities", section="authorities")

_PENDING = "/console/authorities/_pending"


@pages.get("/{name}/renew", MANAGE)
def asked_to_renew(visit: Visit) -> Response:
    authority = visit.services.authorities.show(visit.principal, visit.path["name"])
    return visit.render(
        "console/authorities/renew.html",
        authority=authority,
        keys=[one.value for one in KeyAlgorithm],
        vaults=visit.services.authorities.vaults.names,
    )


@pages.post("/{name}/renew", MANAGE, step_up=True, form=asked_to_renew)
def renew(visit: Visit) -> Response:
    name, form = visit.path["name"], visit.form
    algorithm = form.text("key_algorithm")
    wanted = extensions(form)
    before = visit.services.authorities.show(visit.principal, name)
    after = visit.services.authorities.renew(
        visit.principal,
        name,
        new_key=form.flag("new_key"),
        key_algorithm=KeyAlgorithm(algorithm) if algorithm in list(KeyAlgorithm) else None,
        vault=form.text("vault") or None,
        takes_over=_day(form.text("takes_over")),
        extensions=wanted if wanted.days or wanted.path_length is not None else None,
    )
    if after.csr is not None:
        return visit.redirect(
            f"/console/authorities/{name}", "Take the new CSR to whoever certifies this CA."
        )
    if visit.services.authorities.coming(visit.principal, name) is not None:
        return visit.redirect(f"/console/authorities/{name}", "The new key takes over on its day.")
    if after.certificate == before.certificate:
        return visit.redirect(_PENDING, "The new certificate waits for approvals.", "info")
    return visit.redirect(f"/console/authorities/{name}", f"{name} has a new certificate.")


@pages.post("/{name}/cancel-takeover", MANAGE, step_up=True)
def cancel_takeover(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.authorities.cancel_takeover(visit.principal, name)
    return visit.redirect(f"/console/authorities/{name}", "Given up: the present key stays.")


def _day(text: str) -> int | None:
    """The first moment of that day, UTC."""
    if not text:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise BadRequest("this is no day", field="takes_over", remedy="2027-01-31") from None


@pages.get("/{name}/cross-sign", MANAGE)
def asked_to_cross_sign(visit: Visit) -> Response:
    authority = visit.services.authorities.show(visit.principal, visit.path["name"])
    return visit.render("console/authorities/cross.html", authority=authority)


@pages.post("/{name}/cross-sign", MANAGE, form=asked_to_cross_sign)
def cross_sign(visit: Visit) -> Response:
    name, form = visit.path["name"], visit.form
    files = [upload.data for upload in form.files("certificate") if upload.data]
    subject = files[0] if files else form.text("certificate_text").encode()
    if not subject:
        raise BadRequest(
            "no certificate was given", field="certificate", remedy="choose a file or paste PEM"
        )
    made = visit.services.authorities.cross_sign(visit.principal, name, subject, extensions(form))
    if made is None:
        return visit.redirect(_PENDING, "The cross-certificate waits for approvals.", "info")
    return visit.redirect(
        f"/console/certificates/{made.authority}/{made.serial}", "Cross-certified."
    )


@pages.get("/_pending", READ)
def pending(visit: Visit) -> Response:
    return visit.render(
        "console/authorities/pending.html",
        pending=visit.services.authorities.pending(visit.principal),
    )


@pages.post("/_pending/{id}/approve", MANAGE, step_up=True, form=pending)
def approve(visit: Visit) -> Response:
    """Exactly the certificate that was shown: its hash comes with the form."""
    made = visit.services.authorities.approve(
        visit.principal, visit.path["id"], visit.form.required("tbs_sha256")
    )
    words = "Approved; others must follow." if made is None else "Approved, signed and on record."
    return visit.redirect(_PENDING, words)


@pages.post("/_pending/{id}/reject", MANAGE, step_up=True, form=pending)
def reject(visit: Visit) -> Response:
    visit.services.authorities.reject(
        visit.principal, visit.path["id"], visit.form.required("reason")
    )
    return visit.redirect(_PENDING, "Given up: nothing was signed.")
