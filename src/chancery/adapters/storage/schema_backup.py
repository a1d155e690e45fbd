"""Tables of backups: who opens them, who ordered them, what was made, what drills found.

Lists and counts are JSON.  A sequence is given out once, whatever becomes of its backup.
"""

from sqlalchemy import Index, Table, UniqueConstraint

from chancery.adapters.storage.schema import metadata, number, words

backup_key = Table(
    "backup_key",
    metadata,
    words("id", key=True),
    words("kind"),
    words("public"),
    words("label"),
    number("threshold"),
    number("shares"),
    words("state"),
    words("proposed_by"),
    number("created_at"),
    words("decided_by", null=True),
    number("decided_at", null=True),
)

backup_order = Table(
    "backup_order",
    metadata,
    words("id", key=True),
    number("every_s", null=True),
    words("comment"),
    words("state"),
    words("proposed_by"),
    number("created_at"),
    words("decided_by", null=True),
    number("decided_at", null=True),
)

backup = Table(
    "backup",
    metadata,
    words("id", key=True),
    number("sequence"),
    words("order_id"),
    words("state"),
    number("started_at"),
    words("name"),
    number("octets"),
    words("sha256"),
    words("manifest_sha256"),
    number("log_size"),
    words("tables"),
    words("copies"),
    words("late"),
    number("finished_at", null=True),
    words("failure", null=True),
    UniqueConstraint("sequence"),
    Index(None, "order_id", "sequence"),
)

backup_drill = Table(
    "backup_drill",
    metadata,
    words("id", key=True),
    number("backup_sequence"),
    words("backup_sha256"),
    number("good"),
    number("certificates"),
    number("records"),
    words("findings"),
    words("done_by"),
    number("done_at"),
    number("took_ms"),
)
