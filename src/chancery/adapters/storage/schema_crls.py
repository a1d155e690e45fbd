"""Tables of CRLs in force, holds that were lifted, and where files were published and seen."""

from sqlalchemy import Column, Index, Table

from chancery.adapters.storage.schema import STRING, metadata, number, octets, words

# The newest of each name.  ``crl`` keeps the history without the octets.
crl_list = Table(
    "crl_list",
    metadata,
    words("name", key=True),
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
    Index(None, "authority"),
)

# Holds that were lifted: deltas say so (removeFromCRL).
crl_removed = Table(
    "crl_removed",
    metadata,
    words("authority", key=True),
    words("serial", key=True),
    number("changed"),
    number("not_after"),
    octets("entry"),
)

# How far each publisher is with each file; a row without ``sha256`` has never succeeded.
publication = Table(
    "publication",
    metadata,
    words("publisher", key=True),
    words("file", key=True),
    Column("sha256", STRING, nullable=True),
    number("published_at", null=True),
    number("attempts"),
    Column("error", STRING, nullable=True),
    number("next_at"),
)

# What the watchdog found at each published URL.
crl_watch = Table(
    "crl_watch",
    metadata,
    words("url", key=True),
    words("authority"),
    words("name"),
    words("state"),
    words("said"),
    number("number", null=True),
    number("this_update", null=True),
    number("next_update", null=True),
    number("seen_at"),
    number("since"),
)
