"""Tables of managed keys: groups, templates, keys, versions, orders, components, escrow.

What is looked for has a column; the rest of a record is in its ``document``.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint

from chancery.adapters.storage.schema import STRING, metadata, number, words

key_group = Table("key_group", metadata, words("name", key=True), words("document"))

key_template = Table("key_template", metadata, words("name", key=True), words("document"))

managed_key = Table(
    "managed_key",
    metadata,
    words("id", key=True),
    words("name"),
    Column("group_name", STRING, ForeignKey("key_group.name"), nullable=False),
    words("kind"),
    number("current"),
    number("rotates_at", null=True),
    words("document"),
    number("tells_at", null=True),
    UniqueConstraint("name"),
    Index(None, "group_name", "name"),
    Index(None, "rotates_at"),
    Index(None, "tells_at"),
)

key_version = Table(
    "key_version",
    metadata,
    Column("key_id", STRING, ForeignKey("managed_key.id"), primary_key=True),
    number("number", key=True),
    words("handle"),
    words("document"),
    UniqueConstraint("handle"),
)

key_order = Table(
    "key_order",
    metadata,
    words("id", key=True),
    words("key_name"),
    words("group_name"),
    words("state"),
    number("approvals"),
    words("document"),
    CheckConstraint("state IN ('open', 'approved', 'done', 'denied', 'expired')", name="state"),
    Index(None, "state", "id"),
)

key_entry = Table(
    "key_entry",
    metadata,
    words("id", key=True),
    words("key_name"),
    words("group_name"),
    Column("outward", Boolean, nullable=False),
    number("total"),
    words("document"),
    words("created_by"),
    number("created_at"),
    number("expires_at"),
    Column("closed", Boolean, nullable=False),
    Index(None, "expires_at"),
)

key_escrow = Table(
    "key_escrow",
    metadata,
    Column("key_id", STRING, ForeignKey("managed_key.id"), primary_key=True),
    number("number", key=True),
    words("document"),
    number("created_at"),
)
