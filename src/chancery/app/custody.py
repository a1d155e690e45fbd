"""Custodians on the machine itself: shares given, the vault sealed anew, what opens it told."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chancery.app.instance_files import write_private, write_public
from chancery.app.signer_process import socket_path
from chancery.domain import errors
from chancery.domain.custody import Custodian, CustodyPurpose, ShareSet
from chancery.domain.errors import AlreadyExists, BadRequest, Unavailable, WrongState
from chancery.server.standing_in import told
from chancery.services.custody import Seal
from chancery.settings import Settings, Signer, load
from chancery.signer import files
from chancery.signer.unseal import UnsealSource, record, waiting
from chancery.signer.unseal.custodians import KIND, Founding, Gathered, share_set_of
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.unseal.passphrase import Passphrase
from chancery.signer.vault import open_master, read_header, reseal
from chancery.wire import custody

AskShares = Callable[[ShareSet], Sequence[str]]
"""Asks people for as many shares of a set as open it."""


def standing(config: Path) -> dict[str, Any] | None:
    """How far the sealed signer is; None where none waits."""
    return waiting.ask(_socket(load(config)), {"op": "status"})


def who_is_needed(settings: Settings) -> str | None:
    """What a signer that was sealed again says of itself; None where none waits."""
    if not settings.signer.custodians:
        return None
    try:
        found = waiting.ask(_socket(settings), {"op": "status"})
    except Unavailable:
        return None
    if found is None or not found["sealed"]:
        return None
    return ": ".join(told(found))


def demand_sealed(config: Path) -> None:
    """Raise WrongState unless a signer waits for shares: before anybody types one."""
    _asked(config, {"op": "status"})


def give_share(config: Path, words: str) -> dict[str, Any]:
    """Hand one share to the sealed signer; where it stands then.  Raises what is wrong with it."""
    return _asked(config, {"op": "share", "share": words})


def forget_shares(config: Path) -> dict[str, Any]:
    """Have the sealed signer forget the shares that it was given."""
    return _asked(config, {"op": "forget"})


def _socket(settings: Settings) -> Path:
    return socket_path(settings.signer.unseal_socket)


def _asked(config: Path, request: Mapping[str, object]) -> dict[str, Any]:
    answer = waiting.ask(_socket(load(config)), request)
    if answer is None:
        raise WrongState(
            "nothing waits for shares here",
            field="config",
            rule="unseal.open",
            remedy="the signer is unsealed already, or `chancery serve` does not run",
        )
    if "error" in answer:
        kind = getattr(errors, str(answer["kind"]), BadRequest)
        raise kind(
            answer["error"],
            field=answer.get("field"),
            rule=answer.get("rule"),
            remedy=answer.get("remedy"),
        )
    return answer


def seal_of(settings: Settings) -> tuple[str, ShareSet | None]:
    """Which kind of secret opens the vault now, and the custodians if it is they."""
    metadata = read_header(settings.signer.vault)["metadata"]
    kind = str(metadata.get("unseal"))
    return kind, share_set_of(metadata["parameters"]) if kind == KIND else None


def seal_seen(settings: Settings) -> Seal | None:
    """The same for those who look on: None where this machine has no vault to look at."""
    try:
        return Seal(*seal_of(settings))
    except errors.CAError:
        return None


def vault_set(config: Path) -> ShareSet:
    """The custodians of the vault; WrongState if it has none."""
    kind, share_set = seal_of(load(config))
    if share_set is None:
        raise WrongState(
            f"this vault opens with a {kind}, not with custodians",
            field="vault",
            rule="unseal.kind",
            remedy="`chancery custodian seal` gives it to custodians",
        )
    return share_set


def seal(
    config: Path, people: Sequence[Custodian], threshold: int, out: Path, ask: AskShares
) -> ShareSet:
    """Give the vault to custodians, or to others than before: M of them open it from now on.

    Their letters lie in *out*, durably, before the seal changes; *ask* is
    called where custodians open the vault now.
    """
    settings = load(config)
    founding = Founding(people, threshold, CustodyPurpose.VAULT)
    old = _present(settings.signer, ask)
    _, master = open_master(settings.signer.vault, old)  # the refusal comes before any file
    files.wipe(master)
    write_letters(out, founding.share_set, founding.letters())
    before, _ = seal_of(settings)
    reseal(settings.signer.vault, old, founding)
    record.note(
        settings.signer.vault,
        "custody.vault-sealed",
        founding.share_set.id,
        before=before,
        set=custody.to_document(founding.share_set),
    )
    return founding.share_set


def write_letters(out: Path, share_set: ShareSet, letters: Mapping[str, tuple[str, bytes]]) -> None:
    """One file for each custodian, closed to everybody else, and the set's own document."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [out / "set.json", *(out / name for name, _ in letters.values())]
    if taken := next((path for path in places if path.exists()), None):
        raise AlreadyExists(
            f"{taken} exists: it may be the only copy of a share",
            field="out",
            rule="no-overwrite",
            remedy="name an empty directory",
        )
    for name, data in letters.values():
        write_private(out / name, data)
    document = json.dumps(custody.to_document(share_set), indent=1) + "\n"
    write_public(out / "set.json", document.encode())


def _present(signer: Signer, ask: AskShares) -> UnsealSource:
    """What opens the vault now: its header decides, the settings say where the file is."""
    metadata = read_header(signer.vault)["metadata"]
    kind = metadata.get("unseal")
    if kind == KIND:
        return Gathered(ask(share_set_of(metadata["parameters"])))
    if kind == "key-file" and signer.unseal_key_file is not None:
        return KeyFile(signer.unseal_key_file)
    if kind == "passphrase" and signer.passphrase_file is not None:
        return Passphrase(signer.passphrase_file)
    raise Unavailable(
        f"this vault opens with a {kind}, and the settings name none",
        field="signer",
        rule="unseal.kind",
        remedy="set signer.unseal_key_file or signer.passphrase_file as before",
    )
