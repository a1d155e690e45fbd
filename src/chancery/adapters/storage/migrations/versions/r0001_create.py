"""Create every table, and the guards of the evidence."""

import sqlalchemy as sa
from alembic import op

from chancery.adapters.storage import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROLE_OF_CLASS = (
    "(role_class = 'audit' AND role IN ('auditor'))"
    " OR (role_class = 'ca-operations' AND role IN ('ca-operator'))"
    " OR (role_class = 'general' AND role IN ('administrator', 'ra-officer', 'requester'))"
)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, STRING, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def octets(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def truth(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def upgrade() -> None:  # noqa: PLR0915 - a statement for each table and each index
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        number("size"),
        number("time_ms"),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_leaf",
        sa.Column("seq", SEQUENCE, autoincrement=False, nullable=False),
        number("time_ms"),
        words("action"),
        words("actor"),
        words("subject_id"),
        octets("leaf"),
        octets("hash"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_leaf")),
    )
    op.create_index(op.f("ix_audit_leaf_action_seq"), "audit_leaf", ["action", "seq"])
    op.create_index(op.f("ix_audit_leaf_actor_seq"), "audit_leaf", ["actor", "seq"])
    op.create_index(op.f("ix_audit_leaf_subject_id_seq"), "audit_leaf", ["subject_id", "seq"])
    op.create_index(op.f("ix_audit_leaf_time_ms_seq"), "audit_leaf", ["time_ms", "seq"])
    op.create_table(
        "blocked_key",
        words("key_sha256"),
        words("why"),
        number("blocked_at"),
        sa.PrimaryKeyConstraint("key_sha256", name=op.f("pk_blocked_key")),
    )
    op.create_table(
        "certificate",
        words("id"),
        words("authority"),
        words("serial"),
        words("subject"),
        words("names"),
        number("not_before"),
        number("not_after"),
        words("key_sha256"),
        words("sha256"),
        words("profile"),
        words("profile_sha256"),
        words("request_id"),
        words("requester"),
        octets("der"),
        number("issued_at"),
        words("renewed_from", null=True),
        words("intent_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("serial", "authority", name=op.f("uq_certificate_serial_authority")),
        sa.UniqueConstraint("sha256", name=op.f("uq_certificate_sha256")),
    )
    op.create_index(op.f("ix_certificate_authority_id"), "certificate", ["authority", "id"])
    op.create_index(op.f("ix_certificate_key_sha256"), "certificate", ["key_sha256"])
    op.create_index(op.f("ix_certificate_not_after_id"), "certificate", ["not_after", "id"])
    op.create_index(op.f("ix_certificate_profile_id"), "certificate", ["profile", "id"])
    op.create_index(op.f("ix_certificate_request_id"), "certificate", ["request_id"])
    op.create_index(op.f("ix_certificate_requester_id"), "certificate", ["requester", "id"])
    op.create_index(op.f("ix_certificate_subject_id"), "certificate", ["subject", "id"])
    op.create_table(
        "certificate_name",
        words("name"),
        words("certificate_id"),
        sa.PrimaryKeyConstraint("name", "certificate_id", name=op.f("pk_certificate_name")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "container",
        words("name"),
        words("owner_group", null=True),
        words("description"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_container")),
    )
    op.create_table(
        "crl",
        words("authority"),
        number("number"),
        number("this_update"),
        number("next_update"),
        number("entries"),
        octets("der"),
        sa.PrimaryKeyConstraint("authority", "number", name=op.f("pk_crl")),
    )
    op.create_table(
        "crl_counter",
        words("authority"),
        number("number"),
        sa.PrimaryKeyConstraint("authority", name=op.f("pk_crl_counter")),
    )
    op.create_table(
        "crl_due",
        words("authority"),
        number("at"),
        sa.PrimaryKeyConstraint("authority", "at", name=op.f("pk_crl_due")),
    )
    op.create_index(op.f("ix_crl_due_at"), "crl_due", ["at"])
    op.create_table(
        "dn_profile",
        words("name"),
        words("document"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dn_profile")),
    )
    op.create_table(
        "idempotency",
        words("principal"),
        words("key"),
        words("request_sha256"),
        words("response"),
        number("created_at"),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "intent",
        words("id"),
        words("authority"),
        words("key_id"),
        words("serial"),
        octets("tbs"),
        words("request_id"),
        words("profile_sha256"),
        words("content_sha256"),
        number("created_at"),
        number("abandoned_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sa.UniqueConstraint("serial", "authority", name=op.f("uq_intent_serial_authority")),
    )
    op.create_table(
        "lint_result",
        words("linter"),
        words("certificate_id"),
        words("findings"),
        number("linted_at"),
        sa.PrimaryKeyConstraint("linter", "certificate_id", name=op.f("pk_lint_result")),
    )
    op.create_index(op.f("ix_lint_result_certificate_id"), "lint_result", ["certificate_id"])
    op.create_table(
        "profile_version",
        words("sha256"),
        words("name"),
        number("version"),
        words("document"),
        number("created_at"),
        words("created_by"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_profile_version")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_profile_version_name_version")),
    )
    op.create_table(
        "registration_authority",
        words("name"),
        words("document"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registration_authority")),
    )
    op.create_table(
        "request",
        words("id"),
        words("state"),
        words("kind"),
        words("ra"),
        words("authority"),
        words("profile"),
        words("profile_sha256"),
        words("requester"),
        words("subject"),
        words("names"),
        words("key_sha256"),
        words("key_algorithm"),
        words("serial"),
        number("lasting_s"),
        number("backdate_s"),
        number("latest"),
        words("after_issuer"),
        words("content_sha256"),
        words("server_key_id", null=True),
        number("approvals_needed"),
        number("created_at"),
        number("expires_at"),
        words("code_sha256", null=True),
        number("decided_at", null=True),
        words("decision_reason", null=True),
        words("certificate_id", null=True),
        words("renews", null=True),
        words("failure", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
    )
    op.create_index(op.f("ix_request_authority_id"), "request", ["authority", "id"])
    op.create_index(
        "ix_request_pending_expiry",
        "request",
        ["expires_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_request_pending_key",
        "request",
        ["key_sha256", "profile"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_request_pending_ra",
        "request",
        ["ra"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_request_profile_id"), "request", ["profile", "id"])
    op.create_index(op.f("ix_request_ra_id"), "request", ["ra", "id"])
    op.create_index(op.f("ix_request_requester_id"), "request", ["requester", "id"])
    op.create_index(op.f("ix_request_state_id"), "request", ["state", "id"])
    op.create_index(op.f("ix_request_subject_id"), "request", ["subject", "id"])
    op.create_table(
        "revocation",
        words("authority"),
        words("serial"),
        words("certificate_id"),
        words("status"),
        number("revoked_at"),
        number("reason"),
        number("invalidity_date", null=True),
        number("not_after"),
        sa.CheckConstraint("status IN ('held', 'revoked')", name=op.f("ck_revocation_status")),
        sa.PrimaryKeyConstraint("authority", "serial", name=op.f("pk_revocation")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_revocation_status_certificate_id"), "revocation", ["status", "certificate_id"]
    )
    op.create_table(
        "user_account",
        words("name"),
        words("display_name"),
        words("email"),
        words("role_class"),
        truth("disabled"),
        words("password_hash", null=True),
        number("failed_logins"),
        number("locked_until", null=True),
        number("created_at"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user_account")),
        sa.UniqueConstraint("name", "role_class", name=op.f("uq_user_account_name_role_class")),
    )
    op.create_table(
        "user_group",
        words("name"),
        words("description"),
        words("role_class"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user_group")),
        sa.UniqueConstraint("name", "role_class", name=op.f("uq_user_group_name_role_class")),
    )
    op.create_table(
        "api_token",
        words("id"),
        words("user_name"),
        words("label"),
        words("sha256"),
        words("scopes", null=True),
        number("created_at"),
        number("expires_at"),
        number("last_used_at", null=True),
        truth("revoked"),
        sa.ForeignKeyConstraint(
            ["user_name"],
            ["user_account.name"],
            name=op.f("fk_api_token_user_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_token_sha256")),
    )
    op.create_index(op.f("ix_api_token_user_name"), "api_token", ["user_name"])
    op.create_table(
        "approval",
        words("request_id"),
        words("approver"),
        words("content_sha256"),
        number("approved_at"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_approval_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "request_id", "approver", "content_sha256", name=op.f("pk_approval")
        ),
    )
    op.create_table(
        "authority",
        words("name"),
        words("container"),
        words("parent", null=True),
        words("subject"),
        words("key_id", null=True),
        words("key_algorithm"),
        words("signature_algorithm"),
        words("state"),
        truth("offline"),
        words("silo"),
        words("region"),
        words("security_level"),
        octets("certificate", null=True),
        words("chain"),
        number("created_at"),
        octets("csr", null=True),
        number("crl_lifetime_s"),
        number("crl_every_s"),
        words("ocsp_key_id", null=True),
        octets("ocsp_certificate", null=True),
        sa.ForeignKeyConstraint(
            ["container"], ["container.name"], name=op.f("fk_authority_container")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_authority")),
    )
    op.create_table(
        "client_certificate",
        words("sha256"),
        words("user_name"),
        words("subject"),
        number("not_after"),
        number("created_at"),
        sa.ForeignKeyConstraint(
            ["user_name"],
            ["user_account.name"],
            name=op.f("fk_client_certificate_user_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_client_certificate")),
    )
    op.create_index(op.f("ix_client_certificate_user_name"), "client_certificate", ["user_name"])
    op.create_table(
        "group_member",
        words("user_name"),
        words("group_name"),
        words("role_class"),
        sa.ForeignKeyConstraint(
            ["group_name", "role_class"],
            ["user_group.name", "user_group.role_class"],
            name=op.f("fk_group_member_group_name_role_class"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_name", "role_class"],
            ["user_account.name", "user_account.role_class"],
            name=op.f("fk_group_member_user_name_role_class"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_name", "group_name", name=op.f("pk_group_member")),
    )
    op.create_index(op.f("ix_group_member_group_name"), "group_member", ["group_name"])
    op.create_table(
        "group_role",
        words("group_name"),
        words("role"),
        words("role_class"),
        sa.CheckConstraint(ROLE_OF_CLASS, name=op.f("ck_group_role_class")),
        sa.ForeignKeyConstraint(
            ["group_name", "role_class"],
            ["user_group.name", "user_group.role_class"],
            name=op.f("fk_group_role_group_name_role_class"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("group_name", "role", name=op.f("pk_group_role")),
    )
    op.create_table(
        "profile_head",
        words("name"),
        words("sha256"),
        sa.ForeignKeyConstraint(
            ["sha256"], ["profile_version.sha256"], name=op.f("fk_profile_head_sha256")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_profile_head")),
    )
    op.create_table(
        "request_content",
        words("request_id"),
        octets("tbs_before"),
        octets("tbs_after"),
        octets("csr", null=True),
        words("submission"),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["request.id"],
            name=op.f("fk_request_content_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_request_content")),
    )
    op.create_table(
        "request_note",
        sa.Column("id", SEQUENCE, nullable=False),
        words("request_id"),
        words("author"),
        number("written_at"),
        words("text"),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["request.id"],
            name=op.f("fk_request_note_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_note")),
    )
    op.create_index(op.f("ix_request_note_request_id"), "request_note", ["request_id"])
    op.create_table(
        "user_role",
        words("user_name"),
        words("role"),
        words("role_class"),
        sa.CheckConstraint(ROLE_OF_CLASS, name=op.f("ck_user_role_class")),
        sa.ForeignKeyConstraint(
            ["user_name", "role_class"],
            ["user_account.name", "user_account.role_class"],
            name=op.f("fk_user_role_user_name_role_class"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_name", "role", name=op.f("pk_user_role")),
    )
    op.create_table(
        "authority_certificate",
        words("authority"),
        words("issuer"),
        words("serial"),
        words("kind"),
        words("key_id", null=True),
        octets("der"),
        number("not_before"),
        number("not_after"),
        number("created_at"),
        truth("current"),
        sa.ForeignKeyConstraint(
            ["authority"], ["authority.name"], name=op.f("fk_authority_certificate_authority")
        ),
        sa.PrimaryKeyConstraint(
            "authority", "issuer", "serial", name=op.f("pk_authority_certificate")
        ),
    )
    op.create_index(
        "uq_authority_certificate_current",
        "authority_certificate",
        ["authority"],
        unique=True,
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )

    op.execute("INSERT INTO audit_head (id, size, time_ms) VALUES (1, 0, 0)")
    postgres = op.get_bind().dialect.name == "postgresql"
    for statement in guards.POSTGRES if postgres else guards.SQLITE:
        op.get_bind().exec_driver_sql(statement)
