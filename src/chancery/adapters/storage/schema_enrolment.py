"""Tables of doors, of credentials for them, and of what came in by them."""

from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint

from chancery.adapters.storage.schema import metadata, number, octets, words

door = Table("door", metadata, words("name", key=True), words("document"))

enrolment_credential = Table(
    "enrolment_credential",
    metadata,
    words("id", key=True),
    words("door"),
    words("kind"),
    words("reference"),
    words("binding"),
    words("created_by"),
    number("created_at"),
    words("verifier"),
    octets("sealed", null=True),
    number("uses_left", null=True),
    number("failures"),
    number("max_failures"),
    words("state"),
    number("expires_at", null=True),
    number("spent_at", null=True),
    words("note"),
    words("data"),
    UniqueConstraint("door", "reference"),
    CheckConstraint("state IN ('open', 'spent', 'locked', 'revoked')", name="state"),
    CheckConstraint("uses_left >= 0", name="uses_left"),
    Index(None, "door", "id"),
)

# No foreign key to the request: the transaction is on record first.
enrolment_transaction = Table(
    "enrolment_transaction",
    metadata,
    words("door", key=True),
    words("id", key=True),
    words("key_sha256"),
    words("request_sha256"),
    words("request_id"),
    words("credential_id", null=True),
    number("created_at"),
    words("data"),
    Index(None, "request_id"),
    Index(None, "created_at"),
)

door_message = Table(
    "door_message",
    metadata,
    words("id", key=True),
    words("door"),
    number("at"),
    words("operation"),
    words("outcome"),
    words("who"),
    words("origin"),
    words("detail"),
    Index(None, "door", "id"),
    Index(None, "at"),
)
