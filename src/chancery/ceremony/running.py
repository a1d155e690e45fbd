"""A ceremony from its plan to its transcript.

The order is what makes it safe: the plan is confirmed before the store is
opened; what was signed is in the store, durably, before any of it is let out;
each output is read back from the disk before the transcript says it is there.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from chancery.app.custody import write_letters
from chancery.app.instance_files import write_public
from chancery.ceremony import script as s
from chancery.ceremony import transcript
from chancery.ceremony.acts import Acts, Done
from chancery.ceremony.store import (
    Store,
    TokenUse,
    check_opens,
    new_store,
    open_store,
    opened_by,
)
from chancery.domain.custody import CustodyPurpose, ShareSet
from chancery.domain.errors import AlreadyExists, BadRequest, CAError, Conflict, NotPermitted
from chancery.signer.unseal import UnsealSource
from chancery.signer.unseal.custodians import KIND, Founding, Gathered, share_set_of
from chancery.signer.unseal.passphrase import TypedPassphrase
from chancery.wire.pkcs7 import certificates

_TRIES: Final = 3
_CONFIRMED: Final = 8  # hex digits of the plan's hash that each witness types


class Conversation(Protocol):
    """The people present."""

    def tell(self, text: str = "") -> None: ...
    def ask(self, question: str) -> str: ...
    def secret(self, question: str) -> str: ...
    def shares(self, share_set: ShareSet) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Held:
    """A ceremony that was held: where its transcript lies, and what it made."""

    transcript: Path
    sha256: str
    outputs: tuple[str, ...]
    shares: Path | None


def run(plan: s.Plan, talk: Conversation, now: Callable[[], float] = time.time) -> Held:
    """Hold the ceremony: show the plan, ask the witnesses, do it, verify, and sign what happened.

    What fails leaves no output; acts that were begun stay in the store's register.
    """
    _check_free(plan)
    for line in told(plan):
        talk.tell(line)
    started = int(now())
    witnesses = _confirmed(plan, talk, now)
    with _opened(plan, talk) as (store, founding):
        acts = Acts(store, plan, plan.script.witnesses)
        steps = _steps(plan, acts, store, talk, now, fresh=founding is not None)
        changed = acts.change or (founding if isinstance(founding, Founding) else None)
        shares = _hand_out(plan, changed)
        if acts.change is not None:
            store.reseal(acts.change)
        store.save()  # before anything of it is let out
        outputs = _let_out(plan, steps)
        if changed is not None:
            _check_seal(plan.store, changed)
        body = _body(plan, store, witnesses, steps, (started, int(now())))
        note = transcript.sign(store, body)
        digest = hashlib.sha256(note).hexdigest()
        store.sequence, store.previous = store.sequence + 1, digest
        store.save()
        place = plan.out / f"{plan.script.name}.transcript"
        write_public(plan.out / f"{store.name}.vkey", f"{store.verifier}\n".encode())
        write_public(place, note)
    return Held(place, digest, outputs, shares)


def told(plan: s.Plan) -> list[str]:
    """The plan in words: what witnesses read before they confirm."""
    script = plan.script
    lines = [f"Ceremony {script.name}" + (f": {script.title}" if script.title else "")]
    lines += [f"Witnesses: {', '.join(script.witnesses)}", f"Store: {script.store}"]
    if script.new_store is not None:
        new = script.new_store
        who = ", ".join(one.name for one in new.custodians)
        held = f"{new.threshold} of {who}" if who else "a passphrase"
        lines.append(f"  a new one, opened by {held}")
    if script.token is not None:
        lines.append(f"Keys on the token {script.token.token or script.token.serial}")
    for number, step in enumerate(script.step, 1):
        facts = s.facts(step)
        lines.append(f"{number}. {facts.pop('do')}")
        lines += [f"     {key} = {_shown(value)}" for key, value in facts.items()]
    for name, data in plan.inputs.items():
        lines.append(f"Reads {name}: SHA-256 {grouped(hashlib.sha256(data).hexdigest())}")
    lines.append(f"Plan: SHA-256 {grouped(plan.sha256)}")
    return lines


def grouped(digest: str) -> str:
    """Four digits at a time, so that two people can read it to each other."""
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return " ".join(f"{part}" for part in value.values() if part)
    return str(value)


def _check_free(plan: s.Plan) -> None:
    """Nothing is overwritten: outputs of another ceremony may be the only copies."""
    names = [name for step in plan.script.step for name in s.outputs(step)]
    for name in [*names, f"{plan.script.name}.transcript"]:
        if (plan.out / name).exists():
            raise AlreadyExists(
                f"{plan.out / name} exists",
                field="out",
                rule="no-overwrite",
                remedy="name another directory in the script: out = ...",
            )


def _confirmed(plan: s.Plan, talk: Conversation, now: Callable[[], float]) -> list[dict[str, Any]]:
    """Every witness types the name and the beginning of the hash; NotPermitted otherwise."""
    wanted = plan.sha256[:_CONFIRMED]
    found = []
    for name in plan.script.witnesses:
        for _ in range(_TRIES):
            typed = " ".join(talk.ask(f"{name}, type your name").split())
            digits = talk.ask(f"and the first {_CONFIRMED} digits of the plan's hash")
            if typed.casefold() == name.casefold() and digits.replace(" ", "").lower() == wanted:
                found.append({"name": name, "confirmed_at": int(now())})
                break
            talk.tell("That is not it.")
        else:
            raise NotPermitted(
                f"{name} did not confirm the plan",
                field="witnesses",
                rule="ceremony.confirmed",
                remedy="nothing was done; begin again when everybody agrees to the plan",
            )
    return found


@contextmanager
def _opened(plan: s.Plan, talk: Conversation) -> Iterator[tuple[Store, UnsealSource | None]]:
    """The store, open, and for a new one what opens it from now on."""
    new = plan.script.new_store
    if new is not None and plan.store.exists():
        raise Conflict(
            f"{plan.store} exists: it is not made anew",
            field="new_store",
            rule="ceremony.store",
            remedy="leave [new_store] out, or name another store",
        )
    if new is not None:
        source = _new_source(new, talk)
        with new_store(plan.store, plan.store.stem, source, _token(plan, talk)) as store:
            yield store, source
        return
    kind, parameters = opened_by(plan.store)
    if kind == KIND:
        present: UnsealSource = Gathered(talk.shares(share_set_of(parameters)))
    else:
        present = TypedPassphrase(talk.secret("Passphrase of the store"))
    with open_store(plan.store, present, _token(plan, talk)) as store:
        _check_meant(plan, store)
        yield store, None


def _token(plan: s.Plan, talk: Conversation) -> TokenUse | None:
    found = plan.script.token
    if found is None:
        return None
    what = found.token or found.serial or "the token"
    return TokenUse(
        Path(found.module), found.token, found.serial, lambda: talk.secret(f"PIN of {what}")
    )


def _new_source(new: s.NewStore, talk: Conversation) -> UnsealSource:
    if new.custodians:
        return Founding(s.people(new.custodians), new.threshold, CustodyPurpose.OFFLINE_STORE)
    text = talk.secret("New passphrase of the store")
    if text != talk.secret("The same again"):
        raise BadRequest("the two entries differ", field="passphrase")
    return TypedPassphrase(text)


def _check_meant(plan: s.Plan, store: Store) -> None:
    """The CAs in the store are those whose certificates the script names."""
    for name, file in plan.script.certificates.items():
        held = store.office(name, plan.script.witnesses).certificate().der
        if certificates(plan.inputs[file])[:1] != [held]:
            raise Conflict(
                f"the {name} of this store has another certificate than {file}",
                field="certificates",
                rule="ceremony.certificate",
                remedy="take the right store, or the right file",
            )


def _steps(
    plan: s.Plan,
    acts: Acts,
    store: Store,
    talk: Conversation,
    now: Callable[[], float],
    *,
    fresh: bool,
) -> list[tuple[s.Step, Done, int]]:
    """Do every step; after one that fails, what was begun is kept and nothing is let out."""
    found = []
    for number, step in enumerate(plan.script.step, 1):
        try:
            done = acts.do(step)
        except CAError as error:
            if not fresh:
                store.save()
            talk.tell(f"{number}. failed: {error}")
            raise
        for one in done.verified:
            talk.tell(f"{number}. verified: {one}")
        found.append((step, done, int(now())))
    return found


def _hand_out(plan: s.Plan, founding: Founding | None) -> Path | None:
    if founding is None:
        return None
    place = plan.out / f"shares-{founding.share_set.id}"
    plan.out.mkdir(parents=True, exist_ok=True)
    write_letters(place, founding.share_set, founding.letters())
    return place


def _let_out(plan: s.Plan, steps: Sequence[tuple[s.Step, Done, int]]) -> tuple[str, ...]:
    """Write every output, and read it back."""
    plan.out.mkdir(parents=True, exist_ok=True)
    for _, done, _ in steps:
        for name, data in done.files.items():
            write_public(plan.out / name, data)
            if (plan.out / name).read_bytes() != data:
                raise Conflict(
                    f"{name} did not reach the disk as it was signed",
                    field="out",
                    rule="ceremony.verify",
                )
    return tuple(name for _, done, _ in steps for name in done.files)


def _check_seal(path: Path, founding: Founding) -> None:
    """The file itself opens with the shares that were handed out: the first M, and the last."""
    words, need = list(founding.words.values()), founding.share_set.threshold
    for some in (words[:need], words[-need:]):
        check_opens(path, Gathered(some))


def _body(
    plan: s.Plan,
    store: Store,
    witnesses: Sequence[dict[str, Any]],
    steps: Sequence[tuple[s.Step, Done, int]],
    times: tuple[int, int],
) -> dict[str, Any]:
    opened = store.metadata["unseal"]
    share_set = share_set_of(store.metadata["parameters"]) if opened == KIND else None
    return {
        "format": transcript.FORMAT,
        "ceremony": plan.script.name,
        "title": plan.script.title,
        "script": plan.text,
        "script_sha256": plan.script_sha256,
        "inputs": {n: base64.b64encode(data).decode() for n, data in plan.inputs.items()},
        "plan_sha256": plan.sha256,
        "witnesses": list(witnesses),
        "started_at": times[0],
        "ended_at": times[1],
        "sequence": store.sequence + 1,
        "previous": store.previous,
        "store": {
            "name": store.name,
            "opened_by": opened,
            "set": share_set.id if share_set else "",
            "custodians": [one.name for one in share_set.holders] if share_set else [],
            "threshold": share_set.threshold if share_set else 0,
        },
        "steps": [
            {
                "number": number,
                "do": s.facts(step)["do"],
                "at": at,
                "facts": done.facts,
                "verified": done.verified,
                "outputs": {
                    name: hashlib.sha256(data).hexdigest() for name, data in done.files.items()
                },
            }
            for number, (step, done, at) in enumerate(steps, 1)
        ],
    }
