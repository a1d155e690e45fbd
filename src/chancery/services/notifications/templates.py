"""The words of messages: edited by people, tried before they are put in force."""

from dataclasses import replace

from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import Permission, Principal
from chancery.domain.notification import Event, Message, MessageTemplate
from chancery.ports import Clock, Session, Store
from chancery.ports_work import Renderer
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.notifications.outbox import in_force
from chancery.services.notifications.shipped import sample, shipped


class TemplateService:
    """See the module."""

    def __init__(self, store: Store, renderer: Renderer, clock: Clock, base_url: str) -> None:
        self._store = store
        self._renderer = renderer
        self._clock = clock
        self._base_url = base_url

    def all(self, principal: Principal) -> list[MessageTemplate]:
        """The template in force of each event; version 0 is as shipped."""
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return [in_force(session, each) for each in Event]

    def show(self, principal: Principal, about: Event) -> MessageTemplate:
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return in_force(session, about)

    def versions(self, principal: Principal, about: Event) -> list[MessageTemplate]:
        """Oldest first, the shipped one as version 0; empty texts: that one was put back."""
        demand(principal, Permission.WORK_READ)
        with self._store.read() as session:
            return [shipped(about), *session.notifications.template_versions(about)]

    def sample(self, principal: Principal, about: Event) -> dict[str, object]:
        """The values that a template of *about* can use, made up."""
        demand(principal, Permission.WORK_READ)
        return sample(about, self._base_url)

    def preview(self, principal: Principal, draft: MessageTemplate) -> Message:
        """The draft filled in with made-up values; BadRequest names the part that fails."""
        demand(principal, Permission.WORK_READ)
        for field in ("subject", "text"):
            if not getattr(draft, field).strip():
                raise BadRequest(f"the {field} is empty", field=field, rule="template.complete")
        return self._renderer.render(draft, sample(draft.event, self._base_url))

    def put(
        self, principal: Principal, draft: MessageTemplate, base: int | None = None
    ) -> MessageTemplate:
        """Put *draft* in force, as the next version; refuse one that cannot be filled in.

        *base*, where given, is the version that was edited: Conflict if that
        is no longer the one in force.
        """
        demand(principal, Permission.WORK_MANAGE)
        self.preview(principal, draft)
        return self._add_version(principal, draft, base)

    def reset(self, principal: Principal, about: Event) -> MessageTemplate:
        """Put the shipped one back in force; the edited ones stay on record."""
        demand(principal, Permission.WORK_MANAGE)
        self._add_version(principal, MessageTemplate(about, "", ""))
        return shipped(about)

    def _add_version(
        self, principal: Principal, draft: MessageTemplate, base: int | None = None
    ) -> MessageTemplate:
        now = self._clock.ms()

        def unit(session: Session) -> MessageTemplate:
            if base not in (None, in_force(session, draft.event).version):
                raise Conflict(
                    "somebody else changed this template meanwhile",
                    field="base",
                    rule="template.base",
                    remedy="look at theirs, then edit again",
                )
            newest = session.notifications.template(draft.event)
            made = replace(
                draft,
                version=(newest.version if newest is not None else 0) + 1,
                created_at=now // 1000,
                created_by=principal.name,
            )
            session.notifications.add_template(made)
            action = "template.changed" if draft.text else "template.reset"
            told = event(principal, action, draft.event.value, version=made.version)
            session.audit.append([told], now)
            return made

        return self._store.write(unit)
