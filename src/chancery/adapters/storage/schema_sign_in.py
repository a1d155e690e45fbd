"""Tables of browsers' sessions and of second factors."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, UniqueConstraint

from chancery.adapters.storage.schema import STRING, metadata, number, octets, words


def _account(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    """A reference that ends with the account."""
    account = ForeignKey("user_account.name", ondelete="CASCADE")
    return Column(name, STRING, account, nullable=null, primary_key=key)


web_session = Table(
    "web_session",
    metadata,
    words("id", key=True),
    words("sha256"),
    _account("user_name"),
    words("state"),
    words("methods"),
    words("csrf"),
    words("origin"),
    words("agent"),
    number("created_at"),
    number("seen_at"),
    number("ends_at"),
    number("proven_at"),
    _account("partner", null=True),
    words("partner_methods"),
    number("partner_proven_at"),
    _account("joining", null=True),
    words("challenge"),
    number("challenge_until"),
    UniqueConstraint("sha256"),
    Index(None, "user_name"),
    Index(None, "partner"),
    Index(None, "joining"),
    Index(None, "seen_at"),
)

totp_secret = Table(
    "totp_secret",
    metadata,
    _account("user_name", key=True),
    Column("confirmed", Boolean, primary_key=True),
    octets("sealed"),
    number("created_at"),
    number("last_step"),
)

passkey = Table(
    "passkey",
    metadata,
    words("id", key=True),
    _account("user_name"),
    words("label"),
    octets("public_key"),
    number("sign_count"),
    words("transports"),
    Column("synced", Boolean, nullable=False),
    number("created_at"),
    number("last_used_at", null=True),
    Index(None, "user_name"),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    _account("user_name", key=True),
    words("sha256", key=True),
    number("used_at", null=True),
)
