"""``chancery backup``: order, verify, restore and try backups."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import backup_device, backup_keys, output
from chancery.cli.application import group
from chancery.cli.arguments import All, Limit
from chancery.cli.backup_opening import (
    DeviceFolder,
    PinFile,
    ShareFiles,
    VaultShareFiles,
    VerifierFiles,
    opening,
)
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import UNVERIFIED, VerificationFailed
from chancery.cli.instance import AsJson, Config, local_database
from chancery.domain.errors import BadRequest, Unavailable

app = group("backup")
app.command(backup_device.app)
app.command(backup_keys.source)
app.command(backup_keys.key)

_COLUMNS: Final = ("sequence", "state", "started_at", "octets", "name", "failure", "id")
_ORDERS: Final = ("id", "every_s", "state", "proposed_by", "decided_by", "comment", "created_at")
_POLL_S: Final = 0.3
File = Annotated[Path, Parameter(help="The .age file; its .manifest lies beside it.")]
OrderId = Annotated[str, Parameter(help="Id of the order, as `backup create` prints it.")]


@app.command
def create(
    *,
    every: Annotated[
        str | None, Parameter(help="Not one now, but one every 30m, 12h or 1d from now on.")
    ] = None,
    comment: Annotated[str, Parameter(help="Why.")] = "",
    second_token_file: Annotated[
        Path | None,
        Parameter(help="Token of a second operator who is here and agrees; else `approve` later."),
    ] = None,
    wait: Annotated[bool, Parameter(help="Wait until it is made; needs both operators.")] = False,
    api: Connection = DEFAULT,
) -> None:
    """Order a backup.  Another operator must approve it; then the running service makes it."""
    body = output.given({"every_s": _seconds(every), "comment": comment or None})
    with api.open() as server:
        order = server.post("backups", "orders", body=body)
    if second_token_file is not None and order["state"] == "proposed":
        with api.with_token(second_token_file).open() as second:
            order = second.post("backups", "orders", order["id"], "approve")
    if not wait or order["state"] != "approved":
        output.show(order, as_json=api.as_json)
        return
    with api.open() as server:
        made = _made(server, order["id"], api.timeout)
    output.show(made, as_json=api.as_json, human=_checked)


@app.command
def approve(order: OrderId, /, *, api: Connection = DEFAULT) -> None:
    """Agree to a backup that another operator ordered: it is made now."""
    with api.open() as server:
        answer = server.post("backups", "orders", order, "approve")
    output.show(answer, as_json=api.as_json)


@app.command
def withdraw(order: OrderId, /, *, api: Connection = DEFAULT) -> None:
    """Let an order be; a standing one makes no more backups."""
    with api.open() as server:
        answer = server.post("backups", "orders", order, "withdraw")
    output.show(answer, as_json=api.as_json)


@app.command
def orders(*, api: Connection = DEFAULT) -> None:
    """List orders, newest first."""
    with api.open() as server:
        output.listing(server.get("backups", "orders"), _ORDERS, as_json=api.as_json)


@app.command(name="list")
def list_(*, limit: Limit = 100, all_: All = False, api: Connection = DEFAULT) -> None:
    """List backups, newest first."""
    with api.open() as server:
        items = server.items("backups", limit=None if all_ else limit + 1)
        output.listing(items, _COLUMNS, as_json=api.as_json, limit=None if all_ else limit)


@app.command
def show(
    backup: Annotated[str, Parameter(help="Id of the backup.")], /, *, api: Connection = DEFAULT
) -> None:
    """Show one backup."""
    with api.open() as server:
        found = server.get("backups", backup)
    output.show(found, as_json=api.as_json, human=_checked)


@app.command
def standing(*, api: Connection = DEFAULT) -> None:
    """Show how things stand: keys, the device that is in, the last backup and drill, worries."""
    with api.open() as server:
        found = server.get("backups", "standing")
    output.show(found, as_json=api.as_json)


@app.command
def drills(*, api: Connection = DEFAULT) -> None:
    """List what drills found, newest first."""
    columns = ("backup_sequence", "good", "done_at", "done_by", "certificates", "findings")
    with api.open() as server:
        output.listing(server.get("backups", "drills"), columns, as_json=api.as_json)


@app.command
def verify(
    file: File,
    /,
    *,
    device: DeviceFolder,
    pin_file: PinFile = None,
    share_file: ShareFiles = (),
    vkey: VerifierFiles = (),
    ask: Annotated[bool, Parameter(help="Ask for PIN and shares on the terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a backup: its seal and octets; with the PIN the outer layer; with shares all of it."""
    from chancery.app.drill import verify as check  # noqa: PLC0415 - loads the server

    keys = opening(device, pin_file, share_file, vkey, ask=ask)
    try:
        found = check(file, keys)
    except BadRequest as error:
        raise _unverified(error) from error
    output.show(found, as_json=as_json, human=_checked)


