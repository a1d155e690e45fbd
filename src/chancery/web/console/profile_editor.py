"""The profile editor: a form by sections, with a preview that follows what is typed."""

from typing import Any, Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.profile import ExtensionProfile
from chancery.domain.validity import LeafAfterIssuer
from chancery.services.dry_run import DEFAULT_LAST, MAX_LAST
from chancery.services.preview import Preview
from chancery.services.profile_diff import said
from chancery.web.console import drafts, judging, profile_form
from chancery.web.console.profiles import HOME, MANAGE
from chancery.web.fields import Form
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire import documents

pages = Pages(HOME, section="profiles")
"""Before the other pages of profiles: no profile can be called ``_new``."""

_NEW: Final = f"{HOME}/_new"
_MAX_IMPORT: Final = 1_024 * 1_024
_BLANK: Final = ExtensionProfile(
    name="",
    key_algorithms=("rsa-3072", "rsa-4096", "ec-p256", "ec-p384"),
    extended_key_usage=("1.3.6.1.5.5.7.3.1",),
    dn_profile="any-subject",
)
SECTIONS: Final = (
    ("basics", "Basics"),
    ("keys", "Keys"),
    ("validity", "Validity"),
    ("usage", "Key usage"),
    ("purposes", "Purposes"),
    ("names", "Names"),
    ("constraints", "CA"),
    ("pointers", "CRL and OCSP"),
    ("policies", "Policies"),
    ("custom", "Other extensions"),
    ("requesters", "Requesters"),
)


@pages.get("/_new", MANAGE)
def new(visit: Visit) -> Response:
    """An empty form, or a copy of a profile (``copy``)."""
    base = _BLANK
    if name := visit.query.text("copy"):
        found = visit.services.profiles.show(visit.principal, name).profile
        base = _renamed(found)
    return _editor(visit, drafts.typed(visit, profile_form.pairs_of(base)))


@pages.post("/_new", MANAGE, step_up=True)
def create(visit: Visit) -> Response:
    profile = profile_form.profile_of(visit.form)
    known = {version.profile.name for version in visit.services.profiles.all(visit.principal)}
    if profile.name in known:
        raise BadRequest(
            f"there is a profile {profile.name}",
            field="profile.name",
            rule="profile.new",
            remedy="choose another name, or edit that one",
        )
    return _saved(visit, profile)


@pages.get("/_import", MANAGE)
def import_form(visit: Visit) -> Response:
    return visit.render("console/profiles/import.html")


@pages.post("/_import", MANAGE, max_body=_MAX_IMPORT)
def import_(visit: Visit) -> Response:
    """Fill the form from a document; nothing is saved yet."""
    upload = visit.form.file("file")
    data = upload.data if upload is not None else visit.form.required("document").encode()
    profile = read_profile(data)
    known = {version.profile.name for version in visit.services.profiles.all(visit.principal)}
    draft = drafts.show_instead(visit, profile_form.pairs_of(profile))
    return _editor(visit, draft, editing=profile.name if profile.name in known else "")


@pages.get("/{name}/edit", MANAGE)
def edit(visit: Visit) -> Response:
    """The form of the latest version, or of an older one to bring back (``version``)."""
    number = visit.query.number("version", least=1, most=2**31 - 1)
    name = visit.path["name"]
    found = visit.services.profiles.show(visit.principal, name, number)
    draft = drafts.typed(visit, profile_form.pairs_of(found.profile))
    return _editor(visit, draft, editing=name)


@pages.post("/{name}/edit", MANAGE, step_up=True)
def save(visit: Visit) -> Response:
    profile = profile_form.profile_of(visit.form)
    if profile.name != visit.path["name"]:
        raise BadRequest(
            "a profile keeps its name",
            field="profile.name",
            rule="profile.name",
            remedy="copy it to give it another",
        )
    return _saved(visit, profile)


@pages.post("/_draft", MANAGE)
def draft(visit: Visit) -> Response:
    """What a button of the form does that saves nothing: rows, preview, dry run."""
    what = visit.form.text("do")
    editing = visit.form.text("editing")
    if what in ("preview", "full"):
        return _editor(visit, visit.form, editing=editing, block="preview", full=what == "full")
    if what == "try":
        return _editor(visit, visit.form, editing=editing, block="trial", tried=True)
    visit.form, focus = drafts.with_rows_changed(visit.form, what, profile_form.FRESH)
    response = _editor(visit, visit.form, editing=editing, block="editor", focus=focus)
    return judging.look_again(response)


def read_profile(data: bytes) -> ExtensionProfile:
    """A profile's document, or the answer of the API that holds one."""
    found = documents.decode(dict[str, Any], data, "document")
    return documents.decode(ExtensionProfile, found.get("profile", found), "profile")


def _renamed(profile: ExtensionProfile) -> ExtensionProfile:
    document = documents.to_builtin(profile)
    assert isinstance(document, dict)
    return documents.decode(
        ExtensionProfile, document | {"name": f"{profile.name}-copy"}, "profile"
    )


def _saved(visit: Visit, profile: ExtensionProfile) -> Response:
    version = visit.services.profiles.put(
        visit.principal, profile, accept_risks=drafts.reasons(visit.form)
    )
    name = version.profile.name
    return visit.redirect(f"{HOME}/{name}", f"Version {version.version} of {name} is in force.")


def _editor(
    visit: Visit,
    values: Form,
    *,
    editing: str = "",
    block: str | None = None,
    focus: str = "",
    tried: bool = False,
    full: bool = False,
) -> Response:
    def read() -> ExtensionProfile:
        return profile_form.profile_of(values)

    def judge(profile: ExtensionProfile) -> Preview:
        return visit.services.policy.previews.profile(visit.principal, profile, full=full)

    preview = None
    if block != "trial" or not visit.partial:
        preview = judging.preview_of(read, judge)
    run, why_not = None, None
    if tried:
        last = values.number("last", DEFAULT_LAST, least=1, most=MAX_LAST) or DEFAULT_LAST
        like = values.text("like") or editing or None
        dry = visit.services.policy.dry_runs
        run, why_not = judging.trial_of(
            read, lambda p: dry.profile(visit.principal, p, like=like, last=last)
        )
    action = f"{HOME}/{editing}/edit" if editing else _NEW
    return visit.render(
        "console/profiles/edit.html",
        block=block,
        draft=values,
        editing=editing,
        action=action,
        focus=focus,
        preview=preview,
        former=judging.former_reasons(preview.risks) if preview else {},
        run=run,
        why_not=why_not,
        said=said,
        rows=lambda name: drafts.rows(values, name),
        sections=SECTIONS,
        options=_options(visit),
        tones=judging.TONES,
        words=judging.WORDS,
    )


def _options(visit: Visit) -> dict[str, Any]:
    names = [one.name for one in visit.services.profiles.dn_all(visit.principal)]
    profiles = [one.profile.name for one in visit.services.profiles.all(visit.principal)]
    return {
        "dn_profiles": names,
        "profiles": profiles,
        "keys": profile_form.KEYS,
        "usages": profile_form.USAGES,
        "purposes": profile_form.PURPOSES,
        "kinds": profile_form.KINDS,
        "choices": profile_form.CHOICES,
        "after_issuer": [
            (LeafAfterIssuer.TRUNCATE.value, "End it with its issuer"),
            (LeafAfterIssuer.REFUSE.value, "Refuse it"),
        ],
        "constraints": [
            ("leaf", "End entity: CA:FALSE"),
            ("ca", "CA: CA:TRUE"),
            ("none", "Leave the extension out"),
        ],
    }
