"""Policy before and after it is written: versions, differences, risks, previews, dry runs.

The documents themselves are read and written by ``api.routes.profiles``.
"""

from typing import Annotated

from fastapi import Query

from chancery.api.bodies import RawBody, Using, accepting, schema_of
from chancery.api.policy_models import (
    ChangeOut,
    DryRunOut,
    PreviewOut,
    RiskOut,
    VersionOut,
    between,
    dry_run_out,
    preview_out,
    risks_out,
    version_out,
)
from chancery.api.routing import Door, Who
from chancery.domain.dn_profile import DnProfile
from chancery.domain.identity import Permission
from chancery.domain.profile import ExtensionProfile
from chancery.domain.registration import RegistrationAuthority
from chancery.services.dry_run import DEFAULT_LAST, MAX_LAST

profiles = Door("/profiles", "profiles")
dn_profiles = Door("/dn-profiles", "profiles")
ras = Door("/ras", "registration authorities")

_MAX: int = 2**31 - 1
Old = Annotated[int, Query(ge=1, le=_MAX, description="Number of the older version.")]
New = Annotated[int, Query(ge=1, le=_MAX, description="Number of the newer version.")]
Full = Annotated[bool, Query(description="Ask the full linter too, as writing it does.")]
Last = Annotated[int, Query(ge=1, le=MAX_LAST, description="How many requests to try it on.")]
Like = Annotated[
    str | None,
    Query(max_length=64, description="The profile whose requests to try it on; else its own."),
]
Within = Annotated[
    str | None,
    Query(max_length=64, description="The profile of the sample; else one that uses it."),
]


@profiles.route("GET", "/{name}/risks", Permission.PROFILE_READ)
def profile_risks(who: Who, using: Using, name: str) -> list[RiskOut]:
    """List what is dangerous about a profile, by itself and in each RA that offers it."""
    return risks_out(using.policy.risks.profile(who, name))


@profiles.route("GET", "/{name}/diff", Permission.PROFILE_READ)
def profile_diff(who: Who, using: Using, name: str, old: Old, new: New) -> list[ChangeOut]:
    """Compare two versions of a profile, field by field."""
    before, after = (using.profiles.show(who, name, version) for version in (old, new))
    return between(before.profile, after.profile)


@profiles.route(
    "POST", "/{name}/preview", Permission.PROFILE_READ, openapi_extra=schema_of(ExtensionProfile)
)
def preview_profile(
    who: Who, using: Using, name: str, body: RawBody, full: Full = False
) -> PreviewOut:
    """Judge a profile that is not written yet: faults, risks, a decoded sample, differences."""
    candidate, _ = accepting(ExtensionProfile, body, name, "profile")
    return preview_out(using.policy.previews.profile(who, candidate, full=full))


@profiles.route(
    "POST", "/{name}/dry-run", Permission.PROFILE_MANAGE, openapi_extra=schema_of(ExtensionProfile)
)
def try_profile(
    who: Who,
    using: Using,
    name: str,
    body: RawBody,
    last: Last = DEFAULT_LAST,
    like: Like = None,
) -> DryRunOut:
    """Try a profile on the last requests: what would be refused, what would be different."""
    candidate, _ = accepting(ExtensionProfile, body, name, "profile")
    return dry_run_out(using.policy.dry_runs.profile(who, candidate, like=like, last=last))


@dn_profiles.route("GET", "/{name}/versions", Permission.PROFILE_READ)
def dn_profile_versions(who: Who, using: Using, name: str) -> list[VersionOut]:
    """List every version of a DN profile, oldest first."""
    return [version_out(one, DnProfile) for one in using.profiles.dn_versions(who, name)]


@dn_profiles.route("GET", "/{name}/risks", Permission.PROFILE_READ)
def dn_profile_risks(who: Who, using: Using, name: str) -> list[RiskOut]:
    """List what is dangerous about the profiles that use a DN profile."""
    return risks_out(using.policy.risks.dn_profile(who, name))


@dn_profiles.route("GET", "/{name}/diff", Permission.PROFILE_READ)
def dn_profile_diff(who: Who, using: Using, name: str, old: Old, new: New) -> list[ChangeOut]:
    """Compare two versions of a DN profile."""
    return between(*(using.profiles.dn_version(who, name, number) for number in (old, new)))


@dn_profiles.route(
    "POST", "/{name}/preview", Permission.PROFILE_READ, openapi_extra=schema_of(DnProfile)
)
def preview_dn_profile(
    who: Who, using: Using, name: str, body: RawBody, within: Within = None
) -> PreviewOut:
    """Judge a DN profile that is not written yet."""
    candidate, _ = accepting(DnProfile, body, name, "dn_profile")
    return preview_out(using.policy.previews.dn_profile(who, candidate, within=within))


@dn_profiles.route(
    "POST", "/{name}/dry-run", Permission.PROFILE_MANAGE, openapi_extra=schema_of(DnProfile)
)
def try_dn_profile(
    who: Who, using: Using, name: str, body: RawBody, last: Last = DEFAULT_LAST
) -> DryRunOut:
    """Try a DN profile on the last requests for the profiles that use it."""
    candidate, _ = accepting(DnProfile, body, name, "dn_profile")
    return dry_run_out(using.policy.dry_runs.dn_profile(who, candidate, last=last))


@ras.route("GET", "/{name}/versions", Permission.RA_READ)
def ra_versions(who: Who, using: Using, name: str) -> list[VersionOut]:
    """List every version of a registration authority, oldest first."""
    return [version_out(one, RegistrationAuthority) for one in using.ras.versions(who, name)]


@ras.route("GET", "/{name}/risks", Permission.RA_READ)
def ra_risks(who: Who, using: Using, name: str) -> list[RiskOut]:
    """List what is dangerous about a registration authority and what it offers."""
    return risks_out(using.policy.risks.ra(who, name))


@ras.route("GET", "/{name}/diff", Permission.RA_READ)
def ra_diff(who: Who, using: Using, name: str, old: Old, new: New) -> list[ChangeOut]:
    """Compare two versions of a registration authority."""
    return between(*(using.ras.version(who, name, number) for number in (old, new)))


@ras.route(
    "POST", "/{name}/preview", Permission.RA_READ, openapi_extra=schema_of(RegistrationAuthority)
)
def preview_ra(who: Who, using: Using, name: str, body: RawBody) -> PreviewOut:
    """Judge a registration authority that is not written yet."""
    candidate, _ = accepting(RegistrationAuthority, body, name, "ra")
    return preview_out(using.policy.previews.ra(who, candidate))


@ras.route(
    "POST", "/{name}/dry-run", Permission.RA_MANAGE, openapi_extra=schema_of(RegistrationAuthority)
)
def try_ra(
    who: Who, using: Using, name: str, body: RawBody, last: Last = DEFAULT_LAST
) -> DryRunOut:
    """Hold a registration authority against the last requests to it."""
    candidate, _ = accepting(RegistrationAuthority, body, name, "ra")
    return dry_run_out(using.policy.dry_runs.ra(who, candidate, last=last))
