"""What the public portal keeps: sentences to sign, wishes to revoke, keys that were fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OPEN = sa.text("state = 'open'")
WITH_CODE = sa.text("code_sha256 IS NOT NULL")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [to], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_index(
        "ix_request_code",
        "request",
        ["code_sha256"],
        sqlite_where=WITH_CODE,
        postgresql_where=WITH_CODE,
    )
    table = "revocation_challenge"
    op.create_table(
        table,
        words("text"),
        words("certificate_id"),
        number("reason"),
        number("expires_at"),
        sa.PrimaryKeyConstraint("text", name=op.f(f"pk_{table}")),
        reference(table, "certificate_id", "certificate.id"),
    )
    op.create_index(op.f(f"ix_{table}_certificate_id"), table, ["certificate_id"])
    op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])
    _revocation_requests()
    table = "key_pickup"
    op.create_table(
        table,
        words("request_id"),
        number("first_at"),
        number("fetches"),
        sa.Column("destroyed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f(f"pk_{table}")),
        reference(table, "request_id", "request.id"),
    )
    op.create_index(op.f(f"ix_{table}_first_at"), table, ["first_at"])


def _revocation_requests() -> None:
    table = "revocation_request"
    op.create_table(
        table,
        words("id"),
        words("certificate_id"),
        words("request_id"),
        words("authority"),
        words("serial"),
        number("reason"),
        words("note"),
        words("state"),
        number("created_at"),
        number("decided_at", null=True),
        words("decided_by", null=True),
        words("answer", null=True),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'refused')", name=op.f(f"ck_{table}_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        reference(table, "certificate_id", "certificate.id"),
    )
    op.create_index(op.f(f"ix_{table}_state_id"), table, ["state", "id"])
    op.create_index(op.f(f"ix_{table}_request_id"), table, ["request_id"])
    op.create_index(
        f"uq_{table}_open",
        table,
        ["certificate_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
