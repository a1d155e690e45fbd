"""Leased jobs, the outbox of notifications, operations, daily figures."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def upgrade() -> None:
    _jobs()
    _outbox()
    _operations()
    op.create_table(
        "daily_figure",
        number("day"),
        words("authority"),
        words("profile"),
        number("issued"),
        number("revoked"),
        sa.PrimaryKeyConstraint("day", "authority", "profile", name=op.f("pk_daily_figure")),
    )
    op.create_table(
        "work_cursor",
        words("name"),
        number("position"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_work_cursor")),
    )


def _partial(name: str, table: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, ["id"], sqlite_where=condition, postgresql_where=condition)


def _jobs() -> None:
    op.create_table(
        "job",
        words("id"),
        words("kind"),
        words("payload"),
        number("due_at", null=True),
        number("attempts"),
        number("created_at"),
        words("leased_by", null=True),
        words("error", null=True),
        number("failed_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_due_at"), "job", ["due_at"])
    _partial("ix_job_failed", "job", "failed_at IS NOT NULL")


def _outbox() -> None:
    op.create_table(
        "notification",
        words("id"),
        words("event"),
        words("ra", null=True),
        words("about"),
        words("data"),
        words("mark", null=True),
        number("created_at"),
        number("expanded_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("mark", name=op.f("uq_notification_mark")),
    )
    op.create_index(op.f("ix_notification_about"), "notification", ["about"])
    _partial("ix_notification_fresh", "notification", "expanded_at IS NULL")
    op.create_table(
        "delivery",
        words("id"),
        words("notification_id"),
        words("channel"),
        words("recipient"),
        words("subject"),
        words("body"),
        number("created_at"),
        number("sent_at", null=True),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notification.id"],
            name=op.f("fk_delivery_notification_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "notification_id",
            "channel",
            "recipient",
            name=op.f("uq_delivery_notification_id_channel_recipient"),
        ),
    )
    op.create_index(op.f("ix_delivery_channel_id"), "delivery", ["channel", "id"])
    _partial("ix_delivery_unsent", "delivery", "sent_at IS NULL")
    op.create_table(
        "message_template",
        words("event"),
        number("version"),
        words("subject", null=True),
        words("text", null=True),
        words("html", null=True),
        number("created_at"),
        words("created_by"),
        sa.PrimaryKeyConstraint("event", "version", name=op.f("pk_message_template")),
    )
    op.create_table(
        "notification_opt_out",
        words("user_name"),
        words("event"),
        sa.ForeignKeyConstraint(
            ["user_name"],
            ["user_account.name"],
            name=op.f("fk_notification_opt_out_user_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_name", "event", name=op.f("pk_notification_opt_out")),
    )


def _operations() -> None:
    op.create_table(
        "operation",
        words("id"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
    )
    op.create_index(op.f("ix_operation_state_id"), "operation", ["state", "id"])
    op.create_index(op.f("ix_operation_started_by_id"), "operation", ["started_by", "id"])
    op.create_table(
        "operation_item",
        words("operation_id"),
        words("item_id"),
        words("detail", null=True),
        words("error", null=True),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["operation.id"],
            name=op.f("fk_operation_item_operation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("operation_id", "item_id", name=op.f("pk_operation_item")),
        sqlite_with_rowid=False,
    )
