"""What is done to a key: changes of state, new versions, what is said about it."""

from starlette.responses import Response

from chancery.domain.errors import NotFound
from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_states import KeyEvent, state_at
from chancery.domain.managed_key import RotationPolicy
from chancery.services.keys.desk import KeyView
from chancery.services.keys.life import AT_ONCE
from chancery.web.console import key_reading as reading
from chancery.web.console import key_words as words
from chancery.web.console.keys import PATH, after, needed
from chancery.web.pages import Pages
from chancery.web.visit import Visit

pages = Pages(PATH, section="keys")


def _event(visit: Visit) -> KeyEvent:
    text = visit.path["event"]
    if text not in set(KeyEvent):
        raise NotFound(f"keys are not {text[:40]}d", field="event", rule="key.event")
    return KeyEvent(text)


def _managed(visit: Visit) -> KeyView:
    keys, name = visit.services.keys, visit.path["name"]
    view = keys.life.show(visit.principal, name)
    if KeyRight.MANAGE not in keys.groups.rights(visit.principal, view.key.group):
        raise NotFound("there is nothing to change here", field="key", rule="key-group.manage")
    return view


@pages.get("/{name}/change/{event}", Permission.KEY_MANAGE)
def change_form(visit: Visit) -> Response:
    """Say what it means, and who must agree; then ask for date and reason."""
    view, event, number = _managed(visit), _event(visit), reading.version(visit)
    version = next((v for v in view.versions if v.number == (number or view.key.current)), None)
    if version is None:
        raise NotFound("there is no such version", field="version", rule="key.version")
    return visit.render(
        "console/keys/change.html",
        key=view.key,
        event=event,
        version=version,
        state=state_at(version.dates, visit.now),
        title=words.TITLES[event][0],
        question=words.QUESTIONS[event].format(view.key.name),
        consequences=list(words.consequences(event, view.key, version)),
        moment=words.MOMENTS.get(event),
        grave=event in words.GRAVE,
        needed=0 if event in AT_ONCE else needed(visit, view),
    )


@pages.post("/{name}/change/{event}", Permission.KEY_MANAGE, step_up=True)
def change(visit: Visit) -> Response:
    event, name = _event(visit), visit.path["name"]
    done = visit.services.keys.life.change(
        visit.principal,
        name,
        event,
        visit.form.required("reason"),
        at=reading.moment(visit.form, "at") if event in words.MOMENTS else None,
        version=reading.version(visit),
    )
    return after(visit, done, f"{words.TITLES[event][0]}: done.")


@pages.get("/{name}/rotate", Permission.KEY_MANAGE)
def rotate_form(visit: Visit) -> Response:
    view = _managed(visit)
    return visit.render(
        "console/keys/rotate.html",
        key=view.key,
        consequences=list(words.of_rotation(view.key, view.current)),
        needed=needed(visit, view),
    )


@pages.post("/{name}/rotate", Permission.KEY_MANAGE, step_up=True)
def rotate(visit: Visit) -> Response:
    done = visit.services.keys.making.rotate(
        visit.principal, visit.path["name"], visit.form.text("reason")
    )
    return after(visit, done, "There is a new version.")


@pages.get("/{name}/edit", Permission.KEY_MANAGE)
def edit_form(visit: Visit) -> Response:
    view = _managed(visit)
    return visit.render(
        "console/keys/edit.html",
        key=view.key,
        labels="\n".join(f"{name}: {text}" for name, text in sorted(view.key.labels.items())),
        needed=needed(visit, view),
    )


@pages.post("/{name}/edit", Permission.KEY_MANAGE, step_up=True)
def edit(visit: Visit) -> Response:
    """A policy that stays as it is needs nobody's agreement."""
    form, key = visit.form, _managed(visit).key
    policy = RotationPolicy(
        form.number("every", 0, most=36_500) or 0,
        form.number("overlap", -1, least=-1, most=36_500) or 0,
        form.number("warn", 14, most=3_650) or 0,
    )
    done = visit.services.keys.life.edit(
        visit.principal,
        key.name,
        description=form.text("description"),
        custodian=form.text("custodian"),
        labels=reading.labels(visit),
        rotation=None if policy == key.rotation else policy,
    )
    return after(visit, done, "Saved.")
