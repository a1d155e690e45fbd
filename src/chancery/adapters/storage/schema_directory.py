"""Tables of accounts that others vouch for, and of sign-ins that are at a provider."""

from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from chancery.adapters.storage.schema import STRING, metadata, number, words

vouched_account = Table(
    "vouched_account",
    metadata,
    Column(
        "user_name", STRING, ForeignKey("user_account.name", ondelete="CASCADE"), primary_key=True
    ),
    words("source"),
    words("subject"),
    words("login"),
    number("vouched_at"),
    UniqueConstraint("source", "subject"),
)

sign_in_flow = Table(
    "sign_in_flow",
    metadata,
    words("sha256", key=True),
    words("provider"),
    words("nonce"),
    words("verifier"),
    words("return_to"),
    words("purpose"),
    number("begun_at"),
    Index(None, "begun_at"),
)
