"""Offline CAs: who holds what shares, who is needed, and bundles that are out to be signed."""

from typing import Final

from starlette.responses import Response

from chancery.domain.custody import BundleState
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.services.custody import CrlWanted
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

MANAGE: Final = Permission.AUTHORITY_MANAGE
READ: Final = (Permission.AUTHORITY_MANAGE, Permission.AUDIT_READ)
PATH: Final = "/console/custody"
_MAX_ANSWER: Final = 256 * 1024  # octets

pages = Pages(PATH, section="custody", nav=Nav("Custody", "key", 46, READ, group="Trust"))


@pages.get("", *READ)
def overview(visit: Visit) -> Response:
    services, who = visit.services, visit.principal
    asked = paging.asked(visit.query)
    rows = services.bundles.find(who, None, asked.cursor, asked.limit)
    page = paging.paged(PATH, visit.query, rows, key=lambda one: one.id)
    sets = services.custody.sets(who)
    people = services.custody.custodians(who)
    offline = [
        one.name
        for one in services.authorities.list(who)
        if one.certificate is not None and one.key_id is None
    ]
    return visit.render(
        "console/custody/overview.html",
        block="results",
        seal=services.custody.seal(who),
        sets=sets,
        people=people,
        needed={one.digest: _needed(one.share_set.threshold) for one in sets},
        waiting=services.bundles.waiting(who),
        offline=offline,
        page=page,
    )


@pages.post("/custodians", MANAGE, step_up=True, form=overview)
def put(visit: Visit) -> Response:
    form = visit.form
    name = form.required("name")
    visit.services.custody.put(
        visit.principal, name, form.text("full_name"), form.raw("recipient").strip()
    )
    return visit.redirect(PATH, f"{name} is on record.")


@pages.post("/custodians/{name}/retire", MANAGE, step_up=True, form=overview)
def retire(visit: Visit) -> Response:
    gone = visit.services.custody.retire(visit.principal, visit.path["name"])
    return visit.redirect(PATH, f"{gone.name} is no custodian any more.", "info")


@pages.post("/sets", MANAGE, form=overview, max_body=_MAX_ANSWER)
def record(visit: Visit) -> Response:
    made = visit.services.custody.record(visit.principal, _file(visit, "document").decode())
    return visit.redirect(PATH, f"Set {made.share_set.id} is on record.")


@pages.post("/bundles", MANAGE, form=overview)
def export(visit: Visit) -> Response:
    crls = [CrlWanted(name) for name in visit.form.all("crl")]
    made = visit.services.bundles.export(visit.principal, visit.form.all("ca"), crls)
    return visit.redirect(f"{PATH}/bundles/{made.id}", "The bundle is made.")


@pages.post("/bundles/import", MANAGE, step_up=False, form=overview, max_body=_MAX_ANSWER)
def import_(visit: Visit) -> Response:
    key = visit.form.raw("key")
    done = visit.services.bundles.import_(visit.principal, _file(visit, "answer"), key)
    return visit.redirect(f"{PATH}/bundles/{done.id}", "Everything in the answer was taken in.")


@pages.get("/bundles/{id}", *READ)
def bundle(visit: Visit) -> Response:
    found = visit.services.bundles.show(visit.principal, visit.path["id"])
    return visit.render(
        "console/custody/bundle.html", bundle=found, open=found.state is BundleState.OPEN
    )


@pages.get("/bundles/{id}/file", *READ)
def file(visit: Visit) -> Response:
    data = visit.services.bundles.file(visit.principal, visit.path["id"])
    return visit.download(data, f"bundle-{visit.path['id']}.json", "application/json")


@pages.post("/bundles/{id}/withdraw", MANAGE, form=bundle)
def withdraw(visit: Visit) -> Response:
    visit.services.bundles.withdraw(visit.principal, visit.path["id"])
    return visit.redirect(PATH, "The bundle is withdrawn: an answer to it is refused.", "info")


def _needed(threshold: int) -> str:
    return f"any {threshold} of them"


def _file(visit: Visit, name: str) -> bytes:
    data: bytes = next((one.data for one in visit.form.files(name) if one.data), b"")
    if not data:
        raise BadRequest("no file was chosen", field=name, rule="required", remedy="choose one")
    return data
