"""The words of messages: edited beside a preview that follows what is typed."""

from typing import Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission
from chancery.domain.notification import Event, Message, MessageTemplate
from chancery.web.console.notifications import WORDS
from chancery.web.fields import Fields
from chancery.web.pages import Pages
from chancery.web.visit import Visit

PATH: Final = "/console/notifications/templates"
pages = Pages(PATH, section="notifications")


@pages.get("", Permission.WORK_READ)
def found(visit: Visit) -> Response:
    return visit.render(
        "console/notifications/templates.html",
        templates=visit.services.notifications.templates.all(visit.principal),
        words=WORDS,
    )


@pages.get("/{event}", Permission.WORK_READ)
def edit(visit: Visit) -> Response:
    """The template in force, or an older one (``version``) to start from."""
    event = _event(visit)
    words = visit.services.notifications.templates
    versions = words.versions(visit.principal, event)
    in_force = words.show(visit.principal, event)
    start = in_force
    if number := visit.query.number("version", None, least=0, most=1_000_000):
        start = next((one for one in versions if one.version == number and one.text), in_force)
    elif visit.query.text("version") == "0":
        start = versions[0]
    draft = _draft(visit.form, event) if visit.method == "POST" else start
    return _editor(visit, event, draft, in_force=in_force, versions=versions)


@pages.post("/{event}", Permission.WORK_MANAGE)
def save(visit: Visit) -> Response:
    event = _event(visit)
    base = visit.form.number("base", None, least=0, most=1_000_000)
    draft = _draft(visit.form, event)
    made = visit.services.notifications.templates.put(visit.principal, draft, base)
    return visit.redirect(f"{PATH}/{event.value}", f"Version {made.version} is in force.")


@pages.post("/{event}/preview", Permission.WORK_READ, form=edit)
def preview(visit: Visit) -> Response:
    """The pane beside the form; without scripts the whole page, as it would be."""
    event = _event(visit)
    in_force = visit.services.notifications.templates.show(visit.principal, event)
    versions = visit.services.notifications.templates.versions(visit.principal, event)
    draft = _draft(visit.form, event)
    return _editor(visit, event, draft, in_force=in_force, versions=versions)


@pages.post("/{event}/reset", Permission.WORK_MANAGE, form=edit)
def reset(visit: Visit) -> Response:
    event = _event(visit)
    visit.services.notifications.templates.reset(visit.principal, event)
    return visit.redirect(f"{PATH}/{event.value}", "The shipped words are in force again.")


def _editor(
    visit: Visit,
    event: Event,
    draft: MessageTemplate,
    *,
    in_force: MessageTemplate,
    versions: list[MessageTemplate],
) -> Response:
    words = visit.services.notifications.templates
    shown: Message | None = None
    wrong: BadRequest | None = None
    try:
        shown = words.preview(visit.principal, draft)
    except BadRequest as error:
        wrong = error
    return visit.render(
        "console/notifications/template.html",
        block="preview",
        event=event,
        words=WORDS[event],
        draft=draft,
        shown=shown,
        wrong=wrong,
        in_force=in_force,
        versions=versions[::-1],
        values=_listed(words.sample(visit.principal, event)),
        may_edit=visit.may(Permission.WORK_MANAGE),
    )


def _event(visit: Visit) -> Event:
    try:
        return Event(visit.path["event"])
    except ValueError:
        raise NotFound(
            f"there is no event {visit.path['event'][:40]!r}",
            field="event",
            rule="event.known",
            remedy="choose one from the list of templates",
        ) from None


def _draft(form: Fields, event: Event) -> MessageTemplate:
    text = form.raw("text").replace("\r\n", "\n")
    html = form.raw("html").replace("\r\n", "\n")
    return MessageTemplate(event, form.text("subject"), text, html if html.strip() else None)


def _listed(values: object, path: str = "") -> list[tuple[str, str]]:
    """Every value by the name a template knows it under."""
    if isinstance(values, dict):
        return [
            one
            for key, inner in values.items()
            for one in _listed(inner, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(values, list):
        if values and isinstance(values[0], dict):
            return _listed(values[0], f"{path}[0]")
        return [(path, ", ".join(map(str, values)))]
    return [(path, str(values))]
