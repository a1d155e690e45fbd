"""Sessions, second factors, and groups that sign in together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=False)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def account(table: str, name: str, *, null: bool = False) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column(name, STRING, nullable=null),
        sa.ForeignKeyConstraint(
            [name], ["user_account.name"], name=f"fk_{table}_{name}", ondelete="CASCADE"
        ),
    )


def upgrade() -> None:
    op.add_column(
        "user_account",
        sa.Column("must_change_password", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "user_group",
        sa.Column(
            "logins_required",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            server_default="1",
        ),
    )
    op.add_column("approval", sa.Column("partner", STRING, nullable=True))
    _sessions()
    _factors()


def _sessions() -> None:
    table = "web_session"
    op.create_table(
        table,
        words("id"),
        words("sha256"),
        *account(table, "user_name"),
        words("state"),
        words("methods"),
        words("csrf"),
        words("origin"),
        words("agent"),
        number("created_at"),
        number("seen_at"),
        number("ends_at"),
        number("proven_at"),
        *account(table, "partner", null=True),
        words("partner_methods"),
        number("partner_proven_at"),
        *account(table, "joining", null=True),
        words("challenge"),
        number("challenge_until"),
        sa.PrimaryKeyConstraint("id", name="pk_web_session"),
        sa.UniqueConstraint("sha256", name="uq_web_session_sha256"),
    )
    for column in ("user_name", "partner", "joining", "seen_at"):
        op.create_index(f"ix_{table}_{column}", table, [column])


def _factors() -> None:
    op.create_table(
        "totp_secret",
        *account("totp_secret", "user_name"),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        number("created_at"),
        number("last_step"),
        sa.PrimaryKeyConstraint("user_name", "confirmed", name="pk_totp_secret"),
    )
    op.create_table(
        "passkey",
        words("id"),
        *account("passkey", "user_name"),
        words("label"),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        number("sign_count"),
        words("transports"),
        sa.Column("synced", sa.Boolean(), nullable=False),
        number("created_at"),
        number("last_used_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_passkey"),
    )
    op.create_index("ix_passkey_user_name", "passkey", ["user_name"])
    op.create_table(
        "recovery_code",
        *account("recovery_code", "user_name"),
        words("sha256"),
        number("used_at", null=True),
        sa.PrimaryKeyConstraint("user_name", "sha256", name="pk_recovery_code"),
    )
