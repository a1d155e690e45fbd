"""What a door for ACME lets its owner choose: ``domain.acme_settings``, as JSON has it."""

from collections.abc import Mapping
from typing import cast

from chancery.domain.acme_settings import AcmeSettings, check_settings
from chancery.domain.door import Door
from chancery.wire import documents


def check(given: Mapping[str, object]) -> Mapping[str, object]:
    """Fill up with what holds where nothing is said; BadRequest names the first fault."""
    found = documents.decode(AcmeSettings, dict(given), "door.settings")
    check_settings(found)
    return cast("Mapping[str, object]", documents.to_builtin(found))


def of(door: Door) -> AcmeSettings:
    """The settings of a door, which were checked when it was written."""
    return documents.decode(AcmeSettings, dict(door.settings), "door.settings")
