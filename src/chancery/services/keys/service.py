"""The key services in one object, for the doors."""

from collections.abc import Sequence

from chancery.domain.vaults import SOFTWARE
from chancery.ports import Clock, Entropy, Store
from chancery.ports_keys import ManagedVault
from chancery.services.keys.desk import Desk
from chancery.services.keys.errands import Errands
from chancery.services.keys.escrow import Escrow
from chancery.services.keys.leaving import Leaving
from chancery.services.keys.life import Life
from chancery.services.keys.making import Making
from chancery.services.keys.notices import Notices
from chancery.services.keys.orders import Orders
from chancery.services.keys.parts import Parts
from chancery.services.keys.rooms import KeyGroups, KeyTemplates
from chancery.services.keys.rotation import Rotation
from chancery.services.keys.using import Using


class KeyService:
    """One of each.  *approved_mode*: no key of an algorithm that FIPS does not approve.

    *vaults* are the names of those that keys can be made in.
    """

    def __init__(
        self,
        store: Store,
        vault: ManagedVault,
        clock: Clock,
        entropy: Entropy,
        *,
        approved_mode: bool = False,
        vaults: Sequence[str] = (SOFTWARE,),
    ) -> None:
        self.vaults = tuple(vaults)
        desk = Desk(store, vault, clock, entropy, approved_mode)
        self.groups = KeyGroups(desk)
        self.templates = KeyTemplates(desk)
        self.making = Making(desk)
        self.life = Life(desk)
        self.using = Using(desk)
        self.leaving = Leaving(desk)
        self.escrow = Escrow(desk, self.making)
        self.parts = Parts(desk, self.making)
        self.orders = Orders(desk, self.making, self.life, self.leaving, self.escrow, self.parts)
        self.rotation = Rotation(desk, self.making)
        self.notices = Notices(desk)
        self.errands = Errands(desk)
