"""The record of a ceremony: a signed note, to be checked with the store's public key alone.

It holds the script and all that the script read, so that anybody can replay
it on throwaway keys; the hash of every output; who was there, and when; and
the hash of the transcript before it, so that none can be left out.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from chancery.ceremony.script import Plan, parse, planned
from chancery.ceremony.store import Store
from chancery.domain.errors import BadRequest
from chancery.wire.note import VerifierKey, open_note, sign_note

FORMAT: Final = "chancery-transcript-1"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript whose signature holds.  *sha256* is of the file."""

    body: Mapping[str, Any]
    sha256: str

    def plan(self, base: Path) -> Plan:
        """The plan that it carries out, with what it read."""
        inputs = {name: base64.b64decode(data) for name, data in self.body["inputs"].items()}
        return planned(parse(self.body["script"]), self.body["script"], inputs, base)

    @property
    def outputs(self) -> dict[str, str]:
        """File -> SHA-256."""
        return {name: sha for step in self.body["steps"] for name, sha in step["outputs"].items()}


def sign(store: Store, body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, indent=1, sort_keys=True) + "\n"
    return sign_note(text, store.verifier, store.transcript_key.sign(text.encode()))


def read(data: bytes, key: VerifierKey) -> Transcript:
    """Raises BadRequest unless *key* signed it and it is whole."""
    text = open_note(data, key)
    try:
        body = json.loads(text)
        sound = isinstance(body, dict) and body["format"] == FORMAT
    except (ValueError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise _wrong("it is no transcript")
    made = Transcript(body, hashlib.sha256(data).hexdigest())
    plan = made.plan(Path())
    if (plan.script_sha256, plan.sha256) != (body["script_sha256"], body["plan_sha256"]):
        raise _wrong("the script in it is not the one that was confirmed")
    return made


def check_outputs(transcript: Transcript, directory: Path) -> list[str]:
    """Names of the outputs that lie in *directory* unchanged; BadRequest for one that does not."""
    for name, sha256 in transcript.outputs.items():
        path = directory / name
        if not path.is_file():
            raise _wrong(f"{name} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise _wrong(f"{name} is not what was signed")
    return list(transcript.outputs)


def check_order(transcripts: list[Transcript]) -> None:
    """Raise unless each names the one before it: none was left out."""
    for earlier, later in pairwise(transcripts):
        if later.body["previous"] != earlier.sha256:
            raise _wrong(
                f"transcript {later.body['sequence']} does not follow {earlier.body['sequence']}"
            )


def _wrong(why: str) -> BadRequest:
    return BadRequest(why, field="transcript", rule="ceremony.transcript")
