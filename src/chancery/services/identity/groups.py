"""Groups: of approvers, of a container's owners, and of people who share roles."""

from collections.abc import Iterable
from dataclasses import replace

from chancery.domain.errors import AlreadyExists, BadRequest, Conflict, NotFound
from chancery.domain.identity import Group, Permission, Principal, Role, RoleClass
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.identity.changes import Ledger, adopt, group_of, separated, user_of
from chancery.services.identity.policy import check_name, class_of
from chancery.services.identity.session_records import expel


class Groups:
    """The groups.  Reading takes IDENTITY_READ, changing IDENTITY_MANAGE."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def all(self, principal: Principal) -> list[Group]:
        demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return sorted(session.identities.groups(), key=lambda group: group.name)

    def show(self, principal: Principal, name: str) -> Group:
        demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return group_of(session, name)

    def create(
        self,
        principal: Principal,
        name: str,
        *,
        description: str = "",
        roles: Iterable[Role] = (),
        role_class: RoleClass | None = None,
        logins_required: int = 1,
    ) -> Group:
        """Make an empty group; its *roles* are of one class, which its members share.

        *logins_required* 2: membership counts only where two members have
        signed in together.
        """
        demand(principal, Permission.IDENTITY_MANAGE)
        check_name(name)
        given = frozenset(roles)
        kind = class_of(given, role_class, name)
        logins = _logins(logins_required)
        group = Group(name, description, given, kind, frozenset(), logins)

        def work(session: Session) -> Group:
            if session.identities.group(name) is not None:
                raise AlreadyExists(f"a group named {name!r} exists", field="name")
            session.identities.add_group(group)
            return group_of(session, name)

        return self._ledger.change(
            principal, "group.created", name, work, roles=sorted(given), logins=logins
        )

    def edit(
        self,
        principal: Principal,
        name: str,
        *,
        description: str | None = None,
        logins_required: int | None = None,
    ) -> Group:
        """Change what is given; how many must sign in counts from the next request on."""
        demand(principal, Permission.IDENTITY_MANAGE)
        given = {"description": description, "logins_required": logins_required}
        changes = {field: value for field, value in given.items() if value is not None}
        if not changes:
            raise BadRequest("nothing to change was given", rule="edit.empty")
        if logins_required is not None:
            _logins(logins_required)

        def work(session: Session) -> Group:
            session.identities.update_group(replace(group_of(session, name), **changes))  # type: ignore[arg-type]
            return group_of(session, name)

        return self._ledger.change(principal, "group.changed", name, work, **changes)

    def delete(self, principal: Principal, name: str) -> None:
        """Remove a group that no registration authority and no container relies on."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> None:
            group_of(session, name)
            ras = [
                ra.name
                for ra in session.registrations.all()
                if name in (ra.approval_group, *ra.submit_groups)
            ]
            owned = [c.name for c in session.authorities.containers() if c.owner_group == name]
            if ras or owned:
                raise Conflict(
                    f"the group serves {', '.join(ras + owned)}",
                    field="name",
                    rule="identity.group-in-use",
                    remedy="name another group there first",
                )
            group = group_of(session, name)
            for member in group.members:
                self._expel(session, group, member, principal)
            session.identities.delete_group(name)

        self._ledger.change(principal, "group.deleted", name, work)

    def add_member(self, principal: Principal, name: str, user: str) -> Group:
        """Put an account into a group; Conflict (FMT_SMR.2) if their classes differ."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> Group:
            group = group_of(session, name)
            self._ledger.refuse_governed(user_of(session, user), group=name)
            adopt(session, user_of(session, user), group.role_class)
            if user not in group.members:
                separated(user, lambda: session.identities.join(user, name))
                self._expel(session, group, user, principal)
            return group_of(session, name)

        return self._ledger.change(principal, "group.joined", user, work, group=name)

    def remove_member(self, principal: Principal, name: str, user: str) -> Group:
        """Take an account out of a group."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> Group:
            group = group_of(session, name)
            if user not in group.members:
                raise NotFound(
                    f"{user} is not in {name}",
                    field="user",
                    rule="group.member",
                    remedy=f"`chancery group show {name}` lists its members",
                )
            self._ledger.refuse_governed(user_of(session, user), group=name)
            session.identities.leave(user, name)
            self._expel(session, group, user, principal)
            return group_of(session, name)

        return self._ledger.change(principal, "group.left", user, work, group=name)

    def _expel(self, session: Session, group: Group, user: str, principal: Principal) -> None:
        """End the sessions of somebody whose roles have changed."""
        if group.roles:
            expel(session, user, principal, self._ledger.clock.ms())


def _logins(number: int) -> int:
    if number not in (1, 2):
        raise BadRequest(
            "a group requires one login or two", field="logins_required", rule="group.logins"
        )
    return number
