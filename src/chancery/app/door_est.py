"""EST, put together."""

from chancery.app.doors import Parts
from chancery.protocols.est.handler import EstHandler
from chancery.protocols.est.signing import Signing


def make(parts: Parts) -> EstHandler:
    return EstHandler(
        parts.desk,
        parts.credentials,
        parts.catalogue,
        parts.sealer,
        Signing(parts.desk, parts.keys, parts.vault),
        parts.clock,
        parts.entropy,
    )
