"""Groups: of approvers, of a container's owners, and of people who share roles."""

from collections.abc import Iterable

from chancery.domain.errors import AlreadyExists, Conflict, NotFound
from chancery.domain.identity import Group, Permission, Principal, Role, RoleClass
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.identity.changes import Ledger, adopt, group_of, separated, user_of
from chancery.services.identity.policy import check_name, class_of


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
    ) -> Group:
        """Make an empty group; its *roles* are of one class, which its members share."""
        demand(principal, Permission.IDENTITY_MANAGE)
        check_name(name)
        given = frozenset(roles)
        group = Group(name, description, given, class_of(given, role_class, name), frozenset())

        def work(session: Session) -> Group:
            if session.identities.group(name) is not None:
                raise AlreadyExists(f"a group named {name!r} exists", field="name")
            session.identities.add_group(group)
            return group_of(session, name)

        return self._ledger.change(principal, "group.created", name, work, roles=sorted(given))

    def delete(self, principal: Principal, name: str) -> None:
        """Remove a group that no registration authority and no container relies on."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> None:
            group_of(session, name)
            ras = [ra.name for ra in session.registrations.all() if ra.approval_group == name]
            owned = [c.name for c in session.authorities.containers() if c.owner_group == name]
            if ras or owned:
                raise Conflict(
                    f"the group serves {', '.join(ras + owned)}",
                    field="name",
                    rule="identity.group-in-use",
                    remedy="name another group there first",
                )
            session.identities.delete_group(name)

        self._ledger.change(principal, "group.deleted", name, work)

    def add_member(self, principal: Principal, name: str, user: str) -> Group:
        """Put an account into a group; Conflict (FMT_SMR.2) if their classes differ."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> Group:
            group = group_of(session, name)
            adopt(session, user_of(session, user), group.role_class)
            if user not in group.members:
                separated(user, lambda: session.identities.join(user, name))
            return group_of(session, name)

        return self._ledger.change(principal, "group.joined", user, work, group=name)

    def remove_member(self, principal: Principal, name: str, user: str) -> Group:
        """Take an account out of a group."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> Group:
            if user not in group_of(session, name).members:
                raise NotFound(
                    f"{user} is not in {name}",
                    field="user",
                    rule="group.member",
                    remedy=f"`chancery group show {name}` lists its members",
                )
            session.identities.leave(user, name)
            return group_of(session, name)

        return self._ledger.change(principal, "group.left", user, work, group=name)
