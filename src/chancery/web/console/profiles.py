"""Extension profiles: the list, one of them, its versions, its document.

The form is in ``profile_editor``.
"""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.services.profile_diff import Change, differences, said
from chancery.web.console import judging
from chancery.web.console.judging import as_json
from chancery.web.console.profile_form import purposes_of
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

READ = Permission.PROFILE_READ
MANAGE = Permission.PROFILE_MANAGE
HOME = "/console/profiles"

pages = Pages(
    HOME,
    section="profiles",
    nav=Nav("Profiles", "template", 50, (READ,), group="Trust"),
)


@pages.get("", READ)
def found(visit: Visit) -> Response:
    """Every profile in force; filtered here, for there are few."""
    wanted, purpose = visit.query.text("q").lower(), visit.query.text("purpose")
    versions = visit.services.profiles.all(visit.principal)
    offers = judging.offers(visit)
    shown = [
        version
        for version in versions
        if wanted in f"{version.profile.name} {version.profile.description}".lower()
        and (not purpose or purpose in purposes_of(version.profile).split(", "))
    ]
    return visit.render(
        "console/profiles/list.html",
        block="results",
        versions=shown,
        all_versions=versions,
        offers=offers,
        purposes_of=purposes_of,
        purposes=[(p, p) for p in sorted(_purposes(versions))],
        said=said,
    )


@pages.get("/{name}", READ)
def one(visit: Visit) -> Response:
    """What it says, what is dangerous about it, what it makes, who offers it."""
    version = _version(visit)
    preview = visit.services.policy.previews.profile(visit.principal, version.profile)
    latest = visit.services.profiles.versions(visit.principal, version.profile.name)[-1]
    return visit.render(
        "console/profiles/one.html",
        version=version,
        profile=version.profile,
        newest=latest.version,
        preview=preview,
        offered=judging.offers(visit).get(version.profile.name, []),
        tabs=tabs(version.profile.name, "overview"),
        purposes_of=purposes_of,
        said=said,
        tones=judging.TONES,
        words=judging.WORDS,
    )


@pages.get("/{name}/versions", READ)
def versions(visit: Visit) -> Response:
    """Every version, newest first, and what changed between two of them."""
    name = visit.path["name"]
    known = visit.services.profiles.versions(visit.principal, name)
    old, new = judging.pair(visit, [version.version for version in known])
    return visit.render(
        "console/profiles/versions.html",
        block="results",
        name=name,
        versions=list(reversed(known)),
        old=old,
        new=new,
        changes=_between(known, old, new),
        home=HOME,
        manage=MANAGE,
        tabs=tabs(name, "versions"),
    )


@pages.get("/{name}/json", READ)
def document(visit: Visit) -> Response:
    version = _version(visit)
    return visit.render(
        "console/profiles/json.html",
        version=version,
        text=as_json(version.profile),
        tabs=tabs(version.profile.name, "json"),
    )


@pages.get("/{name}/export", READ)
def export(visit: Visit) -> Response:
    version = _version(visit)
    name = f"{version.profile.name}-{version.version}.json"
    return visit.download(as_json(version.profile).encode() + b"\n", name, "application/json")


@pages.post("/{name}/retire", MANAGE, step_up=True, form=one)
def retire(visit: Visit) -> Response:
    name = visit.path["name"]
    visit.services.profiles.retire(visit.principal, name)
    notice = f"{name} is retired. To bring it back, edit from one of its versions and save."
    return visit.redirect(f"{HOME}/{name}/versions", notice)


def tabs(name: str, active: str) -> list[tuple[str, str, bool]]:
    return judging.tabs(f"{HOME}/{name}", active)


def _purposes(versions: list[ProfileVersion]) -> set[str]:
    return {p for version in versions for p in purposes_of(version.profile).split(", ")}


def _version(visit: Visit) -> ProfileVersion:
    number = visit.query.number("version", least=1, most=2**31 - 1)
    return visit.services.profiles.show(visit.principal, visit.path["name"], number)


def _between(known: list[ProfileVersion], old: int, new: int) -> tuple[Change, ...]:
    profiles: dict[int, ExtensionProfile] = {v.version: v.profile for v in known}
    return differences(profiles[old], profiles[new]) if old in profiles and new in profiles else ()
