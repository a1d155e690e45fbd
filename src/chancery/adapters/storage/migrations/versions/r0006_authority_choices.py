"""What each CA chooses about its CRLs; the estate that was imported."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=False, server_default=default)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def upgrade() -> None:
    op.add_column("authority", words("crl_idp", default="none"))
    op.add_column("authority", words("crl_urls", default='["{http}/crl/{ca}.crl"]'))
    op.create_table(
        "estate_import",
        words("id"),
        words("state"),
        words("created_by"),
        number("created_at"),
        number("finished_at", null=True),
        words("files"),
        words("choices"),
        number("total"),
        number("position"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_estate_import")),
    )
    op.create_table(
        "estate_row",
        words("import_id"),
        number("number"),
        words("outcome"),
        words("document"),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["estate_import.id"],
            name=op.f("fk_estate_row_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_estate_row")),
    )
    op.create_index(
        op.f("ix_estate_row_import_id_outcome_number"),
        "estate_row",
        ["import_id", "outcome", "number"],
    )
