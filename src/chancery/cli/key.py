"""``chancery key``: managed keys, their life and their use."""

import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import arguments, files, key_out, key_text, key_use, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.key_text import (
    Custodian,
    Description,
    Name,
    NewKey,
    Version,
)
from chancery.cli.text import when

app = group("key")
for _one in (*key_use.COMMANDS, *key_out.COMMANDS):
    app.command(_one)

_DUE: Final = ("at", "key", "version", "what", "group")
Reason = Annotated[str, Parameter(help="Why; goes on record.")]
By = Annotated[str, Parameter(help="Key of ours that opens it.")]


@app.command(name="list")
def list_(
    *,
    group: Annotated[str | None, Parameter(help="Of this key group.")] = None,
    kind: Annotated[str | None, Parameter(help="Of this kind: aes-256, rsa-3072 ...")] = None,
    text: Annotated[str | None, Parameter(help="With this in their name.")] = None,
    limit: arguments.Limit = 100,
    api: Connection = DEFAULT,
) -> None:
    """List the keys that you may see."""
    with api.open() as server:
        items = server.items("keys", limit=limit + 1, group=group, kind=kind, text=text)
        output.listing(items, key_text.COLUMNS, as_json=api.as_json, limit=limit)


@app.command
def show(name: Name, /, *, api: Connection = DEFAULT) -> None:
    """Show a key, its versions, their states and dates."""
    with api.open() as server:
        found = server.get("keys", name)
    output.show(found, as_json=api.as_json, human=key_text.shown)


@app.command
def generate(
    name: Name,
    /,
    *,
    new: NewKey,
    api: Connection = DEFAULT,
) -> None:
    """Generate a key."""
    body = new.body(name)
    with api.open() as server:
        made = server.post("keys", body=body)
    output.show(made, as_json=api.as_json, human=key_text.shown)


@app.command(name="import")
def import_(
    name: Name,
    file: files.Input,
    /,
    *,
    new: NewKey,
    passphrase_file: Annotated[
        Path | None, Parameter(help="File with the passphrase; else you are asked.")
    ] = None,
    api: Connection = DEFAULT,
) -> None:
    """Import a private key: PKCS#8 or PKCS#12 (DER), under a passphrase."""
    body = new.body(name)
    body |= {
        "packed": key_text.data_of(file),
        "passphrase": files.secret(passphrase_file, "passphrase"),
    }
    with api.open() as server:
        made = server.post("keys", "import", body=body)
    output.show(made, as_json=api.as_json, human=key_text.shown)


@app.command
def unwrap(
    name: Name,
    file: files.Input,
    /,
    *,
    by: By,
    method: Annotated[
        str,
        Parameter(help="aes-kw, aes-kwp, rsa-oaep-sha256, rsa-aes-sha256, tr31."),
    ],
    new: NewKey,
    version: Version = None,
    api: Connection = DEFAULT,
) -> None:
    """Import a key that is wrapped under a key of ours, or in a key block (X9.143)."""
    body = new.body(name)
    body |= {"by": by, "method": method, "wrapped": key_text.wrapped_of(file, method)}
    body |= output.given({"version": version})
    with api.open() as server:
        made = server.post("keys", "unwrap", body=body)
    output.show(made, as_json=api.as_json, human=key_text.shown)


@app.command
def derive(
    name: Name,
    /,
    *,
    by: Annotated[str, Parameter(help="Key that it is derived from.")],
    method: Annotated[
        str, Parameter(help="hkdf-sha256, kbkdf-cmac, kbkdf-hmac, ecdh-hkdf-sha256.")
    ],
    context: Annotated[
        str | None, Parameter(help="Info or label in hex; for ECDH the peer's public key (DER).")
    ] = None,
    salt: Annotated[str | None, Parameter(help="Salt, or KBKDF's context, in hex.")] = None,
    new: NewKey,
    api: Connection = DEFAULT,
) -> None:
    """Derive a key from another."""
    body = new.body(name)
    more = {
        "context": key_text.hexadecimal(context, "--context"),
        "salt": key_text.hexadecimal(salt, "--salt"),
    }
    body |= {"by": by, "method": method} | output.given(more)
    with api.open() as server:
        made = server.post("keys", "derive", body=body)
    output.show(made, as_json=api.as_json, human=key_text.shown)


