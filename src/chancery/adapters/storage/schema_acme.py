"""Tables of ACME accounts, orders and authorizations."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy import text as sql

from chancery.adapters.storage.schema import STRING, metadata, number, octets, words

_REPLACING = sql("replaces IS NOT NULL AND status <> 'invalid'")
_WITH_CERTIFICATE = sql("certificate_id IS NOT NULL")


def _of(table: str, column: str) -> Column[str]:
    reference = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(column, STRING, reference, nullable=False)


acme_account = Table(
    "acme_account",
    metadata,
    words("id", key=True),
    words("door"),
    words("status"),
    words("thumbprint"),
    words("jwk"),
    words("key_sha256"),
    words("contacts"),
    words("credential_id", null=True),
    words("reference"),
    Column("agreed", Boolean, nullable=False),
    number("created_at"),
    words("origin"),
    CheckConstraint("status IN ('valid', 'deactivated', 'revoked')", name="status"),
    UniqueConstraint("door", "thumbprint"),
    UniqueConstraint("credential_id"),
    Index(None, "door", "id"),
)

acme_order = Table(
    "acme_order",
    metadata,
    words("id", key=True),
    words("door"),
    _of("acme_account", "account"),
    words("identifiers"),
    words("profile", null=True),
    words("status"),
    number("expires_at"),
    number("created_at"),
    words("replaces", null=True),
    octets("csr", null=True),
    words("fault", null=True),
    words("certificate_id", null=True),
    CheckConstraint("status IN ('pending', 'processing', 'valid', 'invalid')", name="status"),
    Index(None, "account", "id"),
    Index(None, "door", "id"),
    Index(
        "uq_acme_order_replaces",
        "replaces",
        unique=True,
        sqlite_where=_REPLACING,
        postgresql_where=_REPLACING,
    ),
    Index(
        "ix_acme_order_certificate_id",
        "certificate_id",
        sqlite_where=_WITH_CERTIFICATE,
        postgresql_where=_WITH_CERTIFICATE,
    ),
)

acme_authorization = Table(
    "acme_authorization",
    metadata,
    words("id", key=True),
    words("door"),
    _of("acme_account", "account"),
    words("identifier"),
    words("status"),
    number("expires_at"),
    words("token"),
    words("challenges"),
    number("created_at"),
    words("tried", null=True),
    number("tried_at", null=True),
    words("fault", null=True),
    words("proof", null=True),
    number("validated_at", null=True),
    CheckConstraint(
        "status IN ('pending', 'valid', 'invalid', 'deactivated', 'revoked')", name="status"
    ),
    Index(None, "account", "identifier"),
)

acme_order_authorization = Table(
    "acme_order_authorization",
    metadata,
    Column("order_id", STRING, ForeignKey("acme_order.id", ondelete="CASCADE"), primary_key=True),
    number("position", key=True),
    _of("acme_authorization", "authorization_id"),
    Index(None, "authorization_id"),
)

# Only what was used: a nonce that was given out stands by itself.
acme_nonce = Table(
    "acme_nonce",
    metadata,
    words("nonce", key=True),
    number("expires_at"),
    Index(None, "expires_at"),
    sqlite_with_rowid=False,
)

acme_early = Table(
    "acme_early",
    metadata,
    words("id", key=True),
    words("authority", null=True),
    words("profile", null=True),
    words("serial", null=True),
    number("issued_before", null=True),
    number("start_at"),
    number("end_at"),
    words("explanation"),
    words("created_by"),
    number("created_at"),
    words("note"),
)
