"""``[[directories]]`` and ``[[providers]]``: who vouches for people.  Secrets stay in files."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from chancery.domain import directory_names
from chancery.domain.errors import CAError
from chancery.domain.identity import CLASS_OF, Role
from chancery.settings_file import Section
from chancery.wire import ldap_filter

_PORTS: Final = {"ldap": 389, "ldaps": 636}
_SUFFIX: Final = re.compile(r"@[a-z0-9][a-z0-9._-]{0,39}")
_ATTRIBUTE: Final = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"

SourceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Attribute = Annotated[str, Field(pattern=_ATTRIBUTE)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Wait = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(seconds=30))]
Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]


class MappedGroup(Section):
    """A group there, by DN or CN, and the roles and groups here that its members hold."""

    group: Text
    roles: tuple[Role, ...] = ()
    groups: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not self.roles and not self.groups:
            raise ValueError(f"{self.group}: give roles, groups, or both")
        if len({CLASS_OF[role] for role in self.roles}) > 1:
            raise ValueError(f"{self.group}: roles of two classes never meet (FMT_SMR.2)")
        return self


class _SourceSettings(Section):
    name: SourceName
    suffix: str = Field(default="", description="Ends the names of its accounts; @NAME if empty.")
    map: tuple[MappedGroup, ...] = ()

    @property
    def ending(self) -> str:
        return self.suffix or f"@{self.name}"

    @field_validator("suffix")
    @classmethod
    def _a_suffix(cls, text: str) -> str:
        if text and not _SUFFIX.fullmatch(text):
            raise ValueError(f"{text!r}: an @, and 1 to 40 of a-z 0-9 . _ -")
        return text


class DirectorySettings(_SourceSettings):
    """An LDAP directory.  What is left out fits its *kind*.

    ``ldap://`` is always followed by StartTLS; nothing goes out without TLS.
    """

    kind: Literal["openldap", "active-directory"]
    servers: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]
    ca_file: Path
    bind_dn: Text
    bind_password_file: Path
    base: Text
    user_filter: str = ""
    active_filter: str = ""
    login_attribute: Attribute | Literal[""] = ""
    id_attribute: Attribute | Literal[""] = ""
    name_attribute: Attribute = "displayName"
    mail_attribute: Attribute = "mail"
    group_base: str = ""
    member_attribute: Attribute = "member"
    nested: Literal["in-chain", "search", "none", ""] = ""
    searched: bool = Field(default=True, description="Names without its suffix are looked up too.")
    recheck: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(minutes=10))] = timedelta(
        minutes=1
    )
    timeout: Wait = timedelta(seconds=5)

    @field_validator("servers")
    @classmethod
    def _urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            server_of(url)
        return urls

    @model_validator(mode="after")
    def _filters(self) -> Self:
        for name, text, places in (
            ("user_filter", self.user_filter, {"login"}),
            ("active_filter", self.active_filter, set()),
        ):
            if not text:
                continue
            try:
                found = ldap_filter.parse(text).places
            except CAError as error:
                raise ValueError(f"{name}: {error}") from error
            if found != places:
                raise ValueError(
                    f"{name}: only user_filter has a place, {{login}}, and it must have it"
                )
        return self

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [("bind_dn", self.bind_dn), ("base", self.base), ("group_base", self.group_base)]
        for field, text in names:
            # Active Directory also takes user@domain for a bind.
            if (
                text
                and not directory_names.is_name(text)
                and not (field == "bind_dn" and "@" in text)
            ):
                raise ValueError(f"{field}: not a distinguished name: {text[:80]!r}")
        if self.map and not self.group_base:
            raise ValueError("map needs group_base: where the groups are")
        return self


class ProviderSettings(_SourceSettings):
    """An OpenID provider.  *client_secret_file* may be left out for a public client."""

    title: Annotated[str, Field(min_length=1, max_length=60, description="On the button.")]
    issuer: str
    client_id: Text
    client_secret_file: Path | None = None
    client_auth: Literal["basic", "post"] = "basic"
    scopes: tuple[Text, ...] = ("openid", "profile", "email")
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = (
        "RS256",
        "PS256",
        "ES256",
        "EdDSA",
        "Ed25519",
    )
    login_claim: Text = "preferred_username"
    group_claim: Text = "groups"
    userinfo: bool = Field(default=False, description="Ask there too for what the token lacks.")
    acr_values: tuple[Text, ...] = ()
    ca_file: Path | None = None
    proxy: Annotated[str, Field(pattern=r"^https?://")] | None = None
    leeway: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(minutes=5))] = timedelta(
        minutes=1
    )
    standing: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=31))] = (
        timedelta(hours=8)
    )
    timeout: Wait = timedelta(seconds=5)

    @field_validator("issuer")
    @classmethod
    def _https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                "an https URL without query and fragment, exactly as the provider has it"
            )
        return url

    @field_validator("scopes")
    @classmethod
    def _openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("openid must be among them")
        return scopes


def server_of(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether TLS comes first; ValueError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"not a server: {url[:80]!r}") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{url[:80]!r}: write ldaps://host or ldap://host (with StartTLS)")
    return parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "ldaps"


def refuse_ambiguous(
    directories: tuple[DirectorySettings, ...], providers: tuple[ProviderSettings, ...]
) -> None:
    """Raise ValueError if two of them share a name, or a suffix ends in another's."""
    sources = [*directories, *providers]
    names = [one.name for one in sources]
    if len(set(names)) < len(names):
        raise ValueError("directories, providers: two of them have the same name")
    for one in sources:
        if any(other is not one and one.ending.endswith(other.ending) for other in sources):
            raise ValueError(f"{one.name}: its suffix {one.ending} ends in that of another")
