"""Accounts and groups; the tables themselves keep role classes apart."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Table, delete, insert, select, update

from chancery.adapters.storage import schema_identity
from chancery.adapters.storage.credentials import SqlCredentials
from chancery.adapters.storage.link import Link, Record
from chancery.domain.errors import Conflict, NotFound
from chancery.domain.identity import CLASS_OF, Group, Role, RoleClass, User

_U: Final = schema_identity.user_account
_UR: Final = schema_identity.user_role
_G: Final = schema_identity.user_group
_GR: Final = schema_identity.group_role
_GM: Final = schema_identity.group_member


def _account(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "display_name": user.display_name,
        "email": user.email,
        "role_class": user.role_class.value,
        "disabled": user.disabled,
        "password_hash": user.password_hash,
        "failed_logins": user.failed_logins,
        "locked_until": user.locked_until,
        "created_at": user.created_at,
        "must_change_password": user.must_change_password,
        "directory": user.directory,
    }


class SqlIdentities(SqlCredentials):
    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._link = link

    def user(self, name: str) -> User | None:
        row = self._link.first(select(_U).where(_U.c.name == name))
        if row is None:
            return None
        roles = self._column(select(_UR.c.role).where(_UR.c.user_name == name))
        groups = self._column(select(_GM.c.group_name).where(_GM.c.user_name == name))
        return _user(row, roles, groups)

    def users(self) -> list[User]:
        roles = self._grouped(select(_UR.c.user_name, _UR.c.role))
        groups = self._grouped(select(_GM.c.user_name, _GM.c.group_name))
        return [
            _user(row, roles.get(row.name, ()), groups.get(row.name, ()))
            for row in self._link.rows(select(_U).order_by(_U.c.name))
        ]

    def add_user(self, user: User) -> None:
        self._link.run(insert(_U), _account(user))
        for role in sorted(user.roles):
            self.grant(user.name, role)
        for group in sorted(user.groups):
            self.join(user.name, group)

    def update_user(self, user: User) -> None:
        statement = update(_U).where(_U.c.name == user.name)
        if not self._link.run(statement, _account(user)).rowcount:
            raise _missing("account", user.name)

    def delete_user(self, name: str) -> None:
        self._delete(_U, "account", name)

    def grant(self, user: str, role: Role) -> None:
        wanted = CLASS_OF[role]
        self._take_class(user, wanted)
        self._link.driver(
            "INSERT INTO user_role (user_name, role, role_class) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (user, role.value, wanted.value),
        )

    def withdraw(self, user: str, role: Role) -> None:
        self._link.run(delete(_UR).where(_UR.c.user_name == user, _UR.c.role == role.value))

    def group(self, name: str) -> Group | None:
        row = self._link.first(select(_G).where(_G.c.name == name))
        if row is None:
            return None
        roles = self._column(select(_GR.c.role).where(_GR.c.group_name == name))
        members = self._column(select(_GM.c.user_name).where(_GM.c.group_name == name))
        return _group(row, roles, members)

    def groups(self) -> list[Group]:
        roles = self._grouped(select(_GR.c.group_name, _GR.c.role))
        members = self._grouped(select(_GM.c.group_name, _GM.c.user_name))
        return [
            _group(row, roles.get(row.name, ()), members.get(row.name, ()))
            for row in self._link.rows(select(_G).order_by(_G.c.name))
        ]

    def add_group(self, group: Group) -> None:
        kind = group.role_class.value
        values = {
            "name": group.name,
            "description": group.description,
            "role_class": kind,
            "logins_required": group.logins_required,
        }
        self._link.run(insert(_G), values)
        for role in sorted(group.roles):
            given = {"group_name": group.name, "role": role.value, "role_class": kind}
            self._link.run(insert(_GR), given)
        for member in sorted(group.members):
            self.join(member, group.name)

    def update_group(self, group: Group) -> None:
        values = {"description": group.description, "logins_required": group.logins_required}
        if not self._link.run(update(_G).where(_G.c.name == group.name).values(values)).rowcount:
            raise _missing("group", group.name)

    def delete_group(self, name: str) -> None:
        self._delete(_G, "group", name)

    def join(self, user: str, group: str) -> None:
        row = self._link.first(select(_G.c.role_class).where(_G.c.name == group))
        if row is None:
            raise _missing("group", group)
        self._take_class(user, RoleClass(row.role_class))
        self._link.driver(
            "INSERT INTO group_member (user_name, group_name, role_class) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (user, group, row.role_class),
        )

    def leave(self, user: str, group: str) -> None:
        membership = (_GM.c.user_name == user, _GM.c.group_name == group)
        self._link.run(delete(_GM).where(*membership))

    def _take_class(self, user: str, wanted: RoleClass) -> None:
        """Let the first role or group of an account set its class; the tables hold it there."""
        row = self._link.first(select(_U.c.role_class).where(_U.c.name == user))
        if row is None:
            raise _missing("account", user)
        if row.role_class == wanted.value:
            return
        roles = select(_UR.c.role).where(_UR.c.user_name == user)
        groups = select(_GM.c.group_name).where(_GM.c.user_name == user)
        if self._column(roles) or self._column(groups):
            raise Conflict(
                f"{user} holds roles of the class {row.role_class}; one of {wanted.value}"
                " must go to another account",
                field="role",
                rule="role.class",
                remedy="use a separate account for each class of roles",
            )
        self._link.run(update(_U).where(_U.c.name == user).values(role_class=wanted.value))

    def _delete(self, table: Table, noun: str, name: str) -> None:
        if not self._link.run(delete(table).where(table.c.name == name)).rowcount:
            raise _missing(noun, name)

    def _column(self, statement: Any) -> list[str]:
        return [row[0] for row in self._link.rows(statement)]

    def _grouped(self, statement: Any) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for owner, value in self._link.rows(statement):
            found.setdefault(owner, []).append(value)
        return found


def _user(row: Record, roles: Iterable[str], groups: Iterable[str]) -> User:
    return User(
        row.name,
        row.display_name,
        row.email,
        frozenset(map(Role, roles)),
        frozenset(groups),
        RoleClass(row.role_class),
        row.disabled,
        row.password_hash,
        row.failed_logins,
        row.locked_until,
        row.created_at,
        row.must_change_password,
        row.directory,
    )


def _group(row: Record, roles: Iterable[str], members: Iterable[str]) -> Group:
    return Group(
        row.name,
        row.description,
        frozenset(map(Role, roles)),
        RoleClass(row.role_class),
        frozenset(members),
        row.logins_required,
    )


def _missing(noun: str, name: str) -> NotFound:
    return NotFound(f"there is no {noun} {name}", field="name")
