"""OCSP: who answers for each key, until when, and what each authority's answers say."""

from typing import Final

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.status import OcspPolicy, SignedRequests, Unissued
from chancery.web.fields import Form
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

PATH: Final = "/console/ocsp"
_DAY_S: Final = 86_400
_UNISSUED: Final = (
    (Unissued.UNKNOWN.value, "unknown"),
    (Unissued.REVOKED.value, "revoked, with the extended-revoke extension"),
)
_REQUESTS: Final = (
    (SignedRequests.IGNORE.value, "are not looked at"),
    (SignedRequests.VERIFY.value, "must be good where there are any"),
    (SignedRequests.REQUIRE.value, "are demanded"),
)

pages = Pages(
    PATH,
    section="ocsp",
    nav=Nav("OCSP", "activity", 49, (Permission.AUTHORITY_READ,), group="Trust"),
)


@pages.get("", Permission.AUTHORITY_READ)
def standing(visit: Visit) -> Response:
    rows = visit.services.status.responders(visit.principal)
    return visit.render("console/ocsp/list.html", rows=rows)


@pages.get("/{name}", Permission.AUTHORITY_READ)
def one(visit: Visit) -> Response:
    name, status = visit.path["name"], visit.services.status
    policy = status.ocsp_policies.get(visit.principal, name)
    return visit.render(
        "console/ocsp/one.html",
        name=name,
        policy=policy,
        archive_days=(policy.archive_s or 0) // _DAY_S,
        rows=[row for row in status.responders(visit.principal) if row.authority == name],
        unissued=_UNISSUED,
        requests=_REQUESTS,
    )


@pages.post("/{name}", Permission.AUTHORITY_MANAGE, step_up=True, form=one)
def choose(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.status.ocsp_policies.put(visit.principal, name, _policy(visit.form))
    return visit.redirect(f"{PATH}/{name}", "Saved: answers follow within two seconds.")


def _policy(form: Form) -> OcspPolicy:
    days = form.number("archive_s", 0, least=0, most=36_500) or 0
    return OcspPolicy(
        Unissued(form.text("unissued", Unissued.UNKNOWN.value)),
        days * _DAY_S or None,
        SignedRequests(form.text("requests", SignedRequests.IGNORE.value)),
    )
