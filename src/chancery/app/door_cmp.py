"""CMP, put together."""

from chancery.app.doors import Parts
from chancery.protocols.cmp.handler import CmpHandler
from chancery.protocols.cmp.key_delivery import KeyDelivery
from chancery.protocols.cmp.protection import Guard
from chancery.protocols.cmp.replies import Replies


def make(parts: Parts) -> CmpHandler:
    return CmpHandler(
        parts.desk,
        Guard(parts.desk, parts.credentials),
        Replies(parts.desk, parts.keys, parts.vault, parts.clock, parts.entropy),
        parts.catalogue,
        parts.confirmations,
        KeyDelivery(parts.desk, parts.credentials, parts.keys, parts.vault, parts.entropy),
        parts.clock,
        parts.entropy,
    )
