"""Directories and identity providers, put together from the settings."""

from pathlib import Path
from typing import Final

from chancery.adapters.directory import LdapDirectory, LdapPlan, Server
from chancery.adapters.directory.plan import Nesting
from chancery.adapters.oidc.plan import ProviderPlan
from chancery.domain.directory import Mapped, Mapping
from chancery.domain.errors import BadRequest
from chancery.services.identity.sources import DirectorySource, ProviderSource, Source
from chancery.settings_directories import (
    DirectorySettings,
    MappedGroup,
    ProviderSettings,
    server_of,
)

_MAX_SECRET: Final = 4096
_KINDS: Final = {
    # kind: user_filter, active_filter, login_attribute, id_attribute, nested
    "openldap": (
        "(&(objectClass=inetOrgPerson)(uid={login}))",
        "",
        "uid",
        "entryUUID",
        "search",
    ),
    "active-directory": (
        (
            "(&(objectCategory=person)(objectClass=user)"
            "(|(sAMAccountName={login})(userPrincipalName={login})))"
        ),
        # 2 is ACCOUNTDISABLE, by the rule "all these bits" ([MS-ADTS] 2.2.16, 3.1.1.3.4.4.1)
        "(!(userAccountControl:1.2.840.113556.1.4.803:=2))",
        "sAMAccountName",
        "objectGUID",
        "in-chain",
    ),
}


def directory_sources(given: tuple[DirectorySettings, ...]) -> list[DirectorySource]:
    """What the sections ``directories`` mean to the services; BadRequest for an unreadable file."""
    return [
        DirectorySource(
            source=_source(one.name, one.name, one.ending, one.map, names=True),
            directory=LdapDirectory(plan_of(one)),
            searched=one.searched,
            recheck_s=int(one.recheck.total_seconds()),
        )
        for one in given
    ]


def plan_of(given: DirectorySettings) -> LdapPlan:
    """One directory, with what its kind implies."""
    user_filter, active_filter, login, identifier, nested = _KINDS[given.kind]
    return LdapPlan(
        name=given.name,
        servers=tuple(Server(*server_of(url)) for url in given.servers),
        ca=read(given.ca_file, "ca_file"),
        bind_dn=given.bind_dn,
        bind_password=secret(given.bind_password_file, "bind_password_file"),
        base=given.base,
        user_filter=given.user_filter or user_filter,
        active_filter=given.active_filter or active_filter,
        login_attribute=given.login_attribute or login,
        id_attribute=given.id_attribute or identifier,
        name_attribute=given.name_attribute,
        mail_attribute=given.mail_attribute,
        group_base=given.group_base,
        member_attribute=given.member_attribute,
        nesting=Nesting(given.nested or nested),
        timeout_s=given.timeout.total_seconds(),
    )


def provider_sources(given: tuple[ProviderSettings, ...], https: str) -> list[ProviderSource]:
    """What the sections ``providers`` mean to the services; *https*: our own base URL."""
    if not given:
        return []
    from chancery.adapters.oidc.provider import OidcProvider  # noqa: PLC0415 - 12 MiB few need

    return [
        ProviderSource(
            source=_source(one.name, one.issuer, one.ending, one.map, names=False),
            provider=OidcProvider(_provider_plan(one)),
            title=one.title,
            issuer=one.issuer,
            client_id=one.client_id,
            redirect_uri=f"{https}/console/sign-in/provider/{one.name}/return",
            signed_out_uri=f"{https}/console/sign-in",
            login_claim=one.login_claim,
            group_claim=one.group_claim,
            acr_values=one.acr_values,
            leeway_s=int(one.leeway.total_seconds()),
            standing_s=int(one.standing.total_seconds()),
        )
        for one in given
    ]


def _provider_plan(given: ProviderSettings) -> ProviderPlan:
    file = given.client_secret_file
    return ProviderPlan(
        name=given.name,
        issuer=given.issuer,
        client_id=given.client_id,
        client_secret=secret(file, "client_secret_file") if file is not None else None,
        client_auth=given.client_auth,
        scopes=given.scopes,
        algorithms=given.algorithms,
        acr_values=given.acr_values,
        userinfo=given.userinfo,
        ca=read(given.ca_file, "ca_file") if given.ca_file is not None else None,
        proxy=given.proxy,
        timeout_s=given.timeout.total_seconds(),
    )


def _source(
    name: str, key: str, suffix: str, rows: tuple[MappedGroup, ...], *, names: bool
) -> Source:
    mapped = (Mapped(row.group, frozenset(row.roles), frozenset(row.groups)) for row in rows)
    return Source(name, key, suffix, Mapping(tuple(mapped), names=names))


def secret(path: Path, field: str) -> str:
    """The secret in a file, without the line end that editors leave."""
    text = read(path, field).removesuffix("\n").removesuffix("\r")
    if not text or len(text) > _MAX_SECRET:
        raise BadRequest(
            f"{path} holds no secret", field=field, remedy="one line, and nothing else"
        )
    return text


def read(path: Path, field: str) -> str:
    """The text of a file that the settings name."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}",
            field=field,
            rule="config.file",
            remedy="`chancery config check` looks at every file of the settings",
        ) from error
