"""Keys, their groups, versions and states."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def truth(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [to], name=op.f(f"fk_{table}_{column}"))


def unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=op.f(f"uq_{table}_{column}"))


def upgrade() -> None:
    for table in ("key_group", "key_template"):
        op.create_table(table, words("name"), words("document"), primary(table, "name"))
    table = "managed_key"
    op.create_table(
        table,
        words("id"),
        words("name"),
        words("group_name"),
        words("kind"),
        number("current"),
        number("rotates_at", null=True),
        words("document"),
        primary(table, "id"),
        reference(table, "group_name", "key_group.name"),
        unique(table, "name"),
    )
    op.create_index(op.f(f"ix_{table}_group_name_name"), table, ["group_name", "name"])
    op.create_index(op.f(f"ix_{table}_rotates_at"), table, ["rotates_at"])
    table = "key_version"
    op.create_table(
        table,
        words("key_id"),
        number("number"),
        words("handle"),
        words("document"),
        primary(table, "key_id", "number"),
        reference(table, "key_id", "managed_key.id"),
        unique(table, "handle"),
    )
    _work()
    table = "key_escrow"
    op.create_table(
        table,
        words("key_id"),
        number("number"),
        words("document"),
        number("created_at"),
        primary(table, "key_id", "number"),
        reference(table, "key_id", "managed_key.id"),
    )


def _work() -> None:
    table = "key_order"
    op.create_table(
        table,
        words("id"),
        words("key_name"),
        words("group_name"),
        words("state"),
        number("approvals"),
        words("document"),
        sa.CheckConstraint(
            "state IN ('open', 'approved', 'done', 'denied', 'expired')",
            name=op.f(f"ck_{table}_state"),
        ),
        primary(table, "id"),
    )
    op.create_index(op.f(f"ix_{table}_state_id"), table, ["state", "id"])
    table = "key_entry"
    op.create_table(
        table,
        words("id"),
        words("key_name"),
        words("group_name"),
        truth("outward"),
        number("total"),
        words("document"),
        words("created_by"),
        number("created_at"),
        number("expires_at"),
        truth("closed"),
        primary(table, "id"),
    )
    op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])
