"""Tables of custodians, their sets of shares, and bundles that are out to be signed."""

from sqlalchemy import CheckConstraint, Index, Table

from chancery.adapters.storage.schema import metadata, number, words

custodian = Table(
    "custodian",
    metadata,
    words("name", key=True),
    words("full_name"),
    words("recipient"),
    number("created_at"),
    number("retired_at", null=True),
)

# *digest* is the hash of *document*: ids of sets have fifteen bits and may meet.
custody_set = Table(
    "custody_set",
    metadata,
    words("digest", key=True),
    words("set_id"),
    words("purpose"),
    words("document"),
    number("made_at"),
    number("retired_at", null=True),
    CheckConstraint("purpose IN ('vault', 'backup', 'offline-store')", name="purpose"),
    Index(None, "purpose", "made_at"),
)

signing_bundle = Table(
    "signing_bundle",
    metadata,
    words("id", key=True),
    words("state"),
    words("text"),
    words("sha256"),
    number("items"),
    number("audit_seq"),
    words("created_by"),
    number("created_at"),
    words("closed_by", null=True),
    number("closed_at", null=True),
    CheckConstraint("state IN ('open', 'answered', 'withdrawn')", name="state"),
    Index(None, "state", "id"),
)
