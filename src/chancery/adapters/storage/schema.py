"""Tables of requests, certificates and their status, the audit log, and work in progress.

Times are Unix seconds unless a name ends in ``_ms``; hashes are lower-case
hex; ``names`` and other structured columns hold JSON.  Ids are UUIDv7 text, so
an index ending in ``id`` yields newest-first pages without sorting.

Rows that bear witness (certificates, revocations, audit leaves) are guarded by
the triggers of ``guards.py`` as well.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Byte order on both engines: prefix search becomes an index range, and the
# order of ids is the order of time whatever the server's locale.
STRING = Text().with_variant(Text(collation="C"), "postgresql")
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # SQLite's rowid must be INTEGER


def words(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    return Column(name, STRING, nullable=null, primary_key=key)


def number(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null, primary_key=key, autoincrement=False)


def octets(name: str, *, null: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=null)


_PENDING = text("state = 'pending'")

request = Table(
    "request",
    metadata,
    words("id", key=True),
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
    Index(None, "state", "id"),
    Index(None, "ra", "id"),
    Index(None, "authority", "id"),
    Index(None, "profile", "id"),
    Index(None, "requester", "id"),
    Index(None, "subject", "id"),
    # Few requests wait at any time, so what asks about waiting ones stays tiny.
    Index(
        "ix_request_pending_key",
        "key_sha256",
        "profile",
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    ),
    Index("ix_request_pending_ra", "ra", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index(
        "ix_request_pending_expiry", "expires_at", sqlite_where=_PENDING, postgresql_where=_PENDING
    ),
)

# Apart, because a request changes its state more than once and this never moves.
request_content = Table(
    "request_content",
    metadata,
    Column("request_id", STRING, ForeignKey("request.id", ondelete="CASCADE"), primary_key=True),
    octets("tbs_before"),
    octets("tbs_after"),
    octets("csr", null=True),
    words("submission"),
)

approval = Table(
    "approval",
    metadata,
    Column("request_id", STRING, ForeignKey("request.id", ondelete="CASCADE"), primary_key=True),
    words("approver", key=True),
    words("content_sha256", key=True),
    number("approved_at"),
    words("partner", null=True),
)

request_note = Table(
    "request_note",
    metadata,
    Column("id", SEQUENCE, primary_key=True),
    Column("request_id", STRING, ForeignKey("request.id", ondelete="CASCADE"), nullable=False),
    words("author"),
    number("written_at"),
    words("text"),
    Index(None, "request_id"),
)

# An intent leaves the table when its certificate enters `certificate`; one that
# was never signed stays, with abandoned_at, so that its serial stays taken.
intent = Table(
    "intent",
    metadata,
    words("id", key=True),
    words("authority"),
    words("key_id"),
    words("serial"),
    octets("tbs"),
    words("request_id"),
    words("profile_sha256"),
    words("content_sha256"),
    number("created_at"),
    number("abandoned_at", null=True),
    UniqueConstraint("serial", "authority"),
)

certificate = Table(
    "certificate",
    metadata,
    words("id", key=True),
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
    # Serial first: serves the search by serial alone and by prefix too.
    UniqueConstraint("serial", "authority"),
    UniqueConstraint("sha256"),
    Index(None, "authority", "id"),
    Index(None, "subject", "id"),
    Index(None, "key_sha256"),  # few rows share one: no order needed
    Index(None, "profile", "id"),
    Index(None, "requester", "id"),
    Index(None, "request_id"),
    Index(None, "not_after", "id"),
)

certificate_name = Table(
    "certificate_name",
    metadata,
    words("name", key=True),  # GeneralName.text in lower case
    words("certificate_id", key=True),
    sqlite_with_rowid=False,
)

# Only revoked and held certificates have a row: a CRL reads this and nothing else.
revocation = Table(
    "revocation",
    metadata,
    words("authority", key=True),
    words("serial", key=True),
    words("certificate_id"),
    words("status"),
    number("revoked_at"),
    number("reason"),
    number("invalidity_date", null=True),
    number("not_after"),
    octets("entry", null=True),  # as CRLs list it; of rows older than this column it is missing
    Column("changed", BigInteger, nullable=False, server_default="0"),  # the audit log's size then
    CheckConstraint("status IN ('held', 'revoked')", name="status"),
    Index(None, "status", "certificate_id"),
    Index("ix_revocation_authority_changed", "authority", "changed"),
    sqlite_with_rowid=False,
)

blocked_key = Table(
    "blocked_key",
    metadata,
    words("key_sha256", key=True),
    words("why"),
    number("blocked_at"),
)

crl = Table(
    "crl",
    metadata,
    words("authority", key=True),
    number("number", key=True),
    number("this_update"),
    number("next_update"),
    number("entries"),
    octets("der"),  # empty where `crl_list` has had it
    words("name", null=True),  # label of its key; missing in rows older than `crl_list`
    Column("seq", BigInteger, nullable=False, server_default="0"),
)

# Apart from `crl`, so that removing old CRLs can never lower the next number.
crl_counter = Table("crl_counter", metadata, words("authority", key=True), number("number"))

crl_due = Table(
    "crl_due",
    metadata,
    words("authority", key=True),
    number("at", key=True),
    Index(None, "at"),
)

audit_leaf = Table(
    "audit_leaf",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=False),
    number("time_ms"),
    words("action"),
    words("actor"),
    words("subject_id"),
    octets("leaf"),
    octets("hash"),
    Index(None, "time_ms", "seq"),
    Index(None, "action", "seq"),
    Index(None, "actor", "seq"),
    Index(None, "subject_id", "seq"),
)

# One row.  Who writes locks it first: see engine.begin_write.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    number("size"),
    number("time_ms"),
    CheckConstraint("id = 1", name="single"),
)

idempotency = Table(
    "idempotency",
    metadata,
    words("principal", key=True),
    words("key", key=True),
    words("request_sha256"),
    words("response"),
    number("created_at"),
)

lint_result = Table(
    "lint_result",
    metadata,
    words("linter", key=True),
    words("certificate_id", key=True),
    words("findings"),
    number("linted_at"),
    Index(None, "certificate_id"),
)
