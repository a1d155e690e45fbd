"""Certification authorities: the tree, one of them, and what is done with it."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from chancery.domain.authority import Authority, AuthorityState, CrlIdp
from chancery.domain.crl import MAX_SHARDS, CrlTrigger
from chancery.domain.errors import BadRequest, CAError
from chancery.domain.identity import Permission
from chancery.ports import CertificateFilter, Page
from chancery.services.authority import AuthorityChange
from chancery.web.fields import Form
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit
from chancery.wire import ca_certificate, crl, pem

READ, MANAGE = Permission.AUTHORITY_READ, Permission.AUTHORITY_MANAGE

pages = Pages(
    "/console/authorities",
    section="authorities",
    nav=Nav("Authorities", "binary-tree", 40, (READ,), group="Trust"),
)

_RECENT: Final = 8
_DAYS: Final = 30
_MAX_CRL: Final = 2_000_000
DAY_S: Final = 86_400


@pages.get("", READ)
def tree(visit: Visit) -> Response:
    authorities = visit.services.authorities.list(visit.principal)
    return visit.render(
        "console/authorities/tree.html",
        rows=list(_rows(authorities)),
        nodes=[_node(one, authorities, visit.now) for one in authorities],
        pending=visit.services.authorities.pending(visit.principal),
        containers=visit.services.authorities.containers(visit.principal),
    )


@pages.get("/{name}", READ)
def one(visit: Visit) -> Response:
    name = visit.path["name"]
    authority = visit.services.authorities.show(visit.principal, name)
    authorities = visit.services.authorities.list(visit.principal)
    current = _decoded(authority)
    reads = visit.may(Permission.CERTIFICATE_READ)
    recent = CertificateFilter(authority=name)
    return visit.render(
        "console/authorities/one.html",
        authority=authority,
        current=current,
        above=_above(authority, authorities),
        below=[other for other in authorities if other.parent == name],
        certificates=list(reversed(visit.services.authorities.certificates(visit.principal, name))),
        crl=_crl(visit, name),
        lists=[one for one in visit.services.status.crls(visit.principal, name) if one.part],
        points=[p for p in visit.services.attention.points(visit.principal) if p.about == name],
        ras=[ra for ra in visit.services.ras.all(visit.principal) if name in ra.authorities]
        if visit.may(Permission.RA_READ)
        else [],
        days=visit.services.figures.series(visit.principal, _DAYS, ca=name) if reads else [],
        recent=visit.services.certificates.find(visit.principal, recent, Page(limit=_RECENT))
        if reads
        else [],
        expired=current is not None and current.not_after <= visit.now,
        signs=authority.key_id is not None and not authority.offline,
        vault=visit.services.authorities.vault_of(authority),
    )


TRIGGERS: Final = (
    (CrlTrigger.ALL, "the full CRL and the delta"),
    (CrlTrigger.DELTA, "only the delta"),
)


@pages.get("/{name}/edit", MANAGE)
def editing(visit: Visit) -> Response:
    authority = visit.services.authorities.show(visit.principal, visit.path["name"])
    return visit.render(
        "console/authorities/edit.html",
        authority=authority,
        idps=[one.value for one in CrlIdp],
        triggers=TRIGGERS,
    )


@pages.post("/{name}/edit", MANAGE, step_up=True, form=editing)
def edit(visit: Visit) -> Response:
    name, form = visit.path["name"], visit.form
    authority = visit.services.authorities.show(visit.principal, name)
    wanted: dict[str, Any] = {"silo": form.text("silo"), "region": form.text("region")}
    wanted |= crl_choices(form) | crl_lists(form)
    if wanted["crl_shards"] == (authority.crl_shards[-1] if authority.crl_shards else 0):
        wanted["crl_shards"] = authority.crl_shards
    given = {field: new for field, new in wanted.items() if new != getattr(authority, field)}
    visit.services.authorities.edit(visit.principal, name, AuthorityChange(**given))
    return visit.redirect(f"/console/authorities/{name}", "Saved.")


@pages.post("/{name}/crl", Permission.CRL_ISSUE, form=one)
def issue_crl(visit: Visit) -> Response:
    name = visit.path["name"]
    made = visit.services.status.issue_crl(visit.principal, name)
    return visit.redirect(f"/console/authorities/{name}", f"CRL {made.number} is published.")


@pages.post("/{name}/crl/upload", Permission.CRL_ISSUE, form=one, max_body=_MAX_CRL)
def upload_crl(visit: Visit) -> Response:
    """A CRL from the ceremony of an offline CA: PEM or DER."""
    name = visit.path["name"]
    upload = visit.form.file("crl")
    if upload is None or not upload.data:
        raise BadRequest("no CRL was given", field="crl", remedy="choose the file of the ceremony")
    data = upload.data
    if not pem.is_der(data):
        _, data = pem.decode(data, ("X509 CRL",), _MAX_CRL)
    made = visit.services.status.accept_crl(visit.principal, name, data)
    return visit.redirect(f"/console/authorities/{name}", f"CRL {made.number} is published.")


@pages.post("/{name}/disable", MANAGE, step_up=True, form=one)
def disable(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.authorities.disable(visit.principal, name)
    return visit.redirect(
        f"/console/authorities/{name}",
        f"{name} issues nothing from now on. It still answers for what it issued.",
        "warning",
    )


@pages.post("/{name}/enable", MANAGE, step_up=True, form=one)
def enable(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.authorities.enable(visit.principal, name)
    return visit.redirect(f"/console/authorities/{name}", f"{name} issues again.")


@pages.post("/{name}/delete", MANAGE, step_up=True, form=one)
def delete(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.authorities.remove(visit.principal, name)
    return visit.redirect("/console/authorities", f"{name} is gone: it never had a certificate.")


def crl_choices(form: Form) -> dict[str, Any]:
    """What a form says about the CRLs of a CA, in the words of the service."""
    hours = form.number("crl_every_h", 24, least=1, most=24 * 365)
    days = form.number("crl_lifetime_d", 7, least=1, most=3650)
    assert hours is not None
    assert days is not None
    return {
        "crl_every_s": hours * 3600,
        "crl_lifetime_s": days * DAY_S,
        "crl_idp": CrlIdp(form.text("crl_idp", CrlIdp.NONE.value)),
        "crl_urls": tuple(form.text("crl_urls").split()),
    }


def crl_lists(form: Form) -> dict[str, Any]:
    """Which CRLs a form asks for beside the full one."""

    def number(name: str, most: int) -> int:
        return form.number(name, 0, least=0, most=most) or 0

    return {
        "crl_delta_every_s": number("crl_delta_every_m", 60 * 24 * 365) * 60,
        "crl_on_revocation": CrlTrigger(form.text("crl_on_revocation", CrlTrigger.ALL.value)),
        "crl_jitter_s": number("crl_jitter_m", 60 * 24 * 365) * 60,
        "crl_shards": number("crl_shards", MAX_SHARDS),
        "crl_ca_list": bool(form.text("crl_ca_list")),
        "crl_keep_expired": bool(form.text("crl_keep_expired")),
        "crl_indirect": tuple(form.text("crl_indirect").split()),
    }


def _decoded(authority: Authority) -> ca_certificate.CaCertificate | None:
    return ca_certificate.decode(authority.certificate) if authority.certificate else None


def _crl(visit: Visit, name: str) -> Any:
    try:
        return crl.decode(visit.services.status.latest_crl(name))
    except CAError:
        return None


def _above(authority: Authority, authorities: Sequence[Authority]) -> list[Authority]:
    """The authorities over it, the root first."""
    by_name = {one.name: one for one in authorities}
    found: list[Authority] = []
    parent = by_name.get(authority.parent or "")
    while parent is not None and parent not in found:
        found.append(parent)
        parent = by_name.get(parent.parent or "")
    return found[::-1]


def _rows(authorities: Sequence[Authority]) -> "list[tuple[int, Authority, Any]]":
    """(depth, authority, its certificate): each below its parent."""
    known = {one.name for one in authorities}
    rows: list[tuple[int, Authority, Any]] = []

    def below(parent: str | None, depth: int) -> None:
        for one in sorted(authorities, key=lambda a: a.name):
            over = one.parent if one.parent in known else None
            if over == parent and all(one is not row[1] for row in rows):
                rows.append((depth, one, _decoded(one)))
                below(one.name, depth + 1)

    below(None, 0)
    return rows


def _node(authority: Authority, authorities: Sequence[Authority], now: int) -> dict[str, Any]:
    """What the picture shows of one authority."""
    current = _decoded(authority)
    known = {one.name for one in authorities}
    if authority.state is not AuthorityState.ACTIVE:
        tone = "idle" if authority.state is AuthorityState.DISABLED else "warn"
    elif current is None or current.not_after <= now:
        tone = "bad"
    else:
        tone = "warn" if current.not_after - now < 90 * DAY_S else "good"
    ends = current.not_after if current else None
    return {
        "name": authority.name,
        "parent": authority.parent if authority.parent in known else None,
        "key": authority.key_algorithm.value,
        "ends": ends,
        "offline": authority.offline,
        "state": authority.state.value,
        "tone": tone,
    }
