"""Doors by which devices and servers enrol, their credentials and transactions."""

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
