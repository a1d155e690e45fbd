"""Key groups and key templates: what administrators decide about keys."""

from chancery.domain.errors import AlreadyExists, BadRequest, Conflict, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.key_groups import KeyGroup, KeyRight, KeyTemplate, check_grants
from chancery.domain.managed_key import MAX_APPROVALS, check_key_name
from chancery.domain.shipped_keys import TEMPLATES
from chancery.ports import Session
from chancery.ports_keys import KeyFilter
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.keys.desk import Desk
from chancery.wire import key_block


class KeyGroups:
    """Reading takes KEY_READ, changing KEY_POLICY."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self, principal: Principal) -> list[KeyGroup]:
        """Those that *principal* has any right in, by name."""
        demand(principal, Permission.KEY_READ)
        with self._desk.store.read() as session:
            return [g for g in session.keys.groups() if self._desk.rights(principal, g)]

    def show(self, principal: Principal, name: str) -> KeyGroup:
        found = next((g for g in self.all(principal) if g.name == name), None)
        if found is None:
            raise _unknown("key group", name, "key-group")
        return found

    def rights(self, principal: Principal, name: str) -> frozenset[KeyRight]:
        """What *principal* can do in a group: rights that its roles have a permission for."""
        with self._desk.store.read() as session:
            group = session.keys.group(name)
            return frozenset() if group is None else self._desk.effective(principal, group)

    def put(self, principal: Principal, group: KeyGroup, *, fresh: bool = False) -> KeyGroup:
        """Make or change a group; its owner, and those it grants rights to, must exist."""
        demand(principal, Permission.KEY_POLICY)
        check_key_name(group.name)
        check_grants(group.grants)
        if not 0 <= group.approvals <= MAX_APPROVALS:
            raise BadRequest(
                f"0 to {MAX_APPROVALS} people can be asked", field="approvals", rule="key.approvals"
            )
        now = self._desk.clock.ms()

        def unit(session: Session) -> None:
            if fresh and session.keys.group(group.name) is not None:
                raise AlreadyExists(
                    f"there is a key group {group.name} already",
                    field="name",
                    rule="key-group.exists",
                )
            named = {title[6:] for title in group.grants if title.startswith("group:")}
            for people in sorted((named | {group.owner}) - {""}):
                if session.identities.group(people) is None:
                    raise BadRequest(
                        f"there is no group of people called {people[:64]!r}",
                        field="owner" if people == group.owner else "grants",
                        rule="group.known",
                        remedy="`chancery group list` shows those there are",
                    )
            _no_circle(session, group)
            session.keys.put_group(group)
            grants = {title: sorted(rights) for title, rights in sorted(group.grants.items())}
            told = event(
                principal, "key-group.set", group.name, owner=group.owner, grants=grants,
                approvals=group.approvals, parent=group.parent,
            )  # fmt: skip
            session.audit.append([told], now)

        self._desk.store.write(unit)
        return group

    def delete(self, principal: Principal, name: str) -> None:
        """Remove a group that no key and no other group is in."""
        demand(principal, Permission.KEY_POLICY)
        now = self._desk.clock.ms()

        def unit(session: Session) -> None:
            if session.keys.group(name) is None:
                raise _unknown("key group", name, "key-group")
            below = [g.name for g in session.keys.groups() if g.parent == name]
            if below or session.keys.find(KeyFilter(group=name), None, 1):
                raise Conflict(
                    f"the key group {name} is not empty",
                    field="name",
                    rule="key-group.in-use",
                    remedy="keys stay on record for good, destroyed ones too: keep their group",
                )
            session.keys.delete_group(name)
            session.audit.append([event(principal, "key-group.deleted", name)], now)

        self._desk.store.write(unit)


class KeyTemplates:
    """Reading takes KEY_READ, changing KEY_POLICY.  Keys keep what their template said then."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self, principal: Principal) -> list[KeyTemplate]:
        """By name; what is shipped is among them."""
        demand(principal, Permission.KEY_READ)
        with self._desk.store.read() as session:
            own = {one.name: one for one in session.keys.templates()}
        return [one for _, one in sorted((TEMPLATES | own).items())]

    def show(self, principal: Principal, name: str) -> KeyTemplate:
        demand(principal, Permission.KEY_READ)
        with self._desk.store.read() as session:
            return self._desk.template(session, name)

    def put(self, principal: Principal, template: KeyTemplate) -> KeyTemplate:
        demand(principal, Permission.KEY_POLICY)
        check_key_name(template.name)
        template.rules.check(template.kind)
        key_block.check_fields(template.block_usage, template.block_mode)
        if not template.entry or not template.entry <= {"generate", "import", "components"}:
            raise BadRequest(
                "a key comes in by generate, import or components",
                field="entry",
                rule="key-template.entry",
                remedy="name at least one of these",
            )
        if not 0 <= template.cryptoperiod <= 36_500:
            raise BadRequest(
                "a cryptoperiod has 0 to 36500 days", field="cryptoperiod", rule="key.cryptoperiod"
            )
        now = self._desk.clock.ms()

        def unit(session: Session) -> None:
            for name in sorted(template.groups):
                if session.keys.group(name) is None:
                    raise _unknown("key group", name, "key-group")
            session.keys.put_template(template)
            told = event(
                principal, "key-template.set", template.name, kind=template.kind.value,
                uses=sorted(template.rules.uses), exportability=template.rules.exportability.value,
                approvals=template.rules.approvals, pkcs=template.rules.pkcs,
                trusted=template.rules.trusted,
            )  # fmt: skip
            session.audit.append([told], now)

        self._desk.store.write(unit)
        return template

    def delete(self, principal: Principal, name: str) -> None:
        """Remove one of your own; what is shipped then counts again."""
        demand(principal, Permission.KEY_POLICY)
        now = self._desk.clock.ms()

        def unit(session: Session) -> None:
            if not session.keys.delete_template(name):
                raise _unknown("key template of your own", name, "key-template")
            session.audit.append([event(principal, "key-template.deleted", name)], now)

        self._desk.store.write(unit)


def _no_circle(session: Session, group: KeyGroup) -> None:
    """The groups form trees."""
    parents = {one.name: one.parent for one in session.keys.groups()} | {group.name: group.parent}
    at, seen = group.parent, {group.name}
    while at:
        if at not in parents:
            raise _unknown("key group", at, "key-group", field="parent")
        if at in seen:
            raise BadRequest(
                "a key group cannot be above itself", field="parent", rule="key-group.tree"
            )
        seen.add(at)
        at = parents[at]


def _unknown(what: str, name: str, command: str, field: str = "name") -> NotFound:
    return NotFound(
        f"no {what} {name[:64]!r}",
        field=field,
        rule=f"{command}.known",
        remedy=f"`chancery {command} list` shows those there are",
    )
