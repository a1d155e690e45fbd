"""Whether what somebody proposes is a key that a backup can be encrypted to."""

import re
from typing import Final

from chancery.domain.backup import KeyKind
from chancery.domain.errors import BadRequest
from chancery.wire.backup_source import SourcePublic

_RECIPIENT: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}")  # BIP 173: x25519 of age
_DEVICE: Final = re.compile(r"[0-9a-f]{16}")


def key_id(kind: KeyKind, public: str, device: str, threshold: int, shares: int) -> str:
    """The key's id.  BadRequest for anything that is no such key."""
    if kind is KeyKind.SOURCE:
        if not 2 <= threshold <= shares <= 16:
            raise BadRequest(
                f"{threshold} of {shares} is no choice of shares",
                field="threshold",
                rule="shares.numbers",
                remedy="2 <= threshold <= shares <= 16: 3 of 5, say",
            )
        return SourcePublic.parse(public).id
    if not _RECIPIENT.fullmatch(public) or not _DEVICE.fullmatch(device):
        raise BadRequest(
            "a device is an id of 16 hex digits and an age recipient (age1...)",
            field="public",
            rule="backup.device-key",
            remedy="`chancery backup device show FOLDER` prints both",
        )
    return device
