"""Fewer pages to write for each certificate; searches that people keep."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    table = "saved_filter"
    op.create_table(
        table,
        sa.Column("user_name", STRING, nullable=False),
        sa.Column("list", STRING, nullable=False),
        sa.Column("name", STRING, nullable=False),
        sa.Column("query", STRING, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_name"],
            ["user_account.name"],
            name=op.f(f"fk_{table}_user_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_name", "list", "name", name=op.f(f"pk_{table}")),
    )
