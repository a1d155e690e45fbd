"""What a registration authority limits, and whom it tells; versions of every kind of policy."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=False)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def upgrade() -> None:
    op.create_table(
        "policy_version",
        words("kind"),
        words("name"),
        number("version"),
        words("sha256"),
        words("document"),
        number("created_at"),
        words("created_by"),
        sa.PrimaryKeyConstraint("kind", "name", "version", name="pk_policy_version"),
    )
    op.create_table(
        "accepted_risk",
        words("kind"),
        words("name"),
        words("risk"),
        words("reason"),
        words("accepted_by"),
        number("accepted_at"),
        sa.PrimaryKeyConstraint("kind", "name", "risk", name="pk_accepted_risk"),
    )
    op.create_table(
        "submission_count",
        words("ra"),
        words("who"),
        words("request_id"),
        sa.PrimaryKeyConstraint("ra", "who", "request_id", name="pk_submission_count"),
        sqlite_with_rowid=False,
    )
    _several_groups()
    for kind, table in (("dn-profile", "dn_profile"), ("ra", "registration_authority")):
        _first_version(kind, table)


def _several_groups() -> None:
    """One group that submits became a list: an RA must not open because its key was renamed."""
    link = op.get_bind()
    table = sa.table("registration_authority", sa.column("name"), sa.column("document"))
    for name, document in link.execute(sa.select(table.c.name, table.c.document)).fetchall():
        ra = json.loads(document)
        group = ra.pop("submit_group", None)
        ra.setdefault("submit_groups", [] if group is None else [group])
        changed = table.update().where(table.c.name == name).values(document=_canonical(ra))
        link.execute(changed)


def _first_version(kind: str, name: str) -> None:
    """What is in force becomes version 1, by nobody in particular."""
    link = op.get_bind()
    table = sa.table(name, sa.column("name"), sa.column("document"))
    versions = sa.table(
        "policy_version",
        *map(sa.column, ("kind", "name", "version", "sha256", "document")),
        *map(sa.column, ("created_at", "created_by")),
    )
    for row in link.execute(sa.select(table.c.name, table.c.document)).fetchall():
        first: dict[str, Any] = {
            "kind": kind,
            "name": row.name,
            "version": 1,
            "sha256": hashlib.sha256(row.document.encode()).hexdigest(),
            "document": row.document,
            "created_at": 0,
            "created_by": "system",
        }
        link.execute(versions.insert().values(**first))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
