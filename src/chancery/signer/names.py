"""Key ids: they become file names, so they are few characters and no path."""

import re
from typing import Final

from chancery.domain.errors import SignerRefused

_KEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


def check_key_id(key_id: str) -> str:
    """Return *key_id* if it is one.  Raises SignerRefused."""
    if not _KEY_ID.match(key_id):
        raise SignerRefused(
            "a key id is 1 to 128 of A-Z a-z 0-9 . _ - and starts with a letter or digit",
            field="key_id",
            rule="key.id",
        )
    return key_id
