"""DN profiles: the list, one of them, its versions, its document.

The form is in ``dn_profile_editor``.
"""

from collections import defaultdict

from starlette.responses import Response

from chancery.domain.dn_profile import DnProfile
from chancery.domain.identity import Permission
from chancery.services.profile_diff import Change, differences, said
from chancery.web.console import judging
from chancery.web.console.dn_profile_form import short
from chancery.web.console.judging import as_json
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

READ = Permission.PROFILE_READ
MANAGE = Permission.PROFILE_MANAGE
HOME = "/console/dn-profiles"

pages = Pages(
    HOME,
    section="dn-profiles",
    nav=Nav("DN profiles", "id-badge-2", 51, (READ,), group="Trust"),
)


@pages.get("", READ)
def found(visit: Visit) -> Response:
    wanted = visit.query.text("q").lower()
    every = visit.services.profiles.dn_all(visit.principal)
    shown = [one for one in every if wanted in f"{one.name} {one.description}".lower()]
    return visit.render(
        "console/dn_profiles/list.html",
        block="results",
        profiles=shown,
        every=every,
        users=users(visit),
        short=short,
    )


@pages.get("/{name}", READ)
def one(visit: Visit) -> Response:
    profile = _profile(visit)
    preview = visit.services.policy.previews.dn_profile(visit.principal, profile)
    return visit.render(
        "console/dn_profiles/one.html",
        profile=profile,
        preview=preview,
        risks=visit.services.policy.risks.dn_profile(visit.principal, profile.name),
        users=users(visit).get(profile.name, []),
        tabs=tabs(profile.name, "overview"),
        short=short,
        said=said,
        tones=judging.TONES,
        words=judging.WORDS,
    )


@pages.get("/{name}/versions", READ)
def versions(visit: Visit) -> Response:
    name = visit.path["name"]
    known = visit.services.profiles.dn_versions(visit.principal, name)
    old, new = judging.pair(visit, [version.version for version in known])
    return visit.render(
        "console/dn_profiles/versions.html",
        block="results",
        name=name,
        versions=list(reversed(known)),
        old=old,
        new=new,
        changes=_between(visit, name, old, new),
        tabs=tabs(name, "versions"),
        home=HOME,
        manage=MANAGE,
    )


@pages.get("/{name}/json", READ)
def document(visit: Visit) -> Response:
    profile = _profile(visit)
    return visit.render(
        "console/dn_profiles/json.html",
        profile=profile,
        text=as_json(profile),
        tabs=tabs(profile.name, "json"),
    )


@pages.get("/{name}/export", READ)
def export(visit: Visit) -> Response:
    profile = _profile(visit)
    data = as_json(profile).encode() + b"\n"
    return visit.download(data, f"dn-{profile.name}.json", "application/json")


@pages.post("/{name}/delete", MANAGE, step_up=True, form=one)
def delete(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.profiles.dn_delete(visit.principal, name)
    return visit.redirect(HOME, f"{name} is deleted; its versions stay on record.")


def users(visit: Visit) -> dict[str, list[str]]:
    """DN profile -> the profiles that use it."""
    found: dict[str, list[str]] = defaultdict(list)
    for version in visit.services.profiles.all(visit.principal):
        found[version.profile.dn_profile].append(version.profile.name)
    return dict(found)


def tabs(name: str, active: str) -> list[tuple[str, str, bool]]:
    return judging.tabs(f"{HOME}/{name}", active)


def _profile(visit: Visit) -> DnProfile:
    name = visit.path["name"]
    number = visit.query.number("version", least=1, most=2**31 - 1)
    profiles = visit.services.profiles
    if number is None:
        return profiles.dn_show(visit.principal, name)
    return profiles.dn_version(visit.principal, name, number)


def _between(visit: Visit, name: str, old: int, new: int) -> tuple[Change, ...]:
    before, after = (
        visit.services.profiles.dn_version(visit.principal, name, number) for number in (old, new)
    )
    return differences(before, after)
