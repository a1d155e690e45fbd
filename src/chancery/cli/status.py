"""``chancery status``: what others need to know of certificates without asking."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.instance import AsJson, Config, local_database

app = group("status")


@app.command
def feed(
    to: Annotated[Path, Parameter(help="The file to write, or to replace.")],
    /,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Write the feed of a validation authority that cannot reach the database.

    One SQLite file with serials and their status; send it over as often as you
    like and put it in place by renaming: it is seen within a second.
    """
    from chancery.adapters.storage.feed import write_feed  # noqa: PLC0415 - loads the database
    from chancery.settings import load  # noqa: PLC0415

    with local_database("config"):
        count = write_feed(load(config).database.url, to)
    output.show({"file": str(to.resolve()), "certificates": count}, as_json=as_json)
