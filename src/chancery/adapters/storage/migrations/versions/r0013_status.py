"""What answers about status need."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "ocsp_policy",
        sa.Column("authority", STRING, nullable=False),
        sa.Column("unissued", STRING, nullable=False),
        sa.Column("archive_s", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.CheckConstraint(
            "unissued IN ('unknown', 'revoked')", name=op.f("ck_ocsp_policy_unissued")
        ),
        sa.PrimaryKeyConstraint("authority", name=op.f("pk_ocsp_policy")),
    )
