"""People: accounts and groups, roles, what they sign in with, who is signed in."""

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import CLASS_OF, GRANTS, Permission, Role, RoleClass, User
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit
from chancery.web.words import human

pages = Pages(
    "/console/people",
    section="people",
    nav=Nav("People", "users", 80, (Permission.IDENTITY_READ,), group="Administration"),
)
HOME: Final = pages.prefix
STATES: Final = ("active", "locked", "disabled")
_READ, _MANAGE = Permission.IDENTITY_READ, Permission.IDENTITY_MANAGE


def state_of(user: User, now: int) -> str:
    """Say whether an account can sign in."""
    if user.disabled:
        return "disabled"
    return "locked" if (user.locked_until or 0) > now else "active"


@pages.get("", _READ)
def users(visit: Visit) -> Response:
    """The accounts, by name."""
    found = [
        user for user in visit.services.identity.users.all(visit.principal) if _fits(visit, user)
    ]
    asked = paging.asked(visit.query)
    later = [user for user in found if asked.cursor is None or user.name > asked.cursor]
    page = paging.paged(HOME, visit.query, later[: asked.limit], key=lambda user: user.name)
    return visit.render(
        "console/people/users.html",
        block="results",
        page=replace(page, note=f"{len(page.items)} of {len(found)}, by name"),
        states={user.name: state_of(user, visit.now) for user in page.items},
        roles=list(Role),
    )


@pages.get("/new-user", _MANAGE)
def new_user(visit: Visit) -> Response:
    return visit.render("console/people/user_new.html", roles=role_options())


@pages.post("/new-user", _MANAGE, step_up=True, slow=True)
def create_user(visit: Visit) -> Response:
    form = visit.form
    password = form.raw("password") or None
    user = visit.services.identity.users.create(
        visit.principal,
        form.required("name"),
        display_name=form.text("display_name"),
        email=form.text("email"),
        roles=[role_of(text) for text in form.all("roles")],
        password=password,
        must_change=form.flag("must_change"),
    )
    return visit.redirect(f"{HOME}/users/{user.name}", f"The account {user.name} is made.")


@pages.get("/roles", _READ)
def roles(visit: Visit) -> Response:
    """What each role may do, and who holds it."""
    identity, principal = visit.services.identity, visit.principal
    groups = identity.groups.all(principal)
    everybody = identity.users.all(principal)
    holders = {
        role: (
            [user.name for user in everybody if role in user.roles],
            [group.name for group in groups if role in group.roles],
        )
        for role in Role
    }
    kinds = {RoleClass.GENERAL: "general", RoleClass.AUDIT: "audit"}
    return visit.render(
        "console/people/roles.html",
        roles=[(role, kinds.get(CLASS_OF[role], "CA operations")) for role in Role],
        holders=holders,
        grants=GRANTS,
        permissions=[
            p for p in Permission if p not in (Permission.PUBLIC, Permission.AUTHENTICATED)
        ],
    )


@pages.get("/sessions", _MANAGE)
def sessions(visit: Visit) -> Response:
    """Who is signed in on the web."""
    asked = paging.asked(visit.query)
    found = visit.services.identity.sessions.everybody(visit.principal, asked)
    page = paging.paged(f"{HOME}/sessions", visit.query, found, key=lambda web: web.id)
    return visit.render("console/people/sessions.html", page=page)


@pages.post("/sessions/{id}/end", _MANAGE, form=sessions)
def end_session(visit: Visit) -> Response:
    user = visit.form.required("user", "The account")
    visit.services.identity.sessions.end_one(visit.principal, visit.path["id"], user)
    return visit.redirect(f"{HOME}/sessions", "The session has ended.")


def role_of(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise BadRequest(f"no role {text[:40]!r}", field="roles", rule="role.known") from None


def role_options() -> list[tuple[str, str, str]]:
    """Roles for a form: value, name, what it is for."""
    return [(role.value, human(role.value), _PURPOSE[role]) for role in Role]


_PURPOSE: Final = {
    Role.ADMINISTRATOR: "Accounts, profiles and registration authorities.",
    Role.CA_OPERATOR: "Authorities, keys and CRLs; goes with no other role.",
    Role.RA_OFFICER: "Decides about requests, revokes certificates.",
    Role.AUDITOR: "Reads everything, changes nothing; goes with no other role.",
    Role.REQUESTER: "Asks for certificates.",
}


def _fits(visit: Visit, user: User) -> bool:
    query = visit.query
    text, role, state = query.text("q").lower(), query.text("role"), query.text("state")
    names = f"{user.name} {user.display_name} {user.email}".lower()
    return (
        text in names
        and (not role or role in user.roles)
        and (not state or state == state_of(user, visit.now))
        and (not query.text("group") or query.text("group") in user.groups)
    )
