"""Tables of what policy was, of accepted risks, and of what counts against quotas."""

from sqlalchemy import Table

from chancery.adapters.storage.schema import metadata, number, words

policy_version = Table(
    "policy_version",
    metadata,
    words("kind", key=True),
    words("name", key=True),
    number("version", key=True),
    words("sha256"),
    words("document"),
    number("created_at"),
    words("created_by"),
)

accepted_risk = Table(
    "accepted_risk",
    metadata,
    words("kind", key=True),
    words("name", key=True),
    words("risk", key=True),
    words("reason"),
    words("accepted_by"),
    number("accepted_at"),
)

# Only registration authorities with quotas write here.  No foreign key: a
# requester who deletes a request has still submitted it.
submission_count = Table(
    "submission_count",
    metadata,
    words("ra", key=True),
    words("who", key=True),
    words("request_id", key=True),
    sqlite_with_rowid=False,
)
