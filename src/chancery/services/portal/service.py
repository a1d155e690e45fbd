"""The public portal's services, as one."""

from dataclasses import dataclass

from chancery.services.portal.check import CheckService
from chancery.services.portal.following import FollowingService
from chancery.services.portal.offers import Offers
from chancery.services.portal.policy import PortalPolicy
from chancery.services.portal.revocation import HolderRevocationService
from chancery.services.portal.revocation_requests import RevocationRequestService
from chancery.services.portal.trust import TrustService


@dataclass(frozen=True, slots=True)
class PortalService:
    """One of each."""

    policy: PortalPolicy
    offers: Offers
    checks: CheckService
    following: FollowingService
    revocation: HolderRevocationService
    wishes: RevocationRequestService
    trust: TrustService
