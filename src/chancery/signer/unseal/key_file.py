"""Unseal with a file of 32 random octets: unattended start; the file is as secret as the keys."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chancery.domain.errors import Unavailable
from chancery.signer import files
from chancery.signer.unseal import Parameters

LENGTH: Final = 32


@dataclass(frozen=True)
class KeyFile:
    """*path* holds exactly 32 octets and is readable by its owner only."""

    path: Path
    kind: str = "key-file"

    def new_parameters(self) -> Parameters:
        return {}

    def key(self, parameters: Parameters) -> bytearray:
        del parameters
        secret = files.read_private(self.path, limit=LENGTH + 1)
        if len(secret) != LENGTH:
            files.wipe(secret)
            raise Unavailable(
                f"{self.path} must hold exactly {LENGTH} octets",
                field="unseal-file",
                rule="unseal.length",
                remedy=f"make it with: head -c {LENGTH} /dev/urandom > FILE",
            )
        return secret
