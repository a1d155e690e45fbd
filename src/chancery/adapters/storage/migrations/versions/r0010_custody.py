"""Ceremonies, bundles and custodians."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def upgrade() -> None:
    op.create_table(
        "custodian",
        words("name"),
        words("full_name"),
        words("recipient"),
        number("created_at"),
        number("retired_at", null=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_custodian")),
    )
    table = "custody_set"
    op.create_table(
        table,
        words("digest"),
        words("set_id"),
        words("purpose"),
        words("document"),
        number("made_at"),
        number("retired_at", null=True),
        sa.CheckConstraint(
            "purpose IN ('vault', 'backup', 'offline-store')", name=op.f(f"ck_{table}_purpose")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_purpose_made_at"), table, ["purpose", "made_at"])
    table = "signing_bundle"
    op.create_table(
        table,
        words("id"),
        words("state"),
        words("text"),
        words("sha256"),
        number("items"),
        number("audit_seq"),
        words("created_by"),
        number("created_at"),
        words("closed_by", null=True),
        number("closed_at", null=True),
        sa.CheckConstraint(
            "state IN ('open', 'answered', 'withdrawn')", name=op.f(f"ck_{table}_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_state_id"), table, ["state", "id"])
