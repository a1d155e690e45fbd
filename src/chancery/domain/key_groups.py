"""Groups of keys: who may do what with them; and templates: what new ones are like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chancery.domain.errors import BadRequest
from chancery.domain.identity import Principal, Role
from chancery.domain.managed_key import KeyKind, KeyRules, RotationPolicy


class KeyRight(StrEnum):
    """What a role or a group of people may do with the keys of one key group."""

    VIEW = "view"  # see them, never their material
    USE = "use"  # encrypt, sign, wrap ... as their uses allow
    MANAGE = "manage"  # make, import, rotate, change their state, ask for exports
    APPROVE = "approve"  # agree to what others ask for
    HOLD = "hold"  # enter and receive components


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Keys that belong together.

    Members of *owner* (a group of people) have every right; *grants* maps a
    role's name, or ``group:NAME``, to rights.  *approvals*: how many others
    must agree to what changes a key or takes it out; 0: nobody.  *parent*
    names the group above it in the tree; rights are not inherited.
    """

    name: str
    description: str
    owner: str
    grants: Mapping[str, frozenset[KeyRight]]
    approvals: int = 0
    parent: str = ""

    def rights(self, principal: Principal) -> frozenset[KeyRight]:
        """What *principal* may do here: nothing, unless something says so."""
        if self.owner and self.owner in principal.groups:
            return frozenset(KeyRight)
        titles = {role.value for role in principal.roles}
        titles |= {f"group:{name}" for name in principal.groups}
        return frozenset(right for title in titles for right in self.grants.get(title, ()))


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """What a key made from it is, and may become.  *groups*: where it may be made; empty: anywhere.

    *cryptoperiod* is in days, 0: no end.  *entry*: how a key may come in:
    ``generate``, ``import``, ``components``.
    """

    name: str
    description: str
    kind: KeyKind
    rules: KeyRules
    rotation: RotationPolicy = field(default_factory=RotationPolicy)
    cryptoperiod: int = 0
    groups: frozenset[str] = frozenset()
    entry: frozenset[str] = frozenset({"generate", "import", "components"})
    block_usage: str = "D0"
    block_mode: str = "B"


def check_grants(grants: Mapping[str, frozenset[KeyRight]]) -> None:
    """Raise BadRequest for a title that is neither a role nor a group of people."""
    roles = {role.value for role in Role}
    for title in grants:
        if title not in roles and not (title.startswith("group:") and title[6:]):
            raise BadRequest(
                f"{title[:80]!r} is neither a role nor group:NAME",
                field="grants",
                rule="key-group.grants",
                remedy=f"one of {', '.join(sorted(roles))}, or group:NAME",
            )
