"""SCEP, put together."""

from chancery.adapters.mdm import ManagerHooks
from chancery.app.doors import Parts
from chancery.app.work import endpoint
from chancery.domain.ids import new_id
from chancery.protocols.scep import ScepHandler


def make(parts: Parts) -> ScepHandler:
    clock, entropy = parts.clock, parts.entropy
    hooks = [endpoint(webhook) for webhook in parts.settings.webhooks]
    manager = ManagerHooks(hooks, lambda: new_id(clock.ms(), entropy(10)))
    return ScepHandler(parts.desk, parts.credentials, parts.keys, parts.vault, manager, entropy)
