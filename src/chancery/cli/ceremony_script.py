"""``chancery ceremony plan|run|rehearse|verify``: scripts that people review, hold and check."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.failures import VerificationFailed
from chancery.cli.instance import AsJson
from chancery.domain.errors import BadRequest

_MAX_TRANSCRIPT = 128 * 1_024  # octets: a signed note

ScriptFile = Annotated[Path, Parameter(help="TOML; its paths count from where it lies.")]
Key = Annotated[Path, Parameter(name="--key", help="The store's .vkey, as the ceremony wrote it.")]


def plan(script: ScriptFile, /, *, as_json: AsJson = False) -> None:
    """Show what a script would do, what it reads, and the hash that witnesses confirm."""
    from chancery.ceremony import running  # noqa: PLC0415
    from chancery.ceremony import script as scripts  # noqa: PLC0415

    found = scripts.load(script)
    if as_json:
        steps = [scripts.facts(step) for step in found.script.step]
        output.print_json({"name": found.script.name, "sha256": found.sha256, "steps": steps})
        return
    for line in running.told(found):
        output.line(line)


def run(
    script: ScriptFile,
    /,
    *,
    rehearse: Annotated[bool, Parameter(help="On throwaway keys: nobody is asked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold a ceremony: the witnesses confirm the plan, it is done, verified and put on record.

    For a machine without network: it needs no server and no database.  Shares
    and passphrases are asked for, never arguments.
    """
    from chancery.ceremony import running  # noqa: PLC0415
    from chancery.ceremony import script as scripts  # noqa: PLC0415
    from chancery.cli.ceremony import on_files  # noqa: PLC0415
    from chancery.cli.conversation import Terminal  # noqa: PLC0415

    found = scripts.load(script)
    if rehearse:
        _rehearsed(found, as_json=as_json)
        return
    with on_files():
        held = running.run(found, Terminal())
    facts: dict[str, Any] = {
        "transcript": str(held.transcript),
        "sha256": held.sha256,
        "outputs": list(held.outputs),
        "shares": str(held.shares) if held.shares else None,
    }
    output.show(facts, as_json=as_json)


def rehearse(
    script: Annotated[Path, Parameter(help="A script, or the transcript of a ceremony.")],
    /,
    *,
    key: Annotated[
        Path | None, Parameter(name="--key", help="For a transcript: the store's .vkey.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do every step on throwaway keys and keep nothing; of a transcript, replay what it says.

    A replay that comes out otherwise than the ceremony fails, with exit code 8.
    """
    from chancery.ceremony import script as scripts  # noqa: PLC0415

    if key is None:
        _rehearsed(scripts.load(script), as_json=as_json)
        return
    found = _transcript(script, key)
    steps = _rehearsed(found.plan(Path()), as_json=as_json)
    for was, now in zip(found.body["steps"], steps, strict=True):
        told = {"do": was["do"], "outputs": sorted(was["outputs"]), "verified": was["verified"]}
        if told != {name: now[name] for name in told}:
            raise VerificationFailed(
                f"step {was['number']} comes out otherwise than the transcript says",
                field="transcript",
                rule="ceremony.replay",
            )


def verify(
    transcripts: Annotated[
        tuple[Path, ...], Parameter(help="Transcripts of one store, the oldest first.")
    ],
    /,
    *,
    key: Key,
    outputs: Annotated[
        Path | None, Parameter(help="Directory with what the last one wrote: hashes are compared.")
    ] = None,
    script: Annotated[Path | None, Parameter(help="The script that was reviewed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check transcripts: signature, script, order, and the outputs; with the public key alone."""
    from chancery.ceremony import transcript as records  # noqa: PLC0415

    found = [_transcript(path, key) for path in transcripts]
    if not found:
        raise BadRequest("no transcript is named", field="transcripts")
    last = found[-1]
    try:
        records.check_order(found)
        compared = records.check_outputs(last, outputs) if outputs is not None else []
    except BadRequest as error:
        raise VerificationFailed(str(error), field=error.field, rule=error.rule) from error
    if script is not None and script.read_text() != last.body["script"]:
        raise VerificationFailed(
            f"{script} is not the script of this ceremony", field="script", rule="ceremony.script"
        )
    facts = {
        "ceremony": last.body["ceremony"],
        "sequence": last.body["sequence"],
        "first": found[0].body["sequence"] == 1,
        "sha256": last.sha256,
        "plan_sha256": last.body["plan_sha256"],
        "witnesses": [one["name"] for one in last.body["witnesses"]],
        "outputs": last.outputs,
        "compared": compared,
    }
    output.show(facts, as_json=as_json, human=_verified)


def _verified(facts: dict[str, Any]) -> None:
    outputs, compared = facts.pop("outputs"), facts.pop("compared")
    output.record(facts)
    rows: list[Mapping[str, Any]] = [
        {"file": name, "sha256": sha, "compared": name in compared} for name, sha in outputs.items()
    ]
    output.table(rows, ("file", "sha256", "compared"))
    output.line("verified")


def _rehearsed(found: Any, *, as_json: bool) -> list[dict[str, Any]]:
    from chancery.ceremony.rehearsal import rehearse as replay  # noqa: PLC0415
    from chancery.cli.ceremony import on_files  # noqa: PLC0415

    with on_files():
        steps = replay(found)
    if as_json:
        output.print_json({"rehearsal": True, "plan_sha256": found.sha256, "steps": steps})
        return steps
    for step in steps:
        output.line(f"{step['number']}. {step['do']}: {', '.join(step['outputs']) or 'done'}")
        for one in step["verified"]:
            output.line(f"     {one}")
    output.line("rehearsed on throwaway keys; nothing was kept")
    return steps


def _transcript(path: Path, key: Path) -> Any:
    from chancery.ceremony import transcript as records  # noqa: PLC0415
    from chancery.wire.note import VerifierKey  # noqa: PLC0415

    try:
        verifier = VerifierKey.parse(files.read(key, 1_024).decode(errors="replace"))
        return records.read(files.read(path, _MAX_TRANSCRIPT), verifier)
    except BadRequest as error:
        raise VerificationFailed(f"{path}: {error}", field=error.field, rule=error.rule) from error
