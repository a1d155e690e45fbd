"""Deltas, shards and the state of publication."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def words(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null, server_default=default)


def number(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger(), autoincrement=False, nullable=null, server_default=default
    )


def octets(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def upgrade() -> None:
    op.add_column("authority", number("crl_delta_every_s", default="0"))
    op.add_column("authority", words("crl_on_revocation", default="all"))
    op.add_column("authority", number("crl_jitter_s", default="0"))
    op.add_column("authority", words("crl_shards", default="[]"))
    flag = sa.Boolean()
    for name in ("crl_ca_list", "crl_keep_expired"):
        op.add_column("authority", sa.Column(name, flag, nullable=False, server_default=sa.false()))
    op.add_column("authority", words("crl_indirect", default="[]"))
    op.add_column("revocation", octets("entry", null=True))
    op.add_column("revocation", number("changed", default="0"))
    op.create_index(op.f("ix_revocation_authority_changed"), "revocation", ["authority", "changed"])
    op.add_column("crl", words("name", null=True))
    op.add_column("crl", number("seq", default="0"))
    op.create_table(
        "crl_list",
        words("name"),
        words("authority"),
        number("number"),
        number("this_update"),
        number("next_update"),
        number("entries"),
        words("sha256"),
        number("size"),
        number("base", null=True),
        number("seq"),
        octets("der"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_crl_list")),
    )
    op.create_index(op.f("ix_crl_list_authority"), "crl_list", ["authority"])
    op.create_table(
        "crl_removed",
        words("authority"),
        words("serial"),
        number("changed"),
        number("not_after"),
        octets("entry"),
        sa.PrimaryKeyConstraint("authority", "serial", name=op.f("pk_crl_removed")),
    )
    op.create_table(
        "publication",
        words("publisher"),
        words("file"),
        words("sha256", null=True),
        number("published_at", null=True),
        number("attempts"),
        words("error", null=True),
        number("next_at"),
        sa.PrimaryKeyConstraint("publisher", "file", name=op.f("pk_publication")),
    )
    op.create_table(
        "crl_watch",
        words("url"),
        words("authority"),
        words("name"),
        words("state"),
        words("said"),
        number("number", null=True),
        number("this_update", null=True),
        number("next_update", null=True),
        number("seen_at"),
        number("since"),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_crl_watch")),
    )
