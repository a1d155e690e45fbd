"""Tables of work in the background: leased jobs, the outbox, operations, daily figures."""

from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint, text

from chancery.adapters.storage.schema import STRING, metadata, number, words

_FAILED = text("failed_at IS NOT NULL")
_FRESH = text("expanded_at IS NULL")
_UNSENT = text("sent_at IS NULL")

# Done jobs leave the table, so what is left is what waits, runs or was given up.
# due_at: when it may be taken; of one that runs, the end of its lease; NULL: given up.
job = Table(
    "job",
    metadata,
    words("id", key=True),
    words("kind"),
    words("payload"),
    number("due_at", null=True),
    number("attempts"),
    number("created_at"),
    words("leased_by", null=True),
    words("error", null=True),
    number("failed_at", null=True),
    Index(None, "due_at"),
    Index("ix_job_failed", "id", sqlite_where=_FAILED, postgresql_where=_FAILED),
)

# What happened and somebody wants to hear of; `mark` makes some of them happen once.
notification = Table(
    "notification",
    metadata,
    words("id", key=True),
    words("event"),
    words("ra", null=True),
    words("about"),
    words("data"),
    words("mark", null=True),
    number("created_at"),
    number("expanded_at", null=True),
    UniqueConstraint("mark"),
    Index("ix_notification_fresh", "id", sqlite_where=_FRESH, postgresql_where=_FRESH),
    Index(None, "about"),
)

# One message to one recipient, as it was or will be sent.  The job of the same id sends it.
delivery = Table(
    "delivery",
    metadata,
    words("id", key=True),
    Column(
        "notification_id", STRING, ForeignKey("notification.id", ondelete="CASCADE"), nullable=False
    ),
    words("channel"),
    words("recipient"),
    words("subject"),
    words("body"),
    number("created_at"),
    number("sent_at", null=True),
    UniqueConstraint("notification_id", "channel", "recipient"),
    Index(None, "channel", "id"),
    Index("ix_delivery_unsent", "id", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
)

# The newest version is in force; one without texts puts the shipped default back.
message_template = Table(
    "message_template",
    metadata,
    words("event", key=True),
    number("version", key=True),
    words("subject", null=True),
    words("text", null=True),
    words("html", null=True),
    number("created_at"),
    words("created_by"),
)

notification_opt_out = Table(
    "notification_opt_out",
    metadata,
    Column(
        "user_name", STRING, ForeignKey("user_account.name", ondelete="CASCADE"), primary_key=True
    ),
    words("event", key=True),
)

operation = Table(
    "operation",
    metadata,
    words("id", key=True),
    words("kind"),
    words("state"),
    words("started_by"),
    words("principal"),
    words("parameters"),
    number("total"),
    number("done"),
    number("skipped"),
    number("failed"),
    words("position"),
    words("failure", null=True),
    number("created_at"),
    number("started_at", null=True),
    number("finished_at", null=True),
    words("cancelled_by", null=True),
    Index(None, "state", "id"),
    Index(None, "started_by", "id"),
)

# What an operation has still to do, and what of it went wrong; the rest leaves as it is done.
operation_item = Table(
    "operation_item",
    metadata,
    Column(
        "operation_id", STRING, ForeignKey("operation.id", ondelete="CASCADE"), primary_key=True
    ),
    words("item_id", key=True),
    words("detail", null=True),
    words("error", null=True),
    sqlite_with_rowid=False,
)

# Counted from the audit log as it grows; `day` counts from 1970-01-01 (UTC).
daily_figure = Table(
    "daily_figure",
    metadata,
    number("day", key=True),
    words("authority", key=True),
    words("profile", key=True),
    number("issued"),
    number("revoked"),
)

# How far something that walks along the record has come.
work_cursor = Table("work_cursor", metadata, words("name", key=True), number("position"))
