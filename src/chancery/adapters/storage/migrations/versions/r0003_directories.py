"""Accounts that a directory or an identity provider vouches for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=False)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def upgrade() -> None:
    collation = ' COLLATE "C"' if op.get_context().dialect.name == "postgresql" else ""
    # In one statement with its check: SQLite adds none later without rebuilding the table.
    op.execute(
        f"ALTER TABLE user_account ADD COLUMN directory TEXT{collation}"
        " CONSTRAINT ck_user_account_one_password"
        " CHECK (directory IS NULL OR password_hash IS NULL)"
    )
    op.create_table(
        "vouched_account",
        words("user_name"),
        words("source"),
        words("subject"),
        words("login"),
        number("vouched_at"),
        sa.PrimaryKeyConstraint("user_name", name="pk_vouched_account"),
        sa.UniqueConstraint("source", "subject", name="uq_vouched_account_source_subject"),
        sa.ForeignKeyConstraint(
            ["user_name"],
            ["user_account.name"],
            name="fk_vouched_account_user_name",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "sign_in_flow",
        words("sha256"),
        words("provider"),
        words("nonce"),
        words("verifier"),
        words("return_to"),
        words("purpose"),
        number("begun_at"),
        sa.PrimaryKeyConstraint("sha256", name="pk_sign_in_flow"),
    )
    op.create_index("ix_sign_in_flow_begun_at", "sign_in_flow", ["begun_at"])
