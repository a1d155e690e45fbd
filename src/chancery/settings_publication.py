"""``[publication]`` of ``chancery.toml``: where files for relying parties are put."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from chancery.settings_file import Section

_NAME = r"^[a-z0-9][a-z0-9-]{0,31}$"

PublisherName = Annotated[str, Field(pattern=_NAME)]
Wait = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=10))]


class S3Settings(Section):
    """An object store that speaks S3."""

    name: PublisherName = "s3"
    endpoint: str = Field(description="https://s3.eu-central-1.example.net")
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    prefix: Annotated[str, Field(pattern=r"^$|^[A-Za-z0-9._-][A-Za-z0-9._/-]{0,200}/$")] = ""
    access_key: Annotated[str, Field(min_length=1, max_length=256)]
    secret_key_file: Path
    ca_file: Path | None = None
    timeout: Wait = timedelta(seconds=30)

    @model_validator(mode="after")
    def _an_address(self) -> Self:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("endpoint: https:// and a host, without a path")
        return self


class LdapSettings(Section):
    """A directory that has an entry for each CA."""

    name: PublisherName = "ldap"
    servers: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    ca_file: Path
    bind_dn: Annotated[str, Field(min_length=1, max_length=1024)]
    bind_password_file: Path
    entries: dict[str, str] = Field(description="The DN of each CA's entry, by the CA's name.")
    timeout: Wait = timedelta(seconds=20)


class Publication(Section):
    """*directory* is always there: what HTTP serves.  The others get copies."""

    directory: Path
    s3: tuple[S3Settings, ...] = ()
    ldap: tuple[LdapSettings, ...] = ()
    watch: bool = Field(default=True, description="Fetch what is published, and look at it.")
    watch_every: Annotated[timedelta, Field(ge=timedelta(seconds=5))] = timedelta(minutes=1)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [one.name for one in self.s3] + [one.name for one in self.ldap]
        if len(set(names)) < len(names):
            raise ValueError("publication: two publishers have the same name")
        return self
