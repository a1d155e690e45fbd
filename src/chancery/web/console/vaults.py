"""Vaults: health, tokens, sessions, which keys and authorities; and trials of them."""

from typing import Any

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.vaults import Probe
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/vaults",
    section="vaults",
    nav=Nav("Vaults", "shield-lock", 45, (Permission.AUTHORITY_READ,), group="Trust"),
)
READ, MANAGE = Permission.AUTHORITY_READ, Permission.AUTHORITY_MANAGE


@pages.get("", READ)
def overview(visit: Visit) -> Response:
    return visit.render(
        "console/vaults/list.html", vaults=visit.services.vaults.all(visit.principal)
    )


@pages.get("/{name}", READ)
def one(visit: Visit) -> Response:
    return _shown(visit)


@pages.post("/{name}/test", MANAGE, form=one)
def test(visit: Visit) -> Response:
    return _shown(visit, visit.services.vaults.test(visit.principal, visit.path["name"]))


@pages.post("/{name}/self-test", MANAGE, form=one)
def self_test(visit: Visit) -> Response:
    return _shown(visit, visit.services.vaults.self_test(visit.principal))


def _shown(visit: Visit, probes: Any = ()) -> Response:
    found: list[Probe] = list(probes)
    return visit.render(
        "console/vaults/one.html",
        vault=visit.services.vaults.show(visit.principal, visit.path["name"]),
        probes=found,
    )
