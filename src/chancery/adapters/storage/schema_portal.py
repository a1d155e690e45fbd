"""Tables of the public portal, and the way from a code to its requests."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Table, text

from chancery.adapters.storage.schema import STRING, metadata, number, request, words

_OPEN = text("state = 'open'")
_WITH_CODE = text("code_sha256 IS NOT NULL")

Index(
    "ix_request_code",
    request.c.code_sha256,
    sqlite_where=_WITH_CODE,
    postgresql_where=_WITH_CODE,
)


def _certificate() -> Column[str]:
    reference = ForeignKey("certificate.id", ondelete="CASCADE")
    return Column("certificate_id", STRING, reference, nullable=False)


revocation_challenge = Table(
    "revocation_challenge",
    metadata,
    words("text", key=True),
    _certificate(),
    number("reason"),
    number("expires_at"),
    Index(None, "certificate_id"),
    Index(None, "expires_at"),
)

revocation_request = Table(
    "revocation_request",
    metadata,
    words("id", key=True),
    _certificate(),
    words("request_id"),
    words("authority"),
    words("serial"),
    number("reason"),
    words("note"),
    words("state"),
    number("created_at"),
    number("decided_at", null=True),
    words("decided_by", null=True),
    words("answer", null=True),
    CheckConstraint("state IN ('open', 'accepted', 'refused')", name="state"),
    Index(None, "state", "id"),
    Index(None, "request_id"),
    Index(
        "uq_revocation_request_open",
        "certificate_id",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
)

key_pickup = Table(
    "key_pickup",
    metadata,
    Column("request_id", STRING, ForeignKey("request.id", ondelete="CASCADE"), primary_key=True),
    number("first_at"),
    number("fetches"),
    Column("destroyed", Boolean, nullable=False),
    Index(None, "first_at"),
)
