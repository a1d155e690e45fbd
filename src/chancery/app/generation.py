"""``chancery bench generate``: an instance as large as one likes."""

import time
from collections.abc import Callable
from pathlib import Path

from chancery.adapters.storage.generation import Wish, generate
from chancery.domain.errors import BadRequest
from chancery.settings import load


def fill(config: Path, certificates: int, revoked: int, told: Callable[[int], None]) -> None:
    """Fill the instance; *told* hears how many are written.  BadRequest for what is refused."""
    if revoked > certificates:
        raise BadRequest(
            "more revoked than there are", field="revoked", remedy="--revoked up to --certificates"
        )
    generate(load(config).database.url, Wish(certificates, revoked, int(time.time())), told)
