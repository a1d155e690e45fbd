"""What is open to people without an account."""

from dataclasses import dataclass

from chancery.domain.authority import LEVELS, Authority, AuthorityState
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.errors import CAError, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.profile import ExtensionProfile
from chancery.domain.registration import RegistrationAuthority
from chancery.services.access import demand_within
from chancery.services.catalogue import Catalogue
from chancery.services.confinement import holds
from chancery.services.reception import open_to


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile at a registration authority.  *authority* issues it; *approvals* people decide."""

    ra: RegistrationAuthority
    profile: ExtensionProfile
    dn_profile: DnProfile
    authority: Authority
    approvals: int

    @property
    def key(self) -> str:
        """Names the offer in a form."""
        return f"{self.ra.name}/{self.profile.name}"

    @property
    def asked(self) -> tuple[AttributeRule, ...]:
        """Attributes that the requester gives beside the CSR."""
        sources = (ValueSource.REQUESTER, ValueSource.DEFAULT)
        return tuple(rule for rule in self.dn_profile.attributes if rule.source in sources)


class Offers:
    """Read from policy as it stands now."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def all(self, principal: Principal) -> list[Offer]:
        """What strangers can ask for this moment, by registration authority and profile."""
        return [
            offer
            for ra in self._catalogue.ras()
            if ra.public and holds(principal, ra.name)
            for name in ra.profiles
            if (offer := self._offer(ra, name)) is not None
        ]

    def open_to(self, principal: Principal) -> list[Offer]:
        """What *principal*, who has an account, can ask for; by registration authority."""
        demand_within(principal, Permission.REQUEST_SUBMIT)
        return [
            offer
            for ra in self._catalogue.ras()
            if not ra.disabled and open_to(ra, principal) and holds(principal, ra.name)
            for name in ra.profiles
            if (offer := self._offer(ra, name)) is not None
        ]

    def find(self, principal: Principal, profile: str, ra: str | None = None) -> Offer:
        """The offer of that name; NotFound where nothing public bears it."""
        offers = self.all(principal)
        for offer in offers:
            if offer.profile.name == profile and ra in (None, offer.ra.name):
                return offer
        raise NotFound(
            f"no profile {profile[:80]!r} is open to the public",
            field="profile",
            rule="portal.profile",
            remedy="choose one of: "
            + (", ".join(dict.fromkeys(o.profile.name for o in offers)) or "none is open"),
        )

    def _offer(self, ra: RegistrationAuthority, name: str) -> Offer | None:
        """None where its profile is gone or its CA does not issue now."""
        try:
            profile = self._catalogue.profile(name).profile
            dn_profile = self._catalogue.dn_profile(profile.dn_profile)
            authority = self._catalogue.authority(ra.authorities[0])
        except CAError:
            return None
        if authority.state is not AuthorityState.ACTIVE or authority.offline:
            return None
        level = LEVELS[authority.security_level].approvals
        return Offer(
            ra, profile, dn_profile, authority, max(profile.approvals, ra.approvals, level)
        )
