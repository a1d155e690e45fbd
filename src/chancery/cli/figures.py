"""``chancery figures``: what there is to do, and what happened each day."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection

app = group("figures")


@app.command
def now(*, api: Connection = DEFAULT) -> None:
    """Show what waits for you and how much there is; counts stop at 1000."""
    with api.open() as server:
        found = server.get("figures")
    output.show(found, as_json=api.as_json, human=_now)


@app.command
def daily(
    *,
    days: Annotated[int, Parameter(validator=Number(gte=1, lte=730), help="So many.")] = 30,
    authority: Annotated[str | None, Parameter(help="Only this CA.")] = None,
    profile: Annotated[str | None, Parameter(help="Only this profile.")] = None,
    api: Connection = DEFAULT,
) -> None:
    """Show what was issued and revoked each day (UTC), today last."""
    with api.open() as server:
        found = server.get("figures", "daily", days=days, authority=authority, profile=profile)
        output.listing(found, ("date", "issued", "revoked"), as_json=api.as_json)


def _now(found: Json) -> None:
    rows = [*found["waiting"], found["own"], *found["counts"]]
    for row in rows:
        row["count"] = f"{row['value']}+" if row["more"] else str(row["value"])
        row["where"] = " ".join(f"{key}={value}" for key, value in row["where"].items())
    output.table(rows, ("name", "count", "list", "where"))
