"""Doors by which devices and servers enrol, their credentials and transactions."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def upgrade() -> None:
    op.create_table(
        "door",
        _words("name"),
        _words("document"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_door")),
    )
    op.create_table(
        "enrolment_credential",
        _words("id"),
        _words("door"),
        _words("kind"),
        _words("reference"),
        _words("binding"),
        _words("created_by"),
        _number("created_at"),
        _words("verifier"),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        _number("uses_left", null=True),
        _number("failures"),
        _number("max_failures"),
        _words("state"),
        _number("expires_at", null=True),
        _number("spent_at", null=True),
        _words("note"),
        _words("data"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_credential")),
        sa.UniqueConstraint(
            "door", "reference", name=op.f("uq_enrolment_credential_door_reference")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'spent', 'locked', 'revoked')",
            name=op.f("ck_enrolment_credential_state"),
        ),
        sa.CheckConstraint("uses_left >= 0", name=op.f("ck_enrolment_credential_uses_left")),
    )
    op.create_index(op.f("ix_enrolment_credential_door_id"), "enrolment_credential", ["door", "id"])
    op.create_table(
        "enrolment_transaction",
        _words("door"),
        _words("id"),
        _words("key_sha256"),
        _words("request_sha256"),
        _words("request_id"),
        _words("credential_id", null=True),
        _number("created_at"),
        _words("data"),
        sa.PrimaryKeyConstraint("door", "id", name=op.f("pk_enrolment_transaction")),
    )
    for column in ("request_id", "created_at"):
        name = op.f(f"ix_enrolment_transaction_{column}")
        op.create_index(name, "enrolment_transaction", [column])
    op.create_table(
        "door_message",
        _words("id"),
        _words("door"),
        _number("at"),
        _words("operation"),
        _words("outcome"),
        _words("who"),
        _words("origin"),
        _words("detail"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_door_message")),
    )
    op.create_index(op.f("ix_door_message_door_id"), "door_message", ["door", "id"])
    op.create_index(op.f("ix_door_message_at"), "door_message", ["at"])
