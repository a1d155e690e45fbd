"""The DN profile editor: a row for each attribute of the subject."""

from typing import Any, Final

from starlette.responses import Response

from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import BadRequest
from chancery.services.dry_run import DEFAULT_LAST, MAX_LAST
from chancery.services.profile_diff import said
from chancery.web.console import dn_profile_form, drafts, judging
from chancery.web.console.dn_profiles import HOME, MANAGE
from chancery.web.fields import Form
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire import documents

pages = Pages(HOME, section="dn-profiles")
"""Before the other pages of DN profiles: none can be called ``_new``."""

_NEW: Final = f"{HOME}/_new"
_MAX_IMPORT: Final = 1_024 * 1_024


@pages.get("/_new", MANAGE)
def new(visit: Visit) -> Response:
    """An empty form, or a copy of a DN profile (``copy``)."""
    pairs = [(f"{dn_profile_form.LIST}[0].{leaf}", v) for leaf, v in _first_row()]
    if name := visit.query.text("copy"):
        found = visit.services.profiles.dn_show(visit.principal, name)
        pairs = dn_profile_form.pairs_of(found)
        pairs[0] = ("dn_profile.name", f"{name}-copy")
    return _editor(visit, drafts.typed(visit, pairs))


@pages.post("/_new", MANAGE, step_up=True)
def create(visit: Visit) -> Response:
    profile = dn_profile_form.profile_of(visit.form)
    if profile.name in _names(visit):
        raise BadRequest(
            f"there is a DN profile {profile.name}",
            field="dn_profile.name",
            rule="dn-profile.new",
            remedy="choose another name, or edit that one",
        )
    return _saved(visit, profile)


@pages.get("/_import", MANAGE)
def import_form(visit: Visit) -> Response:
    return visit.render("console/dn_profiles/import.html")


@pages.post("/_import", MANAGE, max_body=_MAX_IMPORT)
def import_(visit: Visit) -> Response:
    """Fill the form from a document; nothing is saved yet."""
    upload = visit.form.file("file")
    data = upload.data if upload is not None else visit.form.required("document").encode()
    profile = documents.decode(DnProfile, data, "dn_profile")
    draft = drafts.show_instead(visit, dn_profile_form.pairs_of(profile))
    return _editor(visit, draft, editing=profile.name if profile.name in _names(visit) else "")


@pages.get("/{name}/edit", MANAGE)
def edit(visit: Visit) -> Response:
    """The form of what is in force, or of an older version to bring back (``version``)."""
    number = visit.query.number("version", least=1, most=2**31 - 1)
    name, profiles = visit.path["name"], visit.services.profiles
    found = profiles.dn_show(visit.principal, name)
    if number is not None:
        found = profiles.dn_version(visit.principal, name, number)
    draft = drafts.typed(visit, dn_profile_form.pairs_of(found))
    return _editor(visit, draft, editing=name)


@pages.post("/{name}/edit", MANAGE, step_up=True)
def save(visit: Visit) -> Response:
    profile = dn_profile_form.profile_of(visit.form)
    if profile.name != visit.path["name"]:
        raise BadRequest(
            "a DN profile keeps its name",
            field="dn_profile.name",
            rule="dn-profile.name",
            remedy="copy it to give it another",
        )
    return _saved(visit, profile)


@pages.post("/_draft", MANAGE)
def draft(visit: Visit) -> Response:
    """What a button of the form does that saves nothing: rows, preview, dry run."""
    what, editing = visit.form.text("do"), visit.form.text("editing")
    if what == "preview":
        return _editor(visit, visit.form, editing=editing, block="preview")
    if what == "try":
        return _editor(visit, visit.form, editing=editing, block="trial", tried=True)
    visit.form, focus = drafts.with_rows_changed(visit.form, what, dn_profile_form.FRESH)
    response = _editor(visit, visit.form, editing=editing, block="editor", focus=focus)
    return judging.look_again(response)


def _first_row() -> drafts.Row:
    return [*dn_profile_form.FRESH[dn_profile_form.LIST], ("required", "on")]


def _names(visit: Visit) -> set[str]:
    return {one.name for one in visit.services.profiles.dn_all(visit.principal)}


def _saved(visit: Visit, profile: DnProfile) -> Response:
    reasons = drafts.reasons(visit.form)
    visit.services.profiles.dn_put(visit.principal, profile, accept_risks=reasons)
    return visit.redirect(f"{HOME}/{profile.name}", f"{profile.name} is in force as you wrote it.")


def _editor(
    visit: Visit,
    values: Form,
    *,
    editing: str = "",
    block: str | None = None,
    focus: str = "",
    tried: bool = False,
) -> Response:
    def read() -> DnProfile:
        return dn_profile_form.profile_of(values)

    within = values.text("within") or None
    policy = visit.services.policy
    preview = None
    if block != "trial" or not visit.partial:
        preview = judging.preview_of(
            read, lambda p: policy.previews.dn_profile(visit.principal, p, within=within)
        )
    run, why_not = None, None
    if tried:
        last = values.number("last", DEFAULT_LAST, least=1, most=MAX_LAST) or DEFAULT_LAST
        run, why_not = judging.trial_of(
            read, lambda p: policy.dry_runs.dn_profile(visit.principal, p, last=last)
        )
    return visit.render(
        "console/dn_profiles/edit.html",
        block=block,
        draft=values,
        editing=editing,
        action=f"{HOME}/{editing}/edit" if editing else _NEW,
        focus=focus,
        preview=preview,
        former=judging.former_reasons(preview.risks) if preview else {},
        run=run,
        why_not=why_not,
        said=said,
        rows=lambda name: drafts.rows(values, name),
        options=_options(visit),
        tones=judging.TONES,
        words=judging.WORDS,
    )


def _options(visit: Visit) -> dict[str, Any]:
    profiles = [one.profile.name for one in visit.services.profiles.all(visit.principal)]
    return {
        "profiles": profiles,
        "kinds": dn_profile_form.KINDS,
        "sources": dn_profile_form.SOURCES,
        "syntaxes": dn_profile_form.SYNTAXES,
        "uniqueness": dn_profile_form.UNIQUENESS,
        "list": dn_profile_form.LIST,
    }
