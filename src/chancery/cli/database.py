"""``chancery database``: the record of an instance."""

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.instance import AsJson, Config, local_database

app = group("database")


@app.command
def upgrade(*, config: Config, as_json: AsJson = False) -> None:
    """Bring the schema to what this release needs; nothing if it is there.

    Stop the instance and back its database up first: there is no way back.
    """
    from chancery.app import upgrade_database  # noqa: PLC0415 - loads the database drivers

    with local_database("database.url_file"):
        upgrade_database(config)
    output.done("database", "current", as_json=as_json)
