"""Directories and identity providers: how they are set up, and whether they answer."""

from typing import Annotated

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import In, Out
from chancery.api.routing import Door, Who
from chancery.domain.directory import Mapped, Trial
from chancery.domain.identity import Permission, Role
from chancery.services.identity.directories import MAX_LOGIN, PersonView

directories = Door("/directories", "directories")
providers = Door("/providers", "providers")


class MappedOut(Out):
    """A group there, and what its members hold here."""

    group: str
    roles: list[Role]
    groups: list[str]


class DirectoryOut(Out):
    """An LDAP directory.  *searched*: names without its suffix are looked up in it too."""

    name: str
    suffix: str
    searched: bool
    recheck_s: int
    mapping: list[MappedOut]
    accounts: int


class CheckIn(In):
    user: Annotated[str, Field(min_length=1, max_length=MAX_LOGIN)] | None = Field(
        default=None, description="Login of somebody to look up."
    )


class PersonOut(Out):
    """Somebody as the directory knows them, and what that makes of them here."""

    login: str
    account: str
    display_name: str
    email: str
    dn: str
    groups: list[str]
    roles: list[str]
    local_groups: list[str]


class TrialOut(Out):
    """What one server answered.  *well*: as it should."""

    where: str
    well: bool
    said: str


class CheckOut(Out):
    servers: list[TrialOut]
    person: PersonOut | None


class ProviderOut(Out):
    """An OpenID provider.

    *redirect_uri* is where it must be told to send browsers after a sign-in,
    *signed_out_uri* after a sign-out.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    redirect_uri: str
    signed_out_uri: str
    suffix: str
    standing_s: int
    mapping: list[MappedOut]
    accounts: int


@directories.route("GET", "", Permission.IDENTITY_READ)
def list_directories(who: Who, using: Using) -> list[DirectoryOut]:
    """List the directories of the settings."""
    return [
        DirectoryOut(
            name=one.name,
            suffix=one.suffix,
            searched=one.searched,
            recheck_s=one.recheck_s,
            mapping=_mapping(one.mapping),
            accounts=one.accounts,
        )
        for one in using.identity.directories.list(who)
    ]


@directories.route("POST", "/{name}/check", Permission.IDENTITY_MANAGE)
def check_directory(who: Who, using: Using, name: str, body: CheckIn | None = None) -> CheckOut:
    """Try every server of a directory, and look somebody up if asked to."""
    found = using.identity.directories.check(who, name, body.user if body else None)
    return CheckOut(
        servers=[_trial(one) for one in found.servers],
        person=_person(found.person) if found.person else None,
    )


@providers.route("GET", "", Permission.IDENTITY_READ)
def list_providers(who: Who, using: Using) -> list[ProviderOut]:
    """List the identity providers of the settings."""
    return [
        ProviderOut(
            name=one.name,
            title=one.title,
            issuer=one.issuer,
            client_id=one.client_id,
            redirect_uri=one.redirect_uri,
            signed_out_uri=one.signed_out_uri,
            suffix=one.suffix,
            standing_s=one.standing_s,
            mapping=_mapping(one.mapping),
            accounts=one.accounts,
        )
        for one in using.identity.providers.list(who)
    ]


@providers.route("POST", "/{name}/check", Permission.IDENTITY_MANAGE)
def check_provider(who: Who, using: Using, name: str) -> list[TrialOut]:
    """Fetch what a provider publishes about itself."""
    return [_trial(one) for one in using.identity.providers.check(who, name)]


def _trial(trial: Trial) -> TrialOut:
    return TrialOut(where=trial.where, well=trial.well, said=trial.said)


def _mapping(rows: tuple[Mapped, ...]) -> list[MappedOut]:
    return [
        MappedOut(group=row.group, roles=sorted(row.roles), groups=sorted(row.groups))
        for row in rows
    ]


def _person(person: PersonView) -> PersonOut:
    return PersonOut(
        login=person.login,
        account=person.account,
        display_name=person.display_name,
        email=person.email,
        dn=person.dn,
        groups=list(person.groups),
        roles=list(person.roles),
        local_groups=list(person.local_groups),
    )
