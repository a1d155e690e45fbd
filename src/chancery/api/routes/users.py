"""Accounts, their roles, and the client certificates that open them."""

from typing import Annotated

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Done, In, Name, Out, Text
from chancery.api.routing import Door, Who
from chancery.domain.errors import BadRequest
from chancery.domain.identity import ClientCertificate, Permission, Role, RoleClass, User

door = Door("/users", "users")

ROLES = Field(strict=False)  # JSON has no enumerations: the value stands for the member
Password = Annotated[str, Field(max_length=4096)]


class UserOut(Out):
    """An account.  *groups* may add to its own *roles*."""

    name: str
    display_name: str
    email: str
    roles: list[Role]
    groups: list[str]
    role_class: RoleClass
    disabled: bool
    has_password: bool
    directory: str | None = Field(description="Who vouches for it; null: nobody but this record.")
    must_change_password: bool
    failed_logins: int
    locked_until: int | None
    created_at: int


class UserIn(In):
    name: Name
    display_name: Text = ""
    email: Text = ""
    roles: list[Annotated[Role, ROLES]] = Field(default_factory=list)
    role_class: Annotated[RoleClass, ROLES] | None = Field(
        default=None, description="For an account without roles as yet."
    )
    password: Password | None = None
    must_change_password: bool = Field(
        default=False, description="Let the password be good for choosing another one only."
    )


class UserEdit(In):
    display_name: Text | None = None
    email: Text | None = None
    disabled: bool | None = None


class PasswordIn(In):
    password: Password
    current: Password | None = Field(default=None, description="Needed for one's own.")
    must_change: bool = Field(
        default=False, description="Another's: good for choosing another one only."
    )


class BindIn(In):
    certificate: Annotated[str, Field(max_length=65_536, description="PEM")]


class BoundOut(Out):
    sha256: str
    subject: str
    not_after: int
    created_at: int


def user_out(user: User) -> UserOut:
    names = ("name", "display_name", "email", "role_class", "disabled", "failed_logins")
    fields = {name: getattr(user, name) for name in (*names, "locked_until", "created_at")}
    return UserOut(
        **fields,
        roles=sorted(user.roles),
        groups=sorted(user.groups),
        has_password=user.password_hash is not None,
        must_change_password=user.must_change_password,
        directory=user.directory,
    )


def _bound_out(bound: ClientCertificate) -> BoundOut:
    return BoundOut.model_validate(bound, from_attributes=True)


@door.route("GET", "", Permission.IDENTITY_READ)
def list_users(who: Who, using: Using) -> list[UserOut]:
    """List every account, by name."""
    return [user_out(user) for user in using.identity.users.all(who)]


@door.route("POST", "", Permission.IDENTITY_MANAGE, status=201)
def create_user(who: Who, using: Using, body: UserIn) -> UserOut:
    """Make an account; its roles are of one class (FMT_SMR.2)."""
    user = using.identity.users.create(
        who,
        body.name,
        display_name=body.display_name,
        email=body.email,
        roles=body.roles,
        role_class=body.role_class,
        password=body.password,
        must_change=body.must_change_password,
    )
    return user_out(user)


@door.route("GET", "/{name}", Permission.AUTHENTICATED)
def show_user(who: Who, using: Using, name: str) -> UserOut:
    """Show an account: one's own, or any with identity.read."""
    return user_out(using.identity.users.show(who, name))


@door.route("PATCH", "/{name}", Permission.IDENTITY_MANAGE)
def edit_user(who: Who, using: Using, name: str, body: UserEdit) -> UserOut:
    """Change an account, disable or enable it."""
    return user_out(using.identity.users.edit(who, name, **body.model_dump()))


@door.route("DELETE", "/{name}", Permission.IDENTITY_MANAGE, status=204)
def delete_user(who: Who, using: Using, name: str) -> None:
    """Remove an account that never made a request."""
    using.identity.users.delete(who, name)


@door.route("POST", "/{name}/password", Permission.AUTHENTICATED)
def set_password(who: Who, using: Using, name: str, body: PasswordIn) -> Done:
    """Set a password: another's with identity.manage, one's own by knowing the current one."""
    using.identity.users.set_password(
        who, name, body.password, body.current, must_change=body.must_change
    )
    return Done()


@door.route("POST", "/{name}/unlock", Permission.IDENTITY_MANAGE)
def unlock_user(who: Who, using: Using, name: str) -> UserOut:
    """End a lock-out before its time."""
    return user_out(using.identity.users.unlock(who, name))


@door.route("PUT", "/{name}/roles/{role}", Permission.IDENTITY_MANAGE)
def grant_role(who: Who, using: Using, name: str, role: str) -> UserOut:
    """Give a role."""
    return user_out(using.identity.users.grant(who, name, _role(role)))


@door.route("DELETE", "/{name}/roles/{role}", Permission.IDENTITY_MANAGE)
def withdraw_role(who: Who, using: Using, name: str, role: str) -> UserOut:
    """Take a role away."""
    return user_out(using.identity.users.withdraw(who, name, _role(role)))


@door.route("GET", "/{name}/certificates", Permission.AUTHENTICATED)
def list_bound(who: Who, using: Using, name: str) -> list[BoundOut]:
    """List the client certificates that open an account."""
    return [_bound_out(bound) for bound in using.identity.certificates.of(who, name)]


@door.route("POST", "/{name}/certificates", Permission.IDENTITY_MANAGE, status=201)
def bind_certificate(who: Who, using: Using, name: str, body: BindIn) -> BoundOut:
    """Let a TLS client certificate open an account."""
    return _bound_out(using.identity.certificates.bind(who, name, body.certificate.encode()))


@door.route("DELETE", "/{name}/certificates/{sha256}", Permission.IDENTITY_MANAGE, status=204)
def unbind_certificate(who: Who, using: Using, name: str, sha256: str) -> None:
    """Let it open the account no longer."""
    using.identity.certificates.unbind(who, name, sha256)


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise BadRequest(
            f"no role {name[:40]!r}",
            field="role",
            rule="role.known",
            remedy="one of: " + ", ".join(Role),
        ) from None
