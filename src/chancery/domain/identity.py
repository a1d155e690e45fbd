"""Who acts: accounts, roles, and what each role may do.  Deny by default."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    CA_OPERATOR = "ca-operator"
    RA_OFFICER = "ra-officer"
    AUDITOR = "auditor"
    REQUESTER = "requester"


class RoleClass(StrEnum):
    """Roles of different classes never meet in one identity (FMT_SMR.2)."""

    AUDIT = "audit"
    CA_OPERATIONS = "ca-operations"
    GENERAL = "general"


CLASS_OF: dict[Role, RoleClass] = {
    Role.ADMINISTRATOR: RoleClass.GENERAL,
    Role.CA_OPERATOR: RoleClass.CA_OPERATIONS,
    Role.RA_OFFICER: RoleClass.GENERAL,
    Role.AUDITOR: RoleClass.AUDIT,
    Role.REQUESTER: RoleClass.GENERAL,
}


class Permission(StrEnum):
    """What a route or a command asks for.  PUBLIC and AUTHENTICATED are granted to no role.

    WORK is what goes on in the background: jobs, and messages to people and machines.
    """

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    REQUEST_SUBMIT = "request.submit"
    REQUEST_READ_ALL = "request.read-all"
    REQUEST_DECIDE = "request.decide"
    CERTIFICATE_READ = "certificate.read"
    CERTIFICATE_REVOKE = "certificate.revoke"
    CERTIFICATE_IMPORT = "certificate.import"
    AUTHORITY_READ = "authority.read"
    AUTHORITY_MANAGE = "authority.manage"
    CRL_ISSUE = "crl.issue"
    PROFILE_READ = "profile.read"
    PROFILE_MANAGE = "profile.manage"
    RA_READ = "ra.read"
    RA_MANAGE = "ra.manage"
    CREDENTIAL_READ = "credential.read"
    CREDENTIAL_ISSUE = "credential.issue"
    IDENTITY_READ = "identity.read"
    IDENTITY_MANAGE = "identity.manage"
    AUDIT_READ = "audit.read"
    KEY_READ = "key.read"
    KEY_USE = "key.use"
    KEY_MANAGE = "key.manage"
    KEY_POLICY = "key.policy"
    WORK_READ = "work.read"
    WORK_MANAGE = "work.manage"
    BACKUP_READ = "backup.read"
    BACKUP_MANAGE = "backup.manage"
    TOKEN_OWN = "token.own"  # noqa: S105 - a permission's name


_READ = frozenset(
    {
        Permission.AUTHENTICATED,
        Permission.CERTIFICATE_READ,
        Permission.AUTHORITY_READ,
        Permission.PROFILE_READ,
        Permission.RA_READ,
        Permission.TOKEN_OWN,
    }
)
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: _READ
    | {
        Permission.CREDENTIAL_READ,
        Permission.CREDENTIAL_ISSUE,
        Permission.PROFILE_MANAGE,
        Permission.RA_MANAGE,
        Permission.IDENTITY_READ,
        Permission.IDENTITY_MANAGE,
        Permission.REQUEST_READ_ALL,
        Permission.WORK_READ,
        Permission.WORK_MANAGE,
        Permission.KEY_READ,
        Permission.KEY_POLICY,
        Permission.BACKUP_READ,
        Permission.BACKUP_MANAGE,
    },
    Role.CA_OPERATOR: _READ
    | {
        Permission.CREDENTIAL_READ,
        Permission.AUTHORITY_MANAGE,
        Permission.CRL_ISSUE,
        Permission.CERTIFICATE_REVOKE,
        Permission.CERTIFICATE_IMPORT,
        Permission.REQUEST_READ_ALL,
        Permission.KEY_READ,
        Permission.KEY_USE,
        Permission.KEY_MANAGE,
        Permission.WORK_READ,
        Permission.BACKUP_READ,
        Permission.BACKUP_MANAGE,
    },
    Role.RA_OFFICER: _READ
    | {
        Permission.CREDENTIAL_READ,
        Permission.CREDENTIAL_ISSUE,
        Permission.REQUEST_SUBMIT,
        Permission.REQUEST_READ_ALL,
        Permission.REQUEST_DECIDE,
        Permission.CERTIFICATE_REVOKE,
        Permission.KEY_READ,
        Permission.KEY_USE,
    },
    Role.AUDITOR: _READ
    | {
        Permission.CREDENTIAL_READ,
        Permission.AUDIT_READ,
        Permission.REQUEST_READ_ALL,
        Permission.KEY_READ,
        Permission.IDENTITY_READ,
        Permission.WORK_READ,
        Permission.BACKUP_READ,
    },
    Role.REQUESTER: frozenset(
        {
            Permission.AUTHENTICATED,
            Permission.REQUEST_SUBMIT,
            Permission.CERTIFICATE_READ,
            Permission.AUTHORITY_READ,
            Permission.PROFILE_READ,
            Permission.RA_READ,
            Permission.KEY_READ,
            Permission.KEY_USE,
            Permission.TOKEN_OWN,
        }
    ),
}


class AuthMethod(StrEnum):
    NONE = "none"
    PASSWORD = "password"  # noqa: S105 - a method's name
    TOKEN = "token"  # noqa: S105
    CERTIFICATE = "certificate"
    SESSION = "session"
    SYSTEM = "system"
    DOOR = "door"  # a device or server, proven by a protocol of its own


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven identity and what it may do in this request: the only key to a service."""

    name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    permissions: frozenset[Permission]
    method: AuthMethod
    origin: str = ""  # network address, for the audit record
    fresh: bool = False  # proved who it is a moment ago: enough to change its own credentials
    partner: str = ""  # who is signed in together with *name*, in a joint session
    away: str = ""  # the directory that vouches for it and does not answer
    suspended: frozenset[Permission] = frozenset()  # what therefore has to wait
    owes: str = ""  # what it must do before it may do anything else
    ra: str = ""  # the one registration authority it is confined to: it came through a gateway

    @property
    def people(self) -> frozenset[str]:
        """Who acts: one, or both halves of a joint session."""
        return frozenset({self.name, self.partner} - {""})


