"""The console: a module for each section, in no particular order (the navigation has its own)."""

from typing import Final

from chancery.web.console import (
    account,
    audit,
    authorities,
    authority_making,
    authority_succession,
    certificate,
    certificates,
    directories,
    dn_profile_editor,
    dn_profiles,
    home,
    joint,
    people,
    people_groups,
    people_user,
    profile_editor,
    profiles,
    registration_editor,
    registrations,
    request,
    requests,
    revocations,
    second_factor,
    sign_in,
    sign_in_provider,
    step_up,
)
from chancery.web.pages import Pages

PAGES: Final[tuple[Pages, ...]] = (
    home.pages,
    requests.pages,
    request.pages,
    certificates.pages,
    certificate.pages,
    revocations.pages,
    sign_in.pages,
    sign_in_provider.pages,
    second_factor.pages,
    joint.pages,
    step_up.pages,
    account.pages,
    audit.pages,
    authority_making.pages,  # before authorities: no authority is called _new
    authority_succession.pages,
    authorities.pages,
    directories.pages,
    people.pages,
    people_user.pages,
    people_groups.pages,
    people_groups.making,
    profile_editor.pages,  # before profiles: no profile is called _new
    profiles.pages,
    dn_profile_editor.pages,
    dn_profiles.pages,
    registration_editor.pages,
    registrations.pages,
)
