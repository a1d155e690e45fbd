"""Whom a submission is for: the registration authority that takes it, and the CA that issues."""

from chancery.domain.authority import Authority
from chancery.domain.errors import BadRequest, NotFound, NotPermitted, WrongState
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import Submission
from chancery.services.access import demand_within
from chancery.services.catalogue import Catalogue
from chancery.services.confinement import holds


def registration_authority(
    catalogue: Catalogue, principal: Principal, submission: Submission
) -> RegistrationAuthority:
    """The one that takes *submission* from *principal*; NotPermitted where it does not."""
    if submission.ra is not None:
        ra = _within(catalogue, principal, submission.ra)
    elif principal.ra:
        ra = catalogue.ra(principal.ra)
    else:
        ra = _only(catalogue, principal, submission.profile)
    if not (principal.method is AuthMethod.NONE and ra.anonymous):
        demand_within(principal, Permission.REQUEST_SUBMIT)
    if ra.disabled:
        raise WrongState(
            f"{ra.name} takes no requests now",
            field="ra",
            rule="ra.disabled",
            remedy="submit through another one, or ask an administrator to enable it",
        )
    if not open_to(ra, principal):
        raise NotPermitted(
            f"only members of {' or '.join(ra.submit_groups)} submit to {ra.name}",
            field="ra",
            rule="ra.submit-group",
            remedy="ask an administrator to put you into one of these groups",
        )
    if submission.profile not in ra.profiles:
        catalogue.profile(submission.profile)  # an unknown one is the clearer error
        raise NotPermitted(
            f"{ra.name} does not offer profile {submission.profile!r}",
            field="profile",
            rule="ra.profiles",
            remedy="it offers: " + ", ".join(ra.profiles),
        )
    return ra


def _within(catalogue: Catalogue, principal: Principal, name: str) -> RegistrationAuthority:
    """The one that was named; through a gateway there is one alone."""
    if not holds(principal, name):
        raise NotFound(
            f"no registration authority {name[:80]!r} here",
            field="ra",
            rule="ra.known",
            remedy=f"leave it out: what comes in here is for {principal.ra}",
        )
    return catalogue.ra(name)


def _only(catalogue: Catalogue, principal: Principal, profile: str) -> RegistrationAuthority:
    """The registration authority meant by someone who named none."""
    catalogue.profile(profile)
    offers = [ra for ra in catalogue.ras_for(profile) if not ra.disabled and open_to(ra, principal)]
    if len(offers) != 1:
        raise BadRequest(
            f"{len(offers)} registration authorities offer profile {profile!r} to you",
            field="ra",
            rule="ra.unambiguous",
            remedy="name one: " + (", ".join(offer.name for offer in offers) or "none does"),
        )
    return offers[0]


def issuer(catalogue: Catalogue, ra: RegistrationAuthority, submission: Submission) -> Authority:
    """The CA that is asked for, or the RA's own; NotPermitted where the RA does not use it."""
    name = submission.authority or ra.authorities[0]
    if name not in ra.authorities:
        raise NotPermitted(
            f"{ra.name} does not issue from {name!r}",
            field="authority",
            rule="ra.authorities",
            remedy="it issues from: " + ", ".join(ra.authorities),
        )
    return catalogue.authority(name)


def open_to(ra: RegistrationAuthority, principal: Principal) -> bool:
    """Whether the RA takes what *principal* submits, as far as groups go."""
    if principal.method is AuthMethod.NONE:
        return ra.anonymous and not ra.submit_groups
    return (
        not ra.submit_groups
        or not principal.groups.isdisjoint(ra.submit_groups)
        or principal.method in (AuthMethod.SYSTEM, AuthMethod.DOOR)
    )