CONFINED: frozenset[Permission] = frozenset(
    {
        Permission.PUBLIC,
        Permission.AUTHENTICATED,
        Permission.REQUEST_SUBMIT,
        Permission.REQUEST_READ_ALL,
        Permission.REQUEST_DECIDE,
        Permission.CERTIFICATE_READ,
        Permission.CERTIFICATE_REVOKE,
    }
)
"""What anybody may do through a gateway, at the most: the work of one registration authority."""


def confined(principal: Principal, ra: str) -> Principal:
    """*principal* as it counts through the gateway of *ra*; as it is where that is ""."""
    if not ra:
        return principal
    permissions = principal.permissions & CONFINED
    return replace(principal, permissions=permissions, ra=ra)


def anonymous(origin: str) -> Principal:
    """Nobody in particular: may do what is public, and submit where an RA allows it."""
    return Principal(
        "anonymous",
        frozenset(),
        frozenset(),
        frozenset({Permission.PUBLIC}),
        AuthMethod.NONE,
        origin,
    )


SYSTEM = Principal("system", frozenset(), frozenset(), frozenset(Permission), AuthMethod.SYSTEM)
"""Start-up, schedules and quickstart; never reachable from a door."""


@dataclass(frozen=True, slots=True)
class User:
    """An account.  *password_hash* is Argon2id in PHC form, None: no password of its own.

    *directory* names the directory or the identity provider that vouches for
    it; None: nobody but this record.
    """

    name: str
    display_name: str
    email: str
    roles: frozenset[Role]  # its own; those of its groups come on top
    groups: frozenset[str]
    role_class: RoleClass
    disabled: bool
    password_hash: str | None
    failed_logins: int
    locked_until: int | None
    created_at: int
    must_change_password: bool = False
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """People who share roles, own a container or decide about requests.

    Where *logins_required* is 2, membership counts only for two different
    members who have signed in together.
    """

    name: str
    description: str
    roles: frozenset[Role]
    role_class: RoleClass
    members: frozenset[str]
    logins_required: int = 1


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A bearer token: only its SHA-256 is kept.  *scopes* narrow the owner's permissions."""

    id: str
    user: str
    label: str
    sha256: str
    scopes: frozenset[Permission] | None  # None: all of the owner's
    created_at: int
    expires_at: int
    last_used_at: int | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A TLS client certificate bound to an account by its hash, not by its name."""

    user: str
    sha256: str
    subject: str
    not_after: int
    created_at: int
