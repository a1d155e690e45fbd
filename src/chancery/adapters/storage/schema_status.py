"""What each authority chooses about its OCSP answers."""

from sqlalchemy import CheckConstraint, Column, Table

from chancery.adapters.storage.schema import STRING, metadata, number, words

# An authority without a row has the defaults of domain.status.OcspPolicy.
ocsp_policy = Table(
    "ocsp_policy",
    metadata,
    words("authority", key=True),
    words("unissued"),
    number("archive_s", null=True),
    Column("requests", STRING, nullable=False, server_default="ignore"),
    CheckConstraint("unissued IN ('unknown', 'revoked')", name="unissued"),
)
