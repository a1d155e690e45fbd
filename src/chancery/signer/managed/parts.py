"""Components: a key in pieces that different people bring or take, each piece useless alone.

What has come in, or has not been taken yet, waits in a sealed file of its entry.
"""

import json
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chancery.domain.errors import BadKey, BadRequest, Conflict, NotFound, NotPermitted
from chancery.domain.key_orders import KeyAuthority, Part
from chancery.domain.managed_key import KeyFacts, KeyKind
from chancery.ports_keys import NewKey
from chancery.signer import files, sealing
from chancery.signer.managed import material
from chancery.signer.managed.boundary import Boundary
from chancery.signer.managed.movement import Movement
from chancery.signer.managed.rulebook import Held
from chancery.signer.names import check_key_id
from chancery.signer.vault import Vault, altered, pretty, read_envelope

_FORMAT: Final = "chancery-key-parts-1"
MAX_PARTS: Final = 9


class Parts:
    """Entry and export of components.  Safe for concurrent use."""

    def __init__(
        self, boundary: Boundary, movement: Movement, vault: Vault, directory: Path
    ) -> None:
        self._b = boundary
        self._movement = movement
        self._vault = vault
        self._directory = directory
        self._lock = threading.Lock()

    def split(self, entry: str, handle: str, holders: Sequence[str], who: KeyAuthority) -> KeyFacts:
        """Make a component for each of *holders*, who fetch them one by one."""

        def work(held: Held) -> KeyFacts:
            _people(holders)
            self._b.release(held, who, least=1)
            if not held.kind.secret:
                raise NotPermitted(
                    "only secret keys have components", field="key", rule="parts.kind"
                )
            octets = self._b.secret(held).reveal()
            pieces = [secrets.token_bytes(len(octets)) for _ in holders[1:]]
            last = material.xor([octets, *pieces])
            files.wipe(octets)
            content = {
                "out": True,
                "kind": held.kind.value,
                "total": len(holders),
                "combined": held.facts.check_value,
                "parts": {
                    str(n): {"who": one, "octets": bytes(piece).hex()}
                    for n, (one, piece) in enumerate(zip(holders, [*pieces, last], strict=True), 1)
                },
            }
            with self._lock:
                self._write(entry, content, fresh=True)
            self._b.left(held, f"{len(holders)} components", who, under=" ".join(holders)[:500])
            return held.facts

        return self._b.judged(handle, b"", work)

    def put(
        self,
        entry: str,
        kind: KeyKind,
        place: tuple[int, int],
        component: bytes,
        check_value: str,
        who: KeyAuthority,
    ) -> Part:
        """Take one in.  Each comes from another person; *check_value*, if given, is its own."""
        number, total = place
        if not kind.secret or not 2 <= total <= MAX_PARTS or not 1 <= number <= total:
            raise BadRequest(
                f"a secret key has 2 to {MAX_PARTS} components", field="number", rule="parts.number"
            )
        if len(component) != kind.octets:
            raise BadRequest(
                f"a component of a {kind.value} key has {kind.octets} octets, this has"
                f" {len(component)}",
                field="component",
                rule="parts.length",
            )
        if len(set(component)) < 4:
            raise BadKey(
                "this is no random component: its octets repeat themselves",
                field="component",
                rule="parts.weak",
                remedy="whoever has the other components would know the key: make it anew",
            )
        own = material.check_value(kind, component)
        _same_value(check_value, own, "the component")
        with self._lock:
            content = self._read(entry) or {
                "out": False, "kind": kind.value, "total": total, "parts": {},
            }  # fmt: skip
            if content["out"] or content["kind"] != kind.value or content["total"] != total:
                raise Conflict("this entry is about something else", field="entry", rule="parts.of")
            mine = {"who": who.actor, "octets": component.hex()}
            if content["parts"].get(str(number)) == mine:
                return Part(number, total, "", own, "")  # the first answer did not arrive
            if str(number) in content["parts"]:
                raise Conflict(
                    f"component {number} is in already", field="number", rule="parts.twice"
                )
            earlier = {
                name for part in content["parts"].values() for name in part["who"].split("+")
            }
            if earlier & set(who.actor.split("+")):
                raise NotPermitted(
                    f"{who.actor} has brought a component: the others come from other people",
                    field="component",
                    rule="parts.people",
                    remedy="have another holder of components enter it",
                )
            if component.hex() in {part["octets"] for part in content["parts"].values()}:
                raise Conflict(
                    "this component is in already, under another number",
                    field="component",
                    rule="parts.same",
                    remedy="two that are the same cancel each other out: take the right paper",
                )
            content["parts"][str(number)] = mine
            self._b.component(entry, "entered", number, who)
            self._write(entry, content)
        return Part(number, total, "", own, "")

    def take(self, entry: str, number: int, who: KeyAuthority) -> Part:
        """Show a holder the own component, and forget it."""
        with self._lock:
            content = self._read(entry)
            part = (content or {}).get("parts", {}).get(str(number))
            if content is None or part is None or not content["out"]:
                raise NotFound(
                    "this component is not there: taken already, or never made",
                    field="number",
                    rule="parts.gone",
                    remedy="a component is shown once; split the key anew if it is lost",
                )
            if part["who"] not in who.actor.split("+"):
                raise NotPermitted(
                    f"component {number} is for {part['who']} alone",
                    field="number",
                    rule="parts.holder",
                )
            del content["parts"][str(number)]
            self._b.component(entry, "taken", number, who)
            self._write(entry, content)
            if not content["parts"]:
                files.erase(self._path(entry))
        octets = bytes.fromhex(part["octets"])
        kind = KeyKind(content["kind"])
        own = material.check_value(kind, octets)
        shown = octets.hex().upper()
        return Part(number, content["total"], shown, own, content["combined"])

    def join(self, new: NewKey, entry: str, check_value: str, who: KeyAuthority) -> KeyFacts:
        """Make the key of all components; its check value must be *check_value*, if given."""
        with self._lock:
            content = self._read(entry)
            if content is None or content["out"] or content["kind"] != new.kind.value:
                raise NotFound("no components wait here", field="entry", rule="parts.gone")
            missing = content["total"] - len(content["parts"])
            if missing:
                raise Conflict(
                    f"{missing} of {content['total']} components are missing",
                    field="entry",
                    rule="parts.missing",
                )
            octets = material.xor(
                bytes.fromhex(part["octets"]) for part in content["parts"].values()
            )
            _same_value(check_value, material.check_value(new.kind, octets), "the key")
            facts = self._movement.take_in(new, who, "components", octets)
            files.erase(self._path(entry))
        return facts

    def drop(self, entry: str, who: KeyAuthority) -> None:
        """Forget what came in, or was not taken."""
        with self._lock:
            if self._path(entry).exists():
                self._b.component(entry, "dropped", 0, who)
                files.erase(self._path(entry))

    def _read(self, entry: str) -> dict[str, Any] | None:
        path = self._path(entry)
        if not path.exists():
            return None
        envelope = read_envelope(path, _FORMAT)
        try:
            plain = self._vault.unwrap(envelope)
        except sealing.Tampered:
            raise altered(path) from None
        if envelope["metadata"] != self._metadata(entry):
            raise altered(path)
        found: dict[str, Any] = json.loads(plain)
        files.wipe(plain)
        return found

    def _write(self, entry: str, content: dict[str, Any], *, fresh: bool = False) -> None:
        plain = bytearray(json.dumps(content).encode())
        metadata = self._metadata(entry)
        sealed = pretty({"metadata": metadata, **self._vault.wrap(plain, metadata)})
        files.wipe(plain)
        try:
            files.replace(self._path(entry), sealed, fresh=fresh)
        except FileExistsError:
            raise Conflict("this entry was used before", field="entry", rule="parts.of") from None

    def _metadata(self, entry: str) -> dict[str, object]:
        return {"format": _FORMAT, "vault": self._vault.id, "entry": entry}

    def _path(self, entry: str) -> Path:
        return self._directory / f"{check_key_id(entry)}.parts.json"


def _people(holders: Sequence[str]) -> None:
    if not 2 <= len(holders) <= MAX_PARTS or len(set(holders)) < len(holders):
        raise BadRequest(
            f"2 to {MAX_PARTS} different people hold components",
            field="holders",
            rule="parts.people",
            remedy="name each holder once",
        )


def _same_value(given: str, own: str, what: str) -> None:
    """Compare a check value that was told: 4 hex digits of it or more."""
    told = given.replace(" ", "").upper()
    if told and (len(told) < 4 or not own.startswith(told[: len(own)])):
        raise BadRequest(
            f"the check value of {what} is {own}, not {told[:16]}",
            field="check_value",
            rule="parts.check-value",
            remedy="compare each octet with the paper: one digit is wrong"
            if what == "the component"
            else "one of the components is another one's: give them up and begin anew",
        )
