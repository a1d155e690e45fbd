"""``chancery audit``: read the audit log, and check that nobody has changed it."""

import time
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import arguments, audit_verify, files, output
from chancery.cli.application import group
from chancery.cli.arguments import All, Limit, Time
from chancery.cli.backup_opening import VaultShareFiles
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.instance import AsJson, Config, local_database
from chancery.domain.errors import NotFound

app = group("audit")
app.command(audit_verify.verify)
app.command(audit_verify.proof)

Vault = Annotated[
    str | None, Parameter(help="Vault of the new key; else `[audit] vault` of the settings.")
]
_COLUMNS: Final = ("seq", "time_ms", "actor", "action", "subject", "outcome")
_PAGE: Final = 500
_MAX_SHARE: Final = 64 * 1024  # octets


@app.command(name="list")
def list_(
    *,
    actor: Annotated[str | None, Parameter(help="Only what this account did.")] = None,
    action: Annotated[str | None, Parameter(help="Only this: certificate.issued, ...")] = None,
    subject: Annotated[
        str | None, Parameter(help="Only about this: request id, CA/serial, account.")
    ] = None,
    before: Annotated[int | None, Parameter(help="Only records before this number.")] = None,
    since: Time = None,
    until: Time = None,
    limit: Limit = 100,
    all_: All = False,
    api: Connection = DEFAULT,
) -> None:
    """List audit records, newest first."""
    now = time.time()
    conditions = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "since_ms": _ms(arguments.when(since, now, "--since")),
        "until_ms": _ms(arguments.when(until, now, "--until")),
    }
    wanted = None if all_ else limit
    with api.open() as server:
        records = _records(server, conditions, before, None if wanted is None else wanted + 1)
        output.listing(records, _COLUMNS, as_json=api.as_json, limit=wanted)


@app.command
def new_key(
    *,
    config: Config,
    vault: Vault = None,
    vault_share_file: VaultShareFiles = (),
    as_json: AsJson = False,
) -> None:
    """Let the log go on under a new key, in a vault of your choice.  The instance is stopped.

    Its records stay as they are.  Give auditors the new audit.vkey, and have
    backup devices trust it: `chancery backup device pin FOLDER --trust audit.vkey`.
    """
    from chancery.app.log_key import new_log_key  # noqa: PLC0415 - loads the server
    from chancery.settings import load  # noqa: PLC0415 - as above

    with local_database("database.url_file"):
        shares = [files.read(path, _MAX_SHARE).decode() for path in vault_share_file]
        facts = new_log_key(config, vault or load(config).audit.vault, shares)
    output.show(facts, as_json=as_json)


@app.command
def show(
    seq: Annotated[int, Parameter(help="Number of the record.")], /, *, api: Connection = DEFAULT
) -> None:
    """Show one audit record."""
    with api.open() as server:
        found = list(_records(server, {}, seq + 1, 1))
    if not found or found[0].get("seq") != seq:
        raise NotFound(f"no audit record {seq}", field="seq")
    output.show(found[0], as_json=api.as_json)


@app.command
def checkpoint(
    *, to: files.Output = None, force: files.Force = False, api: Connection = DEFAULT
) -> None:
    """Fetch the signed checkpoint.  Kept, it is an anchor for `audit verify`."""
    files.check_free(to, force=force)
    with api.open(anonymous=True) as server:
        document = server.download("audit", "checkpoint")
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)


def _records(
    server: Client, conditions: Json, before: int | None, left: int | None
) -> Iterator[Json]:
    """Yield records page by page: the number of the last one seen is the cursor."""
    while left is None or left > 0:
        size = _PAGE if left is None else min(left, _PAGE)
        page = server.get("audit", **conditions, before=before, limit=size)
        records = page["items"] if isinstance(page, dict) else page
        yield from records[:size]
        if len(records) < size:
            return
        before = records[-1]["seq"]
        left = None if left is None else left - size


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1_000
