"""``chancery backup source`` and ``backup key``: whom backups are encrypted to."""

import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.instance import AsJson
from chancery.domain.errors import BadRequest

if TYPE_CHECKING:
    from chancery.domain.custody import Custodian

source = group("source")
source.help = "The key of the inner layer, which custodians hold M of N."
key = group("key")
key.help = "Keys that backups are encrypted to: proposed, approved, withdrawn."

PUBLIC: Final = "source.json"
_COLUMNS: Final = ("id", "kind", "label", "state", "threshold", "shares", "proposed_by")
_MAX: Final = 64 * 1024
KeyId = Annotated[str, Parameter(help="Id of the key.")]


@source.command
def init(
    folder: Annotated[Path, Parameter(help="Where shares and public key go; must not exist.")],
    /,
    *,
    threshold: Annotated[int, Parameter(help="How many custodians open a backup.")],
    custodian: Annotated[
        tuple[str, ...],
        Parameter(help="Name of a custodian, or NAME=FILE with a public key to encrypt to."),
    ],
    as_json: AsJson = False,
) -> None:
    """Make a source key: one share for each custodian.  Do it on a machine without a network.

    Nobody keeps the key itself: each takes the own share away, then delete the files.
    """
    from chancery.domain.custody import CustodyPurpose  # noqa: PLC0415
    from chancery.wire import custody  # noqa: PLC0415 - loads OpenSSL
    from chancery.wire.backup_source import SECRET, SourceSecret  # noqa: PLC0415

    people = [_custodian(text) for text in custodian]
    secret = secrets.token_bytes(SECRET)
    public = SourceSecret(secret).public()
    made, words = custody.split(
        secret, people, threshold=threshold, purpose=CustodyPurpose.BACKUP, now=int(time.time())
    )
    document = {
        "id": public.id,
        "public": str(public),
        "threshold": threshold,
        "shares": len(people),
        "set": custody.to_document(made),
    }
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BadRequest(
            f"cannot make {folder}: {(error.strerror or '').lower()}", field="folder"
        ) from error
    letters: list[str] = []
    for one in people:
        name, letter = custody.letter(words[one.name], one, made)
        files.write(folder / name, letter, force=False, secret=True)
        letters.append(str(folder / name))
    files.write(folder / PUBLIC, json.dumps(document, indent=1).encode() + b"\n", force=False)
    told = {"id": public.id, "public": str(folder / PUBLIC), "letters": letters}
    output.show(told, as_json=as_json)


@source.command
def register(
    public: Annotated[Path, Parameter(help="The source.json that `source init` made.")],
    /,
    *,
    label: Annotated[str, Parameter(help="A name for it.")] = "",
    api: Connection = DEFAULT,
) -> None:
    """Propose a source key to the server; another operator approves it (`backup key approve`)."""
    try:
        document = json.loads(files.read(public, _MAX))
        body = {
            "kind": "source",
            "public": document["public"],
            "threshold": document["threshold"],
            "shares": document["shares"],
            "label": label,
        }
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{public} is no source.json", field=str(public)) from error
    with api.open() as server:
        answer = server.post("backups", "keys", body=body)
    output.show(answer, as_json=api.as_json, human=_told)


@key.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List keys, newest first."""
    with api.open() as server:
        output.listing(server.get("backups", "keys"), _COLUMNS, as_json=api.as_json)


@key.command
def approve(key_id: KeyId, /, *, api: Connection = DEFAULT) -> None:
    """Agree to a key that another operator proposed: compare its id with the one on paper."""
    with api.open() as server:
        answer = server.post("backups", "keys", key_id, "approve")
    output.show(answer, as_json=api.as_json, human=_told)


@key.command
def withdraw(key_id: KeyId, /, *, api: Connection = DEFAULT) -> None:
    """Have no further backup encrypted to a key; what was made stays."""
    with api.open() as server:
        answer = server.post("backups", "keys", key_id, "withdraw")
    output.show(answer, as_json=api.as_json, human=_told)


def _told(found: Json) -> None:
    """A source's public key fills a screen, and its id says which it is."""
    left_out = {"public"} if found["kind"] == "source" else set()
    output.record({name: value for name, value in found.items() if name not in left_out})


def _custodian(text: str) -> "Custodian":
    from chancery.domain.custody import Custodian as Person  # noqa: PLC0415

    name, equals, path = text.partition("=")
    return Person(name, files.read(Path(path), _MAX).decode() if equals else "")


if __debug__:
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        from chancery.domain.custody import Custodian
