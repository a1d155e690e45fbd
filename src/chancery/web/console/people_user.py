"""One account: what it is, what it may do, what opens it."""

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission, Role
from chancery.web.console.people import HOME, role_of, state_of
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.web.words import human

pages = Pages(f"{HOME}/users/{{name}}", section="people")
_READ, _MANAGE = Permission.IDENTITY_READ, Permission.IDENTITY_MANAGE


def _here(visit: Visit) -> str:
    return f"{HOME}/users/{visit.path['name']}"


@pages.get("", _READ)
def show(visit: Visit) -> Response:
    identity, principal, name = visit.services.identity, visit.principal, visit.path["name"]
    user = identity.users.show(principal, name)
    groups = {group.name: group for group in identity.groups.all(principal)}
    return visit.render(
        "console/people/user.html",
        user=user,
        state=state_of(user, visit.now),
        factors=identity.factors.of(principal, name),
        groups=[groups[one] for one in sorted(user.groups) if one in groups],
        other_groups=[one for one in sorted(groups) if one not in user.groups],
        other_roles=[(r.value, human(r.value)) for r in Role if r not in user.roles],
        tokens=identity.tokens.of(principal, name),
        certificates=identity.certificates.of(principal, name),
        sessions=identity.sessions.of(principal, name) if visit.may(_MANAGE) else None,
    )


@pages.get("/edit", _MANAGE)
def edit(visit: Visit) -> Response:
    user = visit.services.identity.users.show(visit.principal, visit.path["name"])
    return visit.render("console/people/user_edit.html", user=user)


@pages.post("/edit", _MANAGE, step_up=True)
def save(visit: Visit) -> Response:
    visit.services.identity.users.edit(
        visit.principal,
        visit.path["name"],
        display_name=visit.form.required("display_name", "The name"),
        email=visit.form.text("email"),
    )
    return visit.redirect(_here(visit), "Saved.")


@pages.post("/disable", _MANAGE, step_up=True, form=show)
def disable(visit: Visit) -> Response:
    visit.services.identity.users.edit(visit.principal, visit.path["name"], disabled=True)
    return visit.redirect(_here(visit), "The account is disabled; its sessions have ended.")


@pages.post("/enable", _MANAGE, step_up=True, form=show)
def enable(visit: Visit) -> Response:
    visit.services.identity.users.edit(visit.principal, visit.path["name"], disabled=False)
    return visit.redirect(_here(visit), "The account is enabled; its old tokens stay revoked.")


@pages.post("/unlock", _MANAGE, form=show)
def unlock(visit: Visit) -> Response:
    visit.services.identity.users.unlock(visit.principal, visit.path["name"])
    return visit.redirect(_here(visit), "The account may sign in again.")


@pages.post("/delete", _MANAGE, step_up=True, form=show)
def delete(visit: Visit) -> Response:
    visit.services.identity.users.delete(visit.principal, visit.path["name"])
    return visit.redirect(HOME, f"The account {visit.path['name']} is deleted.")


@pages.get("/password", _MANAGE)
def password(visit: Visit) -> Response:
    user = visit.services.identity.users.show(visit.principal, visit.path["name"])
    return visit.render("console/people/user_password.html", user=user)


@pages.post("/password", _MANAGE, step_up=True, slow=True)
def set_password(visit: Visit) -> Response:
    new = visit.form.raw("password")
    if new != visit.form.raw("again"):
        raise BadRequest("the two entries differ", field="again", rule="password.again")
    visit.services.identity.users.set_password(
        visit.principal,
        visit.path["name"],
        new,
        must_change=visit.form.flag("must_change"),
    )
    return visit.redirect(_here(visit), "The password is set; the account's sessions have ended.")


@pages.post("/roles", _MANAGE, step_up=True, form=show)
def grant(visit: Visit) -> Response:
    role = role_of(visit.form.required("role", "The role"))
    visit.services.identity.users.grant(visit.principal, visit.path["name"], role)
    return visit.redirect(_here(visit), f"{visit.path['name']} is {role.value} now.")


@pages.post("/roles/{role}/withdraw", _MANAGE, step_up=True, form=show)
def withdraw(visit: Visit) -> Response:
    role = role_of(visit.path["role"])
    visit.services.identity.users.withdraw(visit.principal, visit.path["name"], role)
    return visit.redirect(_here(visit), f"{visit.path['name']} is {role.value} no longer.")


@pages.post("/groups", _MANAGE, step_up=True, form=show)
def join(visit: Visit) -> Response:
    group = visit.form.required("group", "The group")
    visit.services.identity.groups.add_member(visit.principal, group, visit.path["name"])
    return visit.redirect(_here(visit), f"{visit.path['name']} is in {group} now.")


@pages.post("/groups/{group}/leave", _MANAGE, step_up=True, form=show)
def leave(visit: Visit) -> Response:
    group = visit.path["group"]
    visit.services.identity.groups.remove_member(visit.principal, group, visit.path["name"])
    return visit.redirect(_here(visit), f"{visit.path['name']} is in {group} no longer.")


@pages.post("/reset-factors", _MANAGE, step_up=True, form=show)
def reset_factors(visit: Visit) -> Response:
    visit.services.identity.factors.reset(visit.principal, visit.path["name"])
    return visit.redirect(_here(visit), "The second factors are forgotten; the sessions ended.")


@pages.post("/sessions/{id}/end", _MANAGE, form=show)
def end_session(visit: Visit) -> Response:
    sessions = visit.services.identity.sessions
    sessions.end_one(visit.principal, visit.path["id"], visit.path["name"])
    return visit.redirect(_here(visit), "The session has ended.")


@pages.post("/sessions/end", _MANAGE, form=show)
def end_sessions(visit: Visit) -> Response:
    visit.services.identity.sessions.end_all(visit.principal, visit.path["name"])
    return visit.redirect(_here(visit), "The sessions have ended.")


@pages.post("/tokens/{id}/revoke", _MANAGE, step_up=True, form=show)
def revoke_token(visit: Visit) -> Response:
    tokens = visit.services.identity.tokens
    tokens.revoke(visit.principal, visit.path["id"], visit.path["name"])
    return visit.redirect(_here(visit), "The token is revoked.")


@pages.get("/certificates/new", _MANAGE)
def new_certificate(visit: Visit) -> Response:
    user = visit.services.identity.users.show(visit.principal, visit.path["name"])
    return visit.render("console/people/certificate_new.html", user=user)


@pages.post("/certificates/new", _MANAGE, step_up=True)
def bind(visit: Visit) -> Response:
    """Take a file, or what was pasted."""
    upload = visit.form.file("certificate_file")
    data = upload.data if upload is not None else visit.form.required("certificate").encode()
    visit.services.identity.certificates.bind(visit.principal, visit.path["name"], data)
    return visit.redirect(_here(visit), "The certificate opens this account now.")


@pages.post("/certificates/{sha256}/unbind", _MANAGE, step_up=True, form=show)
def unbind(visit: Visit) -> Response:
    certificates = visit.services.identity.certificates
    certificates.unbind(visit.principal, visit.path["name"], visit.path["sha256"])
    return visit.redirect(_here(visit), "The certificate opens this account no longer.")
