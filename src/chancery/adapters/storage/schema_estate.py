"""Tables of imports: what files held, row by row, from the preview to what became of each.

The certificates themselves enter ``certificate``, like all others.
"""

from sqlalchemy import Column, ForeignKey, Index, Table

from chancery.adapters.storage.schema import STRING, metadata, number, octets, words

estate_import = Table(
    "estate_import",
    metadata,
    words("id", key=True),
    words("state"),
    words("created_by"),
    number("created_at"),
    number("finished_at", null=True),
    words("files"),
    words("choices"),
    number("total"),
    number("position"),
)

# *der* goes once the row has been decided: the certificate is on record by then, or never will be.
estate_row = Table(
    "estate_row",
    metadata,
    Column(
        "import_id", STRING, ForeignKey("estate_import.id", ondelete="CASCADE"), primary_key=True
    ),
    number("number", key=True),
    words("outcome"),
    words("document"),
    octets("der", null=True),
    Index(None, "import_id", "outcome", "number"),
)
