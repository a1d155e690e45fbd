"""Groups: who is in them, what they give, how many of them must be present."""

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.console.people import HOME, role_of, role_options
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(f"{HOME}/groups", section="people")
making = Pages(f"{HOME}/new-group", section="people")  # beside them: a group may be called "new"
_READ, _MANAGE = Permission.IDENTITY_READ, Permission.IDENTITY_MANAGE


def _here(visit: Visit) -> str:
    return f"{pages.prefix}/{visit.path['name']}"


@pages.get("", _READ)
def groups(visit: Visit) -> Response:
    text = visit.query.text("q").lower()
    logins = visit.query.text("logins")
    found = [
        group
        for group in visit.services.identity.groups.all(visit.principal)
        if text in f"{group.name} {group.description}".lower()
        and (not logins or logins == str(group.logins_required))
    ]
    return visit.render("console/people/groups.html", block="results", groups=found)


@making.get("", _MANAGE)
def new(visit: Visit) -> Response:
    return visit.render("console/people/group_new.html", roles=role_options())


@making.post("", _MANAGE, step_up=True)
def create(visit: Visit) -> Response:
    group = visit.services.identity.groups.create(
        visit.principal,
        visit.form.required("name"),
        description=visit.form.text("description"),
        roles=[role_of(text) for text in visit.form.all("roles")],
        logins_required=visit.form.number("logins_required", 1, least=1, most=2) or 1,
    )
    return visit.redirect(f"{pages.prefix}/{group.name}", f"The group {group.name} is made.")


@pages.get("/{name}", _READ)
def show(visit: Visit) -> Response:
    identity, principal, name = visit.services.identity, visit.principal, visit.path["name"]
    group = identity.groups.show(principal, name)
    everybody = identity.users.all(principal)
    ras = visit.services.ras.all(principal) if visit.may(Permission.RA_READ) else []
    return visit.render(
        "console/people/group.html",
        group=group,
        members=[user for user in everybody if user.name in group.members],
        others=[user.name for user in everybody if user.name not in group.members],
        decides=[ra.name for ra in ras if ra.approval_group == name],
    )


@pages.get("/{name}/edit", _MANAGE)
def edit(visit: Visit) -> Response:
    group = visit.services.identity.groups.show(visit.principal, visit.path["name"])
    return visit.render("console/people/group_edit.html", group=group)


@pages.post("/{name}/edit", _MANAGE, step_up=True)
def save(visit: Visit) -> Response:
    visit.services.identity.groups.edit(
        visit.principal,
        visit.path["name"],
        description=visit.form.text("description"),
        logins_required=visit.form.number("logins_required", 1, least=1, most=2),
    )
    return visit.redirect(_here(visit), "Saved.")


@pages.post("/{name}/members", _MANAGE, step_up=True, form=show)
def add(visit: Visit) -> Response:
    user = visit.form.required("user", "The account")
    visit.services.identity.groups.add_member(visit.principal, visit.path["name"], user)
    return visit.redirect(_here(visit), f"{user} is in {visit.path['name']} now.")


@pages.post("/{name}/members/{user}/remove", _MANAGE, step_up=True, form=show)
def remove(visit: Visit) -> Response:
    user = visit.path["user"]
    visit.services.identity.groups.remove_member(visit.principal, visit.path["name"], user)
    return visit.redirect(_here(visit), f"{user} is in {visit.path['name']} no longer.")


@pages.post("/{name}/delete", _MANAGE, step_up=True, form=show)
def delete(visit: Visit) -> Response:
    visit.services.identity.groups.delete(visit.principal, visit.path["name"])
    return visit.redirect(pages.prefix, f"The group {visit.path['name']} is deleted.")
