"""The services of the public portal, put together."""

from chancery.ports import Clock, Entropy, Store
from chancery.services.catalogue import Catalogue
from chancery.services.notifications.announcer import Announcer
from chancery.services.portal.admission import Admission
from chancery.services.portal.check import CheckService
from chancery.services.portal.following import FollowingService
from chancery.services.portal.offers import Offers
from chancery.services.portal.policy import PortalPolicy, Rate
from chancery.services.portal.revocation import HolderRevocationService
from chancery.services.portal.revocation_requests import RevocationRequestService
from chancery.services.portal.service import PortalService
from chancery.services.portal.trust import TrustService
from chancery.services.preparation import Preparation
from chancery.settings import Portal


def portal_policy(given: Portal) -> PortalPolicy:
    """What the section ``portal`` of the settings means to the services."""
    return PortalPolicy(
        open=given.open,
        files=given.files,
        submissions=Rate(given.submissions.burst, given.submissions.per_hour),
        checks=Rate(given.checks.burst, given.checks.per_hour),
        codes=Rate(given.codes.burst, given.codes.per_hour),
        proof_of_work=given.proof_of_work,
        challenge_s=int(given.challenge_lifetime.total_seconds()),
        key_window_s=int(given.key_window.total_seconds()),
        server_keys=given.server_keys,
    )


def portal_service(
    store: Store,
    catalogue: Catalogue,
    preparation: Preparation,
    admission: Admission,
    clock: Clock,
    entropy: Entropy,
    announcer: Announcer,
    *,
    http: str,
) -> PortalService:
    return PortalService(
        policy=admission.policy,
        offers=Offers(catalogue),
        checks=CheckService(store, catalogue, preparation, clock, admission),
        following=FollowingService(store, entropy, admission),
        revocation=HolderRevocationService(store, clock, entropy, admission),
        wishes=RevocationRequestService(store, clock, entropy, admission, announcer),
        trust=TrustService(store, clock, http=http),
    )
