"""The form of a registration authority, and the switch that closes one."""

from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.registration import RegistrationAuthority
from chancery.services.dry_run import DEFAULT_LAST, MAX_LAST
from chancery.services.profile_diff import said
from chancery.web.console import drafts, judging, registration_form
from chancery.web.console.registrations import HOME, MANAGE, one
from chancery.web.fields import Form
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(HOME, section="registrations")
"""Before the other pages of registration authorities: none can be called ``_new``."""

_NEW: Final = f"{HOME}/_new"
_BLANK: Final = RegistrationAuthority(
    name="",
    profiles=(),
    authorities=(),
    approval_group="",
    approvals=1,
    anonymous=False,
    max_pending=1000,
)


@pages.get("/_new", MANAGE)
def new(visit: Visit) -> Response:
    """An empty form, or a copy of one (``copy``)."""
    base = _BLANK
    if name := visit.query.text("copy"):
        found = visit.services.ras.show(visit.principal, name)
        base = replace(found, name=f"{found.name}-copy")
    return _editor(visit, drafts.typed(visit, registration_form.pairs_of(base)))


@pages.post("/_new", MANAGE, step_up=True)
def create(visit: Visit) -> Response:
    ra = registration_form.ra_of(visit.form)
    if any(known.name == ra.name for known in visit.services.ras.all(visit.principal)):
        raise BadRequest(
            f"there is a registration authority {ra.name}",
            field="ra.name",
            rule="ra.new",
            remedy="choose another name, or edit that one",
        )
    return _saved(visit, ra)


@pages.get("/{name}/edit", MANAGE)
def edit(visit: Visit) -> Response:
    """The form of what is in force, or of an older version to bring back (``version``)."""
    number = visit.query.number("version", least=1, most=2**31 - 1)
    name, ras = visit.path["name"], visit.services.ras
    found = ras.show(visit.principal, name)
    if number is not None:
        found = ras.version(visit.principal, name, number)
    return _editor(visit, drafts.typed(visit, registration_form.pairs_of(found)), editing=name)


@pages.post("/{name}/edit", MANAGE, step_up=True)
def save(visit: Visit) -> Response:
    ra = registration_form.ra_of(visit.form)
    if ra.name != visit.path["name"]:
        raise BadRequest(
            "a registration authority keeps its name",
            field="ra.name",
            rule="ra.name",
            remedy="copy it to give it another",
        )
    return _saved(visit, ra)


@pages.post("/{name}/close", MANAGE, step_up=True, form=one)
def close(visit: Visit) -> Response:
    """Take nothing more in; what waits may still be decided."""
    return _switched(visit, disabled=True)


@pages.post("/{name}/open", MANAGE, step_up=True, form=one)
def open_(visit: Visit) -> Response:
    return _switched(visit, disabled=False)


@pages.post("/_draft", MANAGE)
def draft(visit: Visit) -> Response:
    """What a button of the form does that saves nothing: preview, dry run."""
    editing = visit.form.text("editing")
    if visit.form.text("do") == "try":
        return _editor(visit, visit.form, editing=editing, block="trial", tried=True)
    return _editor(visit, visit.form, editing=editing, block="preview")


def _switched(visit: Visit, *, disabled: bool) -> Response:
    """Its risks were answered for; the reasons of then go along."""
    name = visit.path["name"]
    ra = visit.services.ras.show(visit.principal, name)
    found = visit.services.policy.risks.ra(visit.principal, name)
    visit.services.ras.put(
        visit.principal,
        replace(ra, disabled=disabled),
        accept_risks=judging.former_reasons(found),
    )
    said_so = "takes no more requests." if disabled else "takes requests again."
    return visit.redirect(f"{HOME}/{name}", f"{name} {said_so}")


def _saved(visit: Visit, ra: RegistrationAuthority) -> Response:
    visit.services.ras.put(visit.principal, ra, accept_risks=drafts.reasons(visit.form))
    return visit.redirect(f"{HOME}/{ra.name}", f"{ra.name} is in force as you wrote it.")


def _editor(
    visit: Visit,
    values: Form,
    *,
    editing: str = "",
    block: str | None = None,
    tried: bool = False,
) -> Response:
    def read() -> RegistrationAuthority:
        return registration_form.ra_of(values)

    policy = visit.services.policy
    preview = None
    if block != "trial" or not visit.partial:
        preview = judging.preview_of(read, lambda ra: policy.previews.ra(visit.principal, ra))
    run, why_not = None, None
    if tried:
        last = values.number("last", DEFAULT_LAST, least=1, most=MAX_LAST) or DEFAULT_LAST
        run, why_not = judging.trial_of(
            read, lambda ra: policy.dry_runs.ra(visit.principal, ra, last=last)
        )
    return visit.render(
        "console/registrations/edit.html",
        block=block,
        draft=values,
        editing=editing,
        action=f"{HOME}/{editing}/edit" if editing else _NEW,
        focus="",
        preview=preview,
        former=judging.former_reasons(preview.risks) if preview else {},
        run=run,
        why_not=why_not,
        said=said,
        options=_options(visit),
        tones=judging.TONES,
        words=judging.WORDS,
    )


def _options(visit: Visit) -> dict[str, Any]:
    services, who = visit.services, visit.principal
    groups = []
    if visit.may(Permission.IDENTITY_READ):
        groups = [(g.name, g.name, g.description) for g in services.identity.groups.all(who)]
    authorities = [a for a in services.authorities.list(who) if not a.offline]
    return {
        "profiles": [
            (version.profile.name, version.profile.name, version.profile.description)
            for version in services.profiles.all(who)
        ],
        "authorities": [(a.name, a.name, a.subject.text) for a in authorities],
        "defaults": [(a.name, a.name) for a in authorities],
        "groups": groups,
        "approvers": [(name, name) for name, _, _ in groups],
        "events": registration_form.EVENTS,
    }
