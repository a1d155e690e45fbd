"""What answers about status need."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    column = sa.Column("requests", STRING, nullable=False, server_default="ignore")
    op.add_column("ocsp_policy", column)
