"""Accounts: made, changed, locked and unlocked, given roles and relieved of them."""

from collections.abc import Iterable
from dataclasses import replace

from chancery.domain.errors import AlreadyExists, BadRequest, Conflict, NotFound
from chancery.domain.identity import CLASS_OF, Permission, Principal, Role, RoleClass, User
from chancery.ports import Page, PasswordHasher, RequestFilter, Session
from chancery.services.access import demand
from chancery.services.identity.changes import Ledger, adopt, refuse_vouched, separated, user_of
from chancery.services.identity.policy import (
    IdentityPolicy,
    check_email,
    check_name,
    check_password,
    class_of,
    normalised,
)
from chancery.services.identity.session_records import expel


class Accounts:
    """The users.  Reading takes IDENTITY_READ, changing IDENTITY_MANAGE, unless it is one's own."""

    def __init__(self, ledger: Ledger, hasher: PasswordHasher, policy: IdentityPolicy) -> None:
        self._ledger = ledger
        self._hasher = hasher
        self._policy = policy

    def new_hash(self, name: str, password: str) -> str:
        """Return the hash of a new password of *name*; BadRequest says what is wrong with it."""
        return self._hasher.hash(check_password(self._policy, name, password))

    def all(self, principal: Principal) -> list[User]:
        """Return every account, by name."""
        demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return sorted(session.identities.users(), key=lambda user: user.name)

    def show(self, principal: Principal, name: str) -> User:
        """Return one account: any with IDENTITY_READ, one's own always."""
        demand(principal, Permission.AUTHENTICATED)
        if name != principal.name:
            demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return user_of(session, name)

    def create(
        self,
        principal: Principal,
        name: str,
        *,
        display_name: str = "",
        email: str = "",
        roles: Iterable[Role] = (),
        role_class: RoleClass | None = None,
        password: str | None = None,
        must_change: bool = False,
    ) -> User:
        """Make an account; without *password* it signs in by token or certificate only.

        *must_change*: the password is good for choosing another one, and no more.
        """
        demand(principal, Permission.IDENTITY_MANAGE)
        check_name(name)
        given = frozenset(roles)
        belongs = class_of(given, role_class, name)
        phc = self.new_hash(name, password) if password is not None else None
        user = User(
            name=name,
            display_name=display_name or name,
            email=check_email(email),
            roles=frozenset(),
            groups=frozenset(),
            role_class=belongs,
            disabled=False,
            password_hash=phc,
            failed_logins=0,
            locked_until=None,
            created_at=self._ledger.clock.s(),
            must_change_password=must_change and phc is not None,
        )

        def work(session: Session) -> User:
            if session.identities.user(name) is not None:
                raise AlreadyExists(f"an account named {name!r} exists", field="name")
            session.identities.add_user(user)
            for role in sorted(given):
                separated(name, lambda role=role: session.identities.grant(name, role))  # type: ignore[misc]
            return user_of(session, name)

        return self._ledger.change(
            principal, "account.created", name, work, roles=sorted(given), password=phc is not None
        )

    def edit(
        self,
        principal: Principal,
        name: str,
        *,
        display_name: str | None = None,
        email: str | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change what is given; disabling ends its sessions, and every token of it for good.

        At once on this node.  Whoever is enabled again signs in and makes new ones.
        """
        demand(principal, Permission.IDENTITY_MANAGE)
        given = {"display_name": display_name, "email": email, "disabled": disabled}
        changes = {field: value for field, value in given.items() if value is not None}
        if not changes:
            raise BadRequest("nothing to change was given", rule="edit.empty")
        if email is not None:
            check_email(email)

        def work(session: Session) -> User:
            for token in session.identities.tokens(name) if disabled else ():
                if not token.revoked:
                    session.identities.revoke_token(token.id)
            if disabled:
                self._expel(session, name, principal)
            session.identities.update_user(replace(user_of(session, name), **changes))  # type: ignore[arg-type]
            return user_of(session, name)

        action = {True: "account.disabled", False: "account.enabled", None: "account.changed"}
        return self._ledger.change(principal, action[disabled], name, work, fields=sorted(changes))

    def delete(self, principal: Principal, name: str) -> None:
        """Remove an account that never asked for anything; the others can only be disabled.

        A later account of the same name would inherit the requests.
        """
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> None:
            user_of(session, name)
            if session.requests.find(RequestFilter(requester=name), Page(limit=1)):
                raise Conflict(
                    f"{name} has made requests, which stay on record under that name",
                    field="name",
                    rule="identity.has-history",
                    remedy="disable the account instead",
                )
            session.identities.delete_user(name)

        self._ledger.change(principal, "account.deleted", name, work)

    def set_password(
        self,
        principal: Principal,
        name: str,
        password: str,
        current: str | None = None,
        *,
        must_change: bool = False,
    ) -> None:
        """Set a password: another's with IDENTITY_MANAGE, one's own by knowing the *current* one.

        A stolen token alone thus cannot take over the account for good.  The
        account's sessions end.  *must_change*: it is good for choosing another
        one, and no more; nobody demands that of themselves.
        """
        demand(principal, Permission.AUTHENTICATED)
        if Permission.IDENTITY_MANAGE not in principal.permissions:
            if name != principal.name:
                demand(principal, Permission.IDENTITY_MANAGE)
            self._check_current(name, current)
        phc = self.new_hash(name, password)

        def work(session: Session) -> None:
            user = user_of(session, name)
            refuse_vouched(user)
            session.identities.update_user(
                replace(
                    user,
                    password_hash=phc,
                    failed_logins=0,
                    locked_until=None,
                    must_change_password=must_change and name != principal.name,
                )
            )
            self._expel(session, name, principal)

        self._ledger.change(principal, "password.changed", name, work)

    def unlock(self, principal: Principal, name: str) -> User:
        """End a lock-out before its time."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> User:
            user = user_of(session, name)
            session.identities.update_user(replace(user, failed_logins=0, locked_until=None))
            return user_of(session, name)

        return self._ledger.change(principal, "account.unlocked", name, work)

    def grant(self, principal: Principal, name: str, role: Role) -> User:
        """Give a role; Conflict (FMT_SMR.2) if the account holds one of another class."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> User:
            self._ledger.refuse_governed(user_of(session, name), role)
            user = adopt(session, user_of(session, name), CLASS_OF[role])
            if role not in user.roles:
                separated(name, lambda: session.identities.grant(name, role))
                self._expel(session, name, principal)
            return user_of(session, name)

        return self._ledger.change(principal, "role.granted", name, work, role=role.value)

    def withdraw(self, principal: Principal, name: str, role: Role) -> User:
        """Take a role away; NotFound if the account itself does not hold it."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> User:
            self._ledger.refuse_governed(user_of(session, name), role)
            if role not in user_of(session, name).roles:
                raise NotFound(
                    f"{name} does not hold {role.value} itself",
                    field="role",
                    rule="role.held",
                    remedy=f"`chancery user show {name}` tells which it holds",
                )
            session.identities.withdraw(name, role)
            self._expel(session, name, principal)
            return user_of(session, name)

        return self._ledger.change(principal, "role.withdrawn", name, work, role=role.value)

    def _expel(self, session: Session, name: str, principal: Principal) -> None:
        """End the account's sessions: whoever sits there signs in anew, as what it is now."""
        expel(session, name, principal, self._ledger.clock.ms())

    def _check_current(self, name: str, current: str | None) -> None:
        with self._ledger.store.read() as session:
            phc = user_of(session, name).password_hash
        if phc is None:
            return
        if current is None or not self._hasher.verify(phc, normalised(current)):
            raise BadRequest(
                "the current password is missing or wrong",
                field="current",
                rule="password.current",
            )
