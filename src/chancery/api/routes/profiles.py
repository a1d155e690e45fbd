"""Certificate profiles, DN profiles and registration authorities: the office's rules.

Their documents are the domain's own types, read and written by ``wire.documents``.
"""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from chancery.api.bodies import RawBody, Using, accepting, schema_of
from chancery.api.models import Out
from chancery.api.routing import Door, Who
from chancery.domain.dn_profile import DnProfile
from chancery.domain.identity import Permission
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.domain.registration import RaFilter, RegistrationAuthority
from chancery.wire import documents

profiles = Door("/profiles", "profiles")
dn_profiles = Door("/dn-profiles", "profiles")
ras = Door("/ras", "registration authorities")

Document = dict[str, Any]
Text = Annotated[str, Query(max_length=128, description="In name or description.")]
Slug = Annotated[str | None, Query(max_length=128, description="Exactly this one.")]
Public = Annotated[bool | None, Query(description="Whether people without an account may submit.")]


class ProfileOut(Out):
    """One immutable version of a profile; *sha256* is over the canonical document."""

    name: str
    version: int
    sha256: str
    created_at: int
    created_by: str
    profile: Document = Field(description="An ExtensionProfile.")


def _profile_out(version: ProfileVersion) -> ProfileOut:
    return ProfileOut(
        name=version.profile.name,
        version=version.version,
        sha256=version.sha256,
        created_at=version.created_at,
        created_by=version.created_by,
        profile=_document(version.profile),
    )


def _document(value: object) -> Document:
    built = documents.to_builtin(value)
    assert isinstance(built, dict)  # each of these types is a dataclass
    return built


@profiles.route("GET", "", Permission.PROFILE_READ)
def list_profiles(who: Who, using: Using) -> list[ProfileOut]:
    """List the latest version of each profile."""
    return [_profile_out(version) for version in using.profiles.all(who)]


@profiles.route("GET", "/{name}", Permission.PROFILE_READ)
def show_profile(
    who: Who,
    using: Using,
    name: str,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> ProfileOut:
    """Show a profile: its latest version, or the one asked for."""
    return _profile_out(using.profiles.show(who, name, version))


@profiles.route("GET", "/{name}/versions", Permission.PROFILE_READ)
def list_versions(who: Who, using: Using, name: str) -> list[ProfileOut]:
    """List every version there ever was."""
    return [_profile_out(version) for version in using.profiles.versions(who, name)]


@profiles.route(
    "PUT",
    "/{name}",
    Permission.PROFILE_MANAGE,
    openapi_extra=schema_of(ExtensionProfile, accepts=True),
)
def put_profile(who: Who, using: Using, name: str, body: RawBody) -> ProfileOut:
    """Make a new version; requests already made keep the one they were made under."""
    profile, reasons = accepting(ExtensionProfile, body, name, "profile")
    return _profile_out(using.profiles.put(who, profile, accept_risks=reasons))


@profiles.route("DELETE", "/{name}", Permission.PROFILE_MANAGE, status=204)
def retire_profile(who: Who, using: Using, name: str) -> None:
    """Take a profile out of use; its versions stay on record."""
    using.profiles.retire(who, name)


@dn_profiles.route("GET", "", Permission.PROFILE_READ)
def list_dn_profiles(who: Who, using: Using) -> list[Document]:
    """List the DN profiles."""
    return [_document(profile) for profile in using.profiles.dn_all(who)]


@dn_profiles.route("GET", "/{name}", Permission.PROFILE_READ)
def show_dn_profile(who: Who, using: Using, name: str) -> Document:
    """Show a DN profile."""
    return _document(using.profiles.dn_show(who, name))


@dn_profiles.route(
    "PUT",
    "/{name}",
    Permission.PROFILE_MANAGE,
    openapi_extra=schema_of(DnProfile, accepts=True),
)
def put_dn_profile(who: Who, using: Using, name: str, body: RawBody) -> Document:
    """Write a DN profile."""
    profile, reasons = accepting(DnProfile, body, name, "dn_profile")
    return _document(using.profiles.dn_put(who, profile, accept_risks=reasons))


@dn_profiles.route("DELETE", "/{name}", Permission.PROFILE_MANAGE, status=204)
def delete_dn_profile(who: Who, using: Using, name: str) -> None:
    """Remove a DN profile that no profile names."""
    using.profiles.dn_delete(who, name)


@ras.route("GET", "", Permission.RA_READ)
def list_ras(
    who: Who,
    using: Using,
    text: Text = "",
    profile: Slug = None,
    authority: Slug = None,
    public: Public = None,
    disabled: bool | None = None,
) -> list[Document]:
    """List the registration authorities that meet every condition given."""
    where = RaFilter(text, profile, authority, public, disabled)
    return [_document(ra) for ra in using.ras.find(who, where)]


@ras.route("GET", "/{name}", Permission.RA_READ)
def show_ra(who: Who, using: Using, name: str) -> Document:
    """Show a registration authority."""
    return _document(using.ras.show(who, name))


@ras.route(
    "PUT",
    "/{name}",
    Permission.RA_MANAGE,
    openapi_extra=schema_of(RegistrationAuthority, accepts=True),
)
def put_ra(who: Who, using: Using, name: str, body: RawBody) -> Document:
    """Write a registration authority."""
    ra, reasons = accepting(RegistrationAuthority, body, name, "ra")
    return _document(using.ras.put(who, ra, accept_risks=reasons))


@ras.route("DELETE", "/{name}", Permission.RA_MANAGE, status=204)
def delete_ra(who: Who, using: Using, name: str) -> None:
    """Remove a registration authority with nothing undecided."""
    using.ras.delete(who, name)