@app.command
def restore(
    file: File,
    directory: Annotated[Path, Parameter(help="Where; must be empty or not exist.")],
    /,
    *,
    device: DeviceFolder,
    pin_file: PinFile = None,
    share_file: ShareFiles = (),
    vault_share_file: VaultShareFiles = (),
    vkey: VerifierFiles = (),
    database_file: Annotated[
        Path | None,
        Parameter(help="File with the URL of an empty PostgreSQL database; else SQLite."),
    ] = None,
    sqlite: Annotated[
        bool, Parameter(help="Put the record of a PostgreSQL instance into SQLite.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an instance of a backup, in a fresh directory.  M custodians and the PIN are needed."""
    from chancery.app.restore import restore as make  # noqa: PLC0415 - loads the server

    keys = opening(device, pin_file, share_file, vkey, ask=True, vault=vault_share_file)
    with local_database("--database-file"):
        facts = make(file, directory, keys, database=_url(database_file), sqlite=sqlite)
    output.show(facts, as_json=as_json)


@app.command
def drill(
    file: File,
    /,
    *,
    config: Config,
    device: DeviceFolder,
    pin_file: PinFile = None,
    share_file: ShareFiles = (),
    vault_share_file: VaultShareFiles = (),
    vkey: VerifierFiles = (),
    api: Connection = DEFAULT,
) -> int:
    """Restore to a scratch instance, compare it with the live one, and put the outcome on record.

    Run it on the machine of the live instance.  Exit code 8 if anything does not fit.
    """
    from chancery.app.drill import drill as hold  # noqa: PLC0415 - loads the server

    keys = opening(device, pin_file, share_file, vkey, ask=True, vault=vault_share_file)
    report = hold(file, config, keys)
    with api.open() as server:
        recorded = server.post("backups", "drills", body=report)
    output.show(recorded, as_json=api.as_json, human=_recorded)
    return UNVERIFIED if report["findings"] else 0


def _checked(found: dict[str, Any]) -> None:
    """A backup as people want to see it: how many rows, not of which tables."""
    tables = {name: rows for name, rows in found["tables"].items() if rows}
    rows = f"{sum(tables.values())} in {len(tables)} tables"
    output.record(found | {"tables": rows})


def _recorded(drill: dict[str, Any]) -> None:
    took = drill["took_ms"] / 1000
    output.record(
        {key: value for key, value in drill.items() if key != "took_ms"} | {"took": f"{took:.1f} s"}
    )


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    units = {"m": 60, "h": 3600, "d": 86_400}
    if not (text[:-1].isdecimal() and text[-1] in units):
        raise BadRequest(f"{text!r} is not a span", field="--every", remedy="write 30m, 12h or 1d")
    return int(text[:-1]) * units[text[-1]]


def _made(server: Client, order: str, timeout: float) -> Json:
    """The backup of that order, once it is there."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        newest: list[Any] = server.get("backups", limit=20)["items"]
        mine = next((one for one in newest if one["order_id"] == order), None)
        if mine is not None and mine["state"] != "running":
            if mine["state"] == "failed":
                raise Unavailable(f"the backup failed: {mine['failure']}", field="backup")
            return dict(mine)
        time.sleep(_POLL_S)
    raise Unavailable(
        "the backup is not made yet", field="--timeout", remedy="`chancery backup list` shows it"
    )


def _url(path: Path | None) -> str | None:
    from chancery.cli import files  # noqa: PLC0415

    return None if path is None else files.secret(path, "database")


def _unverified(error: BadRequest) -> Exception:
    """A backup that is not what it claims to be ends with 8, as a log would."""
    if error.rule is None or not error.rule.startswith(("backup.", "note.")):
        return error
    return VerificationFailed(str(error), field=error.field, rule=error.rule, remedy=error.remedy)
