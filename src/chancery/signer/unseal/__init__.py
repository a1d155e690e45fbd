"""Ways to open the vault: one module each.

A source turns parameters, which lie in clear in the vault's header, and a
secret, which does not, into the 32-octet key that wraps the master key.  A new
way (custodian shares, a TPM) is a new module with a class of this shape.
"""

from collections.abc import Mapping
from typing import Protocol

Parameters = Mapping[str, str | int]
"""What the header records of one seal: JSON scalars, authenticated with the wrapped key."""


class UnsealSource(Protocol):
    """One secret that opens the vault."""

    @property
    def kind(self) -> str:
        """Name of this way in the vault's header."""
        ...

    def new_parameters(self) -> Parameters:
        """Choose parameters (salt, cost) for a new seal."""
        ...

    def key(self, parameters: Parameters) -> bytearray:
        """Derive the 32-octet wrapping key, which the caller wipes.

        Raises Unavailable if the secret cannot be had, or is unfit.
        """
        ...
