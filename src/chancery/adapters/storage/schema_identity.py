"""Tables of accounts, groups and credentials.

Separation of roles (FMT_SMR.2) is a property of the tables: an account and a
group each have one ``role_class``; every role and every membership repeats it
in a composite foreign key, and a check ties each role to its class.  However
the rows are written, no identity can hold roles of two classes.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    false,
)

from chancery.adapters.storage.schema import STRING, metadata, number, words
from chancery.domain.identity import CLASS_OF, RoleClass

_ROLE_OF_CLASS = " OR ".join(
    f"(role_class = '{kind.value}' AND role IN ("
    + ", ".join(f"'{role.value}'" for role, of in sorted(CLASS_OF.items()) if of is kind)
    + "))"
    for kind in RoleClass
)

user_account = Table(
    "user_account",
    metadata,
    words("name", key=True),
    words("display_name"),
    words("email"),
    words("role_class"),
    Column("disabled", Boolean, nullable=False),
    words("password_hash", null=True),
    number("failed_logins"),
    number("locked_until", null=True),
    number("created_at"),
    Column("must_change_password", Boolean, nullable=False, server_default=false()),
    words("directory", null=True),
    UniqueConstraint("name", "role_class"),
    # Whom a directory vouches for has no second password here.
    CheckConstraint("directory IS NULL OR password_hash IS NULL", name="one_password"),
)

user_role = Table(
    "user_role",
    metadata,
    words("user_name", key=True),
    words("role", key=True),
    words("role_class"),
    CheckConstraint(_ROLE_OF_CLASS, name="class"),
    ForeignKeyConstraint(
        ["user_name", "role_class"],
        ["user_account.name", "user_account.role_class"],
        ondelete="CASCADE",
    ),
)

user_group = Table(
    "user_group",
    metadata,
    words("name", key=True),
    words("description"),
    words("role_class"),
    Column("logins_required", BigInteger, nullable=False, server_default="1"),
    UniqueConstraint("name", "role_class"),
)

group_role = Table(
    "group_role",
    metadata,
    words("group_name", key=True),
    words("role", key=True),
    words("role_class"),
    CheckConstraint(_ROLE_OF_CLASS, name="class"),
    ForeignKeyConstraint(
        ["group_name", "role_class"],
        ["user_group.name", "user_group.role_class"],
        ondelete="CASCADE",
    ),
)

group_member = Table(
    "group_member",
    metadata,
    words("user_name", key=True),
    words("group_name", key=True),
    words("role_class"),
    ForeignKeyConstraint(
        ["user_name", "role_class"],
        ["user_account.name", "user_account.role_class"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["group_name", "role_class"],
        ["user_group.name", "user_group.role_class"],
        ondelete="CASCADE",
    ),
    Index(None, "group_name"),
)

api_token = Table(
    "api_token",
    metadata,
    words("id", key=True),
    Column(
        "user_name", STRING, ForeignKey("user_account.name", ondelete="CASCADE"), nullable=False
    ),
    words("label"),
    words("sha256"),
    words("scopes", null=True),
    number("created_at"),
    number("expires_at"),
    number("last_used_at", null=True),
    Column("revoked", Boolean, nullable=False),
    UniqueConstraint("sha256"),
    Index(None, "user_name"),
)

client_certificate = Table(
    "client_certificate",
    metadata,
    words("sha256", key=True),
    Column(
        "user_name", STRING, ForeignKey("user_account.name", ondelete="CASCADE"), nullable=False
    ),
    words("subject"),
    number("not_after"),
    number("created_at"),
    Index(None, "user_name"),
)
