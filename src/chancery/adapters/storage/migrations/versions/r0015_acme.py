"""What ACME keeps: accounts, orders, authorizations."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def octets(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )


def status(table: str, *states: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{state}'" for state in states)
    return sa.CheckConstraint(f"status IN ({listed})", name=op.f(f"ck_{table}_status"))


def index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def upgrade() -> None:
    _accounts()
    _orders()
    _authorizations()
    op.create_table(
        "acme_nonce",
        words("nonce"),
        number("expires_at"),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_acme_nonce")),
        sqlite_with_rowid=False,
    )
    index("acme_nonce", "expires_at")
    op.create_table(
        "acme_early",
        words("id"),
        words("authority", null=True),
        words("profile", null=True),
        words("serial", null=True),
        number("issued_before", null=True),
        number("start_at"),
        number("end_at"),
        words("explanation"),
        words("created_by"),
        number("created_at"),
        words("note"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acme_early")),
    )


def _accounts() -> None:
    table = "acme_account"
    op.create_table(
        table,
        words("id"),
        words("door"),
        words("status"),
        words("thumbprint"),
        words("jwk"),
        words("key_sha256"),
        words("contacts"),
        words("credential_id", null=True),
        words("reference"),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        number("created_at"),
        words("origin"),
        status(table, "valid", "deactivated", "revoked"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("door", "thumbprint", name=op.f(f"uq_{table}_door_thumbprint")),
        sa.UniqueConstraint("credential_id", name=op.f(f"uq_{table}_credential_id")),
    )
    index(table, "door", "id")


def _orders() -> None:
    table = "acme_order"
    op.create_table(
        table,
        words("id"),
        words("door"),
        words("account"),
        words("identifiers"),
        words("profile", null=True),
        words("status"),
        number("expires_at"),
        number("created_at"),
        words("replaces", null=True),
        octets("csr", null=True),
        words("fault", null=True),
        words("certificate_id", null=True),
        status(table, "pending", "processing", "valid", "invalid"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        reference(table, "account", "acme_account"),
    )
    index(table, "account", "id")
    index(table, "door", "id")
    replacing = sa.text("replaces IS NOT NULL AND status <> 'invalid'")
    certified = sa.text("certificate_id IS NOT NULL")
    op.create_index(
        f"uq_{table}_replaces",
        table,
        ["replaces"],
        unique=True,
        sqlite_where=replacing,
        postgresql_where=replacing,
    )
    op.create_index(
        f"ix_{table}_certificate_id",
        table,
        ["certificate_id"],
        sqlite_where=certified,
        postgresql_where=certified,
    )


def _authorizations() -> None:
    table = "acme_authorization"
    op.create_table(
        table,
        words("id"),
        words("door"),
        words("account"),
        words("identifier"),
        words("status"),
        number("expires_at"),
        words("token"),
        words("challenges"),
        number("created_at"),
        words("tried", null=True),
        number("tried_at", null=True),
        words("fault", null=True),
        words("proof", null=True),
        number("validated_at", null=True),
        status(table, "pending", "valid", "invalid", "deactivated", "revoked"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        reference(table, "account", "acme_account"),
    )
    index(table, "account", "identifier")
    table = "acme_order_authorization"
    op.create_table(
        table,
        words("order_id"),
        number("position"),
        words("authorization_id"),
        sa.PrimaryKeyConstraint("order_id", "position", name=op.f(f"pk_{table}")),
        reference(table, "order_id", "acme_order"),
        reference(table, "authorization_id", "acme_authorization"),
    )
    index(table, "authorization_id")
