"""``chancery custodian``: who holds shares of what, and giving the vault into their hands.

``seal`` and ``rekey`` work on the machine itself, on the vault's files; the
others ask a server for what is on record.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.arguments import AT_LEAST_ONE
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.instance import AsJson, Config
from chancery.domain.custody import Custodian, ShareSet
from chancery.domain.errors import BadRequest

app = group("custodian")

_MAX_KEY: Final = 8 * 1_024  # octets
_MAX_SET: Final = 64 * 1_024  # octets
_COLUMNS: Final = ("name", "full_name", "recipient", "retired_at")
_SETS: Final = ("set", "purpose", "threshold", "holders", "made_at", "retired_at")

People = Annotated[
    tuple[str, ...],
    Parameter(
        name="--custodian",
        help="NAME, or NAME=RECIPIENT: whom the share is encrypted to (age1..., an SSH key, "
        "or @FILE with one or with an RSA key in PEM); without one it is printed.  Repeatable.",
    ),
]
Threshold = Annotated[int, Parameter(validator=AT_LEAST_ONE, help="How many open it together.")]
Out = Annotated[Path, Parameter(name=["--out", "-o"], help="Empty directory for the shares.")]


@app.command
def seal(
    *,
    config: Config,
    custodian: People,
    threshold: Threshold,
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Give the server's vault to custodians: THRESHOLD of them open it from now on.

    A new share for each goes to OUT; set `signer.custodians = true` after
    that.  Keys stay as they are.  Where custodians hold it now, they are asked.
    """
    _sealed(config, [_person(text) for text in custodian], threshold, out, as_json=as_json)


@app.command
def rekey(
    *,
    config: Config,
    replace: Annotated[
        tuple[str, ...],
        Parameter(help="OLD=NEW or OLD=NEW=RECIPIENT: NEW takes the place of OLD.  Repeatable."),
    ] = (),
    threshold: Annotated[
        int | None, Parameter(validator=AT_LEAST_ONE, help="Another number than now.")
    ] = None,
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Make new shares for the vault, and replace custodians: the old shares open nothing more."""
    from chancery.app import custody  # noqa: PLC0415

    present = custody.vault_set(config)
    people = _replaced(present, replace)
    _sealed(config, people, threshold or present.threshold, out, as_json=as_json)


def _sealed(
    config: Path, people: Sequence[Custodian], threshold: int, out: Path, *, as_json: bool
) -> None:
    from chancery.app import custody  # noqa: PLC0415
    from chancery.cli.conversation import Terminal  # noqa: PLC0415

    made = custody.seal(config, people, threshold, out, Terminal().shares)
    facts = {
        "set": made.id,
        "threshold": made.threshold,
        "custodians": [one.name for one in made.holders],
        "shares": str(out),
    }
    output.show(facts, as_json=as_json)
    if not as_json:
        output.line("")
        output.line("Hand each share over and keep no copy.  In chancery.toml, section [signer],")
        output.line(
            "set custodians = true in place of the key file or passphrase, and destroy that."
        )


@app.command
def seal_status(*, config: Config, as_json: AsJson = False) -> None:
    """Show what opens the vault of this machine, and whose shares."""
    from chancery.app import custody  # noqa: PLC0415
    from chancery.settings import load  # noqa: PLC0415

    kind, share_set = custody.seal_of(load(config))
    facts: dict[str, object] = {"opens_with": kind}
    if share_set is not None:
        facts |= {
            "set": share_set.id,
            "threshold": share_set.threshold,
            "custodians": [one.name for one in share_set.holders],
        }
    output.show(facts, as_json=as_json)


@app.command
def server_seal(*, api: Connection = DEFAULT) -> None:
    """Show what opens the vault of the server at its next start, and whose shares."""
    with api.open() as server:
        found = server.get("custody", "seal")
    output.show(found, as_json=api.as_json)


@app.command(name="list")
def list_(*, api: Connection = DEFAULT) -> None:
    """List the custodians on record."""
    with api.open() as server:
        items = server.items("custody", "custodians", limit=None)
        output.listing(items, _COLUMNS, as_json=api.as_json)


@app.command
def put(
    name: Annotated[str, Parameter(help="Short name: ada.")],
    /,
    *,
    full_name: Annotated[str, Parameter(help="Who that is.")] = "",
    recipient: Annotated[
        str, Parameter(help="age1..., an SSH key, or @FILE; nothing: shares are printed.")
    ] = "",
    api: Connection = DEFAULT,
) -> None:
    """Put a custodian on record, or change name and key."""
    body = {"full_name": full_name, "recipient": _recipient(recipient)}
    with api.open() as server:
        answer = server.put("custody", "custodians", name, body=body)
    output.show(answer, as_json=api.as_json)


@app.command
def retire(
    name: Annotated[str, Parameter(help="Short name.")], /, *, api: Connection = DEFAULT
) -> None:
    """Say that somebody is no custodian any more.  Their shares need `rekey`, or a ceremony."""
    with api.open() as server:
        answer = server.post("custody", "custodians", name, "retire")
    output.show(answer, as_json=api.as_json)


@app.command
def sets(*, api: Connection = DEFAULT) -> None:
    """List the sets of shares on record: who opens what, and how many are needed."""
    with api.open() as server:
        items = server.items("custody", "sets", limit=None)
        shown = ({**one, "holders": " ".join(h["name"] for h in one["holders"])} for one in items)
        output.listing(items if api.as_json else shown, _SETS, as_json=api.as_json)


@app.command
def record(document: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Put a set on record: the set.json that a ceremony or a backup made.  It holds no share."""
    data = files.read(document, _MAX_SET, "custody.set")
    with api.open() as server:
        answer = server.post("custody", "sets", body={"document": data.decode(errors="replace")})
    output.show(answer, as_json=api.as_json)


def _person(text: str) -> Custodian:
    name, _, recipient = text.partition("=")
    return Custodian(name, _recipient(recipient))


def _recipient(text: str) -> str:
    if not text.startswith("@"):
        return text
    data = files.read(Path(text[1:]), _MAX_KEY)
    files.refuse_private_key(data, text[1:])
    return data.decode("ascii", errors="replace").strip()


def _replaced(present: ShareSet, wanted: Sequence[str]) -> list[Custodian]:
    new = {}
    for text in wanted:
        old, equals, person = text.partition("=")
        if not equals or all(one.name != old for one in present.holders):
            raise BadRequest(
                f"{text!r} is not OLD=NEW with OLD among the custodians",
                field="--replace",
                rule="custody.replace",
                remedy="they are " + ", ".join(one.name for one in present.holders),
            )
        new[old] = _person(person)
    return [new.get(one.name, one.custodian) for one in present.holders]
