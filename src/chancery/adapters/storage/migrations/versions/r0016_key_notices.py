"""What managed keys need."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_DAY_S = 86_400


def upgrade() -> None:
    op.add_column(
        "managed_key", sa.Column("tells_at", sa.BigInteger(), autoincrement=False, nullable=True)
    )
    op.create_index(op.f("ix_managed_key_tells_at"), "managed_key", ["tells_at"])
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT k.id, k.document, v.document FROM managed_key k"
            " JOIN key_version v ON v.key_id = k.id AND v.number = k.current"
        )
    ).all()
    for key_id, key, version in rows:
        at = _tells_at(json.loads(key), json.loads(version)["dates"])
        if at is not None:
            connection.execute(
                sa.text("UPDATE managed_key SET tells_at = :at WHERE id = :id"),
                {"at": at, "id": key_id},
            )


def _tells_at(key: dict, dates: dict) -> int | None:  # type: ignore[type-arg]
    """As ``key_notices.looked_at`` had it when this revision was made."""
    if dates["destroyed"] is not None or dates["compromised"] is not None:
        return None
    moments = [key["rotates_at"], dates["protect_stop"], dates["deactivation"]]
    known = [at for at in moments if at is not None]
    return min(known) - key["rotation"]["warn"] * _DAY_S if known else None