@app.command
def edit(
    name: Name,
    /,
    *,
    description: Description = None,
    custodian: Custodian = None,
    rotate_every: Annotated[
        int | None, Parameter(help="Days between versions; 0: by hand only.")
    ] = None,
    overlap: Annotated[
        int,
        Parameter(
            help="Days for which the old version still reads; -1: for good.",
            allow_leading_hyphen=True,
        ),
    ] = -1,
    warn: Annotated[
        int, Parameter(help="Days before a rotation, and before an end, that people are told.")
    ] = 14,
    label: key_text.Labels = (),
    api: Connection = DEFAULT,
) -> None:
    """Change what is said about a key, and when it is renewed."""
    said = {"description": description, "custodian": custodian}
    body = output.given(said | {"labels": key_text.labels(label)})
    if rotate_every is not None:
        body["rotation"] = {"every": rotate_every, "overlap": overlap, "warn": warn}
    with api.open() as server:
        answer = server.patch("keys", name, body=body)
    key_text.outcome(answer, as_json=api.as_json)


@app.command
def rotate(
    name: Name, /, *, reason: Annotated[str, Parameter(help="Why.")] = "",
    api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Make a new version; the old one ends as the rotation policy says."""
    with api.open() as server:
        answer = server.post("keys", name, "rotate", body={"reason": reason})
    key_text.outcome(answer, as_json=api.as_json)


@app.command
def activate(
    name: Name, /, *, reason: Reason, at: arguments.Time = None, version: Version = None,
    api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Let a pre-active key work, now or from a time on."""
    _change(api, name, "activate", reason, at, version)


@app.command
def suspend(
    name: Name, /, *, reason: Reason, version: Version = None, api: Connection = DEFAULT
) -> None:
    """Stop a key for a while; nobody needs to agree."""
    _change(api, name, "suspend", reason, None, version)


@app.command
def resume(
    name: Name, /, *, reason: Reason, version: Version = None, api: Connection = DEFAULT
) -> None:
    """Let a suspended key work again."""
    _change(api, name, "resume", reason, None, version)


@app.command
def deactivate(
    name: Name, /, *, reason: Reason, at: arguments.Time = None, version: Version = None,
    api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """End a key's protecting, now or at a time; it still reads."""
    _change(api, name, "deactivate", reason, at, version)


@app.command
def compromise(
    name: Name,
    /,
    *,
    reason: Reason,
    since: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="Since when others may know it: -7d."),
    ] = None,
    version: Version = None,
    api: Connection = DEFAULT,
) -> None:
    """Report that others may know a key; nobody needs to agree."""
    _change(api, name, "compromise", reason, since, version)


@app.command
def destroy(
    name: Name, /, *, reason: Reason, version: Version = None, api: Connection = DEFAULT
) -> None:
    """Erase a key's material for good; its record stays."""
    _change(api, name, "destroy", reason, None, version)


@app.command
def calendar(
    *,
    days: Annotated[int, Parameter(help="How far ahead.")] = 90,
    api: Connection = DEFAULT,
) -> None:
    """List what is to happen to your keys: rotations, ends, beginnings."""
    now = time.time()
    with api.open() as server:
        found = server.get("key-calendar", days=days)
    rows = found if api.as_json else [one | {"at": when(one["at"], now)} for one in found]
    output.listing(rows, _DUE, as_json=api.as_json)


def _change(
    api: Connection, name: str, event: str, reason: str, at: str | None, version: int | None
) -> None:
    moment = arguments.when(at, time.time(), "--at")
    body = {"event": event, "reason": reason, "at": moment, "version": version}
    with api.open() as server:
        answer = server.post("keys", name, "state", body=output.given(body))
    key_text.outcome(answer, as_json=api.as_json)
