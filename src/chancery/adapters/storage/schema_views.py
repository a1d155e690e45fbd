"""Tables of what people set up for themselves."""

from sqlalchemy import Column, ForeignKey, Table

from chancery.adapters.storage.schema import STRING, metadata, number, words

saved_filter = Table(
    "saved_filter",
    metadata,
    Column(
        "user_name", STRING, ForeignKey("user_account.name", ondelete="CASCADE"), primary_key=True
    ),
    words("list", key=True),
    words("name", key=True),
    words("query"),
    number("created_at"),
)
