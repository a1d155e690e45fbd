"""``chancery whoami``: is the token good, and what for?"""

from chancery.cli import output
from chancery.cli.connection import DEFAULT, Connection


def whoami(*, api: Connection = DEFAULT) -> None:
    """Show who the server takes you for, by which method, and what you may do."""
    with api.open() as server:
        me = server.get("me")
    output.show(me, as_json=api.as_json)
