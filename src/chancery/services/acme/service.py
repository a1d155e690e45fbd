"""One of each, put together."""

from chancery.domain.door import Door
from chancery.ports import Clock, Entropy, Store
from chancery.ports_acme import CaaLookup, Validator
from chancery.ports_sign_in import Sealer
from chancery.services.acme.accounts import AccountService
from chancery.services.acme.authorizations import AuthorizationService
from chancery.services.acme.challenges import ChallengeService
from chancery.services.acme.limits import Limits
from chancery.services.acme.nonces import Nonces
from chancery.services.acme.orders import OrderService
from chancery.services.acme.overview import AcmeOverview
from chancery.services.acme.renewal import RenewalService
from chancery.services.acme.revocation import AcmeRevocation
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment import EnrolmentDesk


class AcmeService:
    """What stands behind the ACME doors; ``close`` ends its threads."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        desk: EnrolmentDesk,
        sealer: Sealer,
        validator: Validator,
        lookup: CaaLookup,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        limits = Limits(clock)
        self.clock = clock
        self.nonces = Nonces(store, sealer, clock, entropy)
        self.accounts = AccountService(store, limits, clock, entropy)
        self.authorizations = AuthorizationService(
            store, catalogue, self.accounts, limits, clock, entropy
        )
        self.challenges = ChallengeService(store, validator, lookup, limits, clock)
        self.renewal = RenewalService(store, clock, entropy)
        self.orders = OrderService(
            store,
            catalogue,
            desk,
            self.accounts,
            self.authorizations,
            self.renewal,
            lookup,
            limits,
            clock,
            entropy,
        )
        self.revocation = AcmeRevocation(store, desk, clock)
        self.overview = AcmeOverview(store, clock)
        self._catalogue = catalogue

    def profiles(self, door: Door) -> dict[str, str]:
        """What an order may ask for, each with its description."""
        return {
            name: self._catalogue.profile(name).profile.description or name
            for name in sorted(door.offered)
        }

    def close(self) -> None:
        self.challenges.close()
