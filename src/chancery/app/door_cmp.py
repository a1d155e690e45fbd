"""CMP, put together."""

from chancery.app.doors import Parts
from chancery.protocols.cmp import CmpHandler
from chancery.protocols.cmp.protection import Guard
from chancery.protocols.cmp.replies import Replies


def make(parts: Parts) -> CmpHandler:
    return CmpHandler(
        parts.desk,
        Guard(parts.desk, parts.credentials),
        Replies(parts.desk, parts.keys, parts.vault, parts.entropy),
        parts.catalogue,
        parts.confirmations,
        parts.clock,
        parts.entropy,
    )
