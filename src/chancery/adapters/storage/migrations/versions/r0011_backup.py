"""Backups and drills on record."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def decided() -> tuple[sa.Column[str] | sa.Column[int], ...]:
    return (
        words("state"),
        words("proposed_by"),
        number("created_at"),
        words("decided_by", null=True),
        number("decided_at", null=True),
    )


def upgrade() -> None:
    op.create_table(
        "backup_key",
        words("id"),
        words("kind"),
        words("public"),
        words("label"),
        number("threshold"),
        number("shares"),
        *decided(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_key")),
    )
    op.create_table(
        "backup_order",
        words("id"),
        number("every_s", null=True),
        words("comment"),
        *decided(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_order")),
    )
    op.create_table(
        "backup",
        words("id"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup")),
        sa.UniqueConstraint("sequence", name=op.f("uq_backup_sequence")),
    )
    op.create_index(op.f("ix_backup_order_id_sequence"), "backup", ["order_id", "sequence"])
    op.create_table(
        "backup_drill",
        words("id"),
        number("backup_sequence"),
        words("backup_sha256"),
        number("good"),
        number("certificates"),
        number("records"),
        words("findings"),
        words("done_by"),
        number("done_at"),
        number("took_ms"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_drill")),
    )
