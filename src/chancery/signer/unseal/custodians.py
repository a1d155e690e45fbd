"""Unseal with shares of custodians: M of N people together, and nobody alone."""

import json
import secrets
import time
from collections.abc import Sequence
from typing import Final

from chancery.domain.custody import Custodian, CustodyPurpose, ShareSet
from chancery.domain.errors import CAError, Unavailable
from chancery.signer.unseal import Parameters
from chancery.wire import custody

KIND: Final = "custodians"
_SECRET: Final = 32  # octets: the wrapping key itself


class Founding:
    """A new set: the secret is made, split, and forgotten once ``key`` gave it out."""

    kind = KIND

    def __init__(
        self, people: Sequence[Custodian], threshold: int, purpose: CustodyPurpose
    ) -> None:
        """Conflict if a person would hold two shares, BadRequest for a bad M of N."""
        self._secret = bytearray(secrets.token_bytes(_SECRET))
        self.share_set, self.words = custody.split(
            bytes(self._secret), people, threshold=threshold, purpose=purpose, now=int(time.time())
        )
        # Before anything is sealed with it: what was handed out does come together.
        last = list(self.words.values())[-threshold:]
        if custody.combine(self.share_set, last) != self._secret:
            raise Unavailable("the shares that were made do not open what they are made of")

    def new_parameters(self) -> Parameters:
        return {"set": json.dumps(custody.to_document(self.share_set), sort_keys=True)}

    def key(self, parameters: Parameters) -> bytearray:
        del parameters
        secret, self._secret = self._secret, bytearray()
        return secret

    def letters(self) -> dict[str, tuple[str, bytes]]:
        """For each custodian the file to hand over: its name and content."""
        return {
            one.name: custody.letter(self.words[one.name], one.custodian, self.share_set)
            for one in self.share_set.holders
        }


class Gathered:
    """Shares that people brought."""

    kind = KIND

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)

    def new_parameters(self) -> Parameters:
        raise TypeError("bug: a new seal needs a new set")

    def key(self, parameters: Parameters) -> bytearray:
        """Raises what is wrong with a share, naming it."""
        return bytearray(custody.combine(share_set_of(parameters), self._texts))


def share_set_of(parameters: Parameters) -> ShareSet:
    """The set that a seal's parameters describe; Unavailable if they were edited."""
    try:
        return custody.read_document(str(parameters.get("set", "")))
    except CAError as error:
        raise Unavailable(
            "the vault's header does not say who its custodians are",
            field="vault",
            rule="unseal.parameters",
            remedy="restore vault.json from a backup",
        ) from error
