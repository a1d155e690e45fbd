"""Leased jobs, the outbox of notifications, operations, daily figures."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
