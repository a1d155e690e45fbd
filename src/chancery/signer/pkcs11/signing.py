"""Signatures with one key of a token: found in the session, made, counted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature

from chancery.domain.errors import CAError, Unavailable
from chancery.signer import keypair
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import inventory
from chancery.signer.pkcs11.mechanisms import HowToSign

if TYPE_CHECKING:
    from chancery.signer.pkcs11.session import Session
    from chancery.signer.pkcs11.vault import TokenHolder

TURN_S: Final = 0.05
"""Seconds after which a session that signs a batch is given back, so that others get theirs."""


@dataclass(slots=True)
class Counts:
    """Of a vault, since the signer's start."""

    signatures: int = 0
    failures: int = 0


def believed(signature: bytes, data: bytes) -> None:
    """Where not every signature is verified, the first of each session was."""


def strict(vault: str, verify: keypair.Verify) -> keypair.Verify:
    def check(signature: bytes, data: bytes) -> None:
        try:
            verify(signature, data)
        except InvalidSignature:
            raise Unavailable(
                f"a signature of vault {vault} did not verify and was thrown away: another key"
                " stands under this name, or the token is broken",
                field="vault",
                rule="vault.wrong-key",
                remedy="compare the token's serial and objects: `chancery vault show`",
            ) from None

    return check


class Signing:
    """What signs with one key of the token; *prove* is asked of each session's first."""

    def __init__(
        self,
        vault: "TokenHolder",
        label: str,
        object_id: bytes,
        how: HowToSign,
        prove: keypair.Verify | None,
    ) -> None:
        self._vault = vault
        self._place = (label, object_id, c.CKO_PRIVATE_KEY)
        self._how = how
        self._prove = prove

    def __call__(self, data: bytes) -> bytes:
        (made,) = self.run((data,))
        if isinstance(made, CAError):
            raise made
        return made

    def run(self, many: Sequence[bytes]) -> list[bytes | CAError]:
        """Those that one session makes in its turn; one that fails ends it for all after it."""
        made: list[bytes | CAError] = []
        end = time.monotonic() + TURN_S
        try:
            with self._vault.session() as session:
                handle = session.keys.get(self._place)
                if handle is None:
                    handle = inventory.exactly_one(session, *self._place)
                    session.keys[self._place] = handle
                for data in many:
                    made.append(self._made(session, handle, data))
                    if time.monotonic() > end:
                        break
        except CAError as error:
            self._vault.counts.failures += len(many) - len(made)
            made += [error] * (len(many) - len(made))
        return made

    def _made(self, session: "Session", handle: int, data: bytes) -> bytes:
        how = self._how
        made = how.finished(session.sign(handle, how.mechanism, how.prepared(data)))
        if self._prove is not None and handle not in session.proven:
            self._prove(made, data)
            session.proven.add(handle)
        self._vault.counts.signatures += 1
        return made
