"""Escrow: a key sealed so that some of N recovery agents, together, can bring it back.

The key is sealed under a fresh AES-256 key; that is split into SLIP-39 shares,
and each share encrypted to one agent's RSA key (OAEP, SHA-256), which we never
hold.  So the record alone, or we alone, recover nothing.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery.domain.errors import BadKey, BadRequest, Conflict
from chancery.domain.key_orders import KeyAuthority
from chancery.domain.managed_key import KeyFacts, KeyKind, KeyRules
from chancery.ports_keys import NewKey
from chancery.signer import files
from chancery.signer.managed.boundary import Boundary
from chancery.signer.managed.movement import Movement
from chancery.signer.managed.rulebook import Held
from chancery.wire import key_wrap

MAX_AGENTS: Final = 16
_NONCE: Final = 12
_AGENT_BITS: Final = 3072
"""A share is up to 297 characters: RSA-2048 takes 190 octets, RSA-3072 takes 318."""


class Escrow:
    def __init__(self, boundary: Boundary, movement: Movement) -> None:
        self._b = boundary
        self._movement = movement

    def make(
        self, handle: str, agents: Sequence[bytes], threshold: int, who: KeyAuthority
    ) -> tuple[bytes, tuple[bytes, ...]]:
        from shamir_mnemonic import generate_mnemonics  # noqa: PLC0415 - few need it

        def work(held: Held) -> tuple[bytes, tuple[bytes, ...]]:
            self._b.release(held, who, least=1)
            keys = [key_wrap.rsa_public(agent) for agent in agents]
            if not 2 <= threshold <= len(keys) <= MAX_AGENTS or len(set(agents)) < len(keys):
                raise BadRequest(
                    f"2 or more of up to {MAX_AGENTS} different agents recover a key",
                    field="agents",
                    rule="escrow.agents",
                )
            if any(key.key_size < _AGENT_BITS for key in keys):
                raise BadKey(
                    f"an agent's key is RSA of {_AGENT_BITS} bits or more",
                    field="agents",
                    rule="escrow.agent-key",
                )
            octets = self._b.secret(held).reveal()
            content = {
                "kind": held.kind.value,
                "rules": msgspec.to_builtins(held.rules),
                "octets": base64.b64encode(octets).decode(),
            }
            kek, nonce = secrets.token_bytes(32), secrets.token_bytes(_NONCE)
            sealed = nonce + AESGCM(kek).encrypt(nonce, json.dumps(content).encode(), None)
            files.wipe(octets)
            (words,) = generate_mnemonics(1, [(threshold, len(keys))], kek)
            shares = tuple(
                key_wrap.wrap_public(key_wrap.OAEP, key, share.encode(), b"")
                for key, share in zip(keys, words, strict=True)
            )
            self._b.left(held, f"escrow, {threshold} of {len(keys)}", who)
            return sealed, shares

        return self._b.judged(handle, b"", work)

    def open(
        self, new: NewKey, sealed: bytes, shares: Sequence[str], who: KeyAuthority
    ) -> KeyFacts:
        """Bring a key back.  BadRequest if the shares are too few, wrong, or of another key."""
        from shamir_mnemonic import MnemonicError, combine_mnemonics  # noqa: PLC0415

        try:
            kek = combine_mnemonics([" ".join(share.split()).lower() for share in shares])
            plain = AESGCM(kek).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except MnemonicError:
            raise BadRequest(
                "the shares do not fit together: too few, one twice, or one of another key",
                field="shares",
                rule="escrow.shares",
                remedy="bring as many shares of this key as its escrow says, each once",
            ) from None
        except (InvalidTag, ValueError):
            raise BadRequest(
                "these shares belong to another key", field="shares", rule="escrow.other"
            ) from None
        content = json.loads(plain)
        rules = msgspec.convert(content["rules"], KeyRules)
        if KeyKind(content["kind"]) is not new.kind or rules != new.rules:
            raise Conflict(
                "the key in escrow was held to other rules", field="key", rule="escrow.rules"
            )
        octets = bytearray(base64.b64decode(content["octets"]))
        return self._movement.take_in(new, who, "recovered", octets)
