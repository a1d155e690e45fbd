"""Dedicated registration authorities: what the centre knows of them, and their own ``ra.toml``."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from chancery import settings_file
from chancery.domain.gateway import Gateway
from chancery.settings_file import Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Span = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=10))]
MIB: Final = 1024 * 1024


class GatewaySettings(Section):
    """One of ``[[gateways]]`` at the centre: whose certificate it shows, for which RA it stands."""

    name: Name
    account: str = Field(description="The account that its client certificate is bound to.")
    ra: str = Field(description="The one registration authority it may act for.")

    @property
    def gateway(self) -> Gateway:
        return Gateway(self.name, self.account, self.ra)


def refuse_twice(gateways: Sequence[GatewaySettings]) -> None:
    """Raise ValueError where two have a name or an account in common."""
    for what in ("name", "account"):
        found = [getattr(gateway, what) for gateway in gateways]
        if len(set(found)) < len(found):
            raise ValueError(f"gateways: two of them have the same {what}")


class Listen(Section):
    """Where this host answers: plain HTTP for CRLs, OCSP and health, HTTPS for the rest."""

    host: str = "127.0.0.1"
    http_port: Port
    https_port: Port

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.http_port == self.https_port:
            raise ValueError("http_port and https_port must differ")
        return self


class Tls(Section):
    """The certificate that browsers and programs see."""

    certificate: Path
    key: Path


class Centre(Section):
    """The central instance, and what is shown to it.  *timeout* is for one whole answer."""

    url: str
    ca_bundle: Path = Field(description="PEM: who may vouch for the centre.")
    certificate: Path = Field(description="PEM: our client certificate, with its chain.")
    key: Path
    connect_timeout: Span = timedelta(seconds=5)
    timeout: Span = timedelta(seconds=60)
    connections: Annotated[int, Field(ge=1, le=1000)] = 64

    @model_validator(mode="after")
    def _over_tls(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.path or parts.query:
            raise ValueError(f"an address like https://ca.example.org:8443, not {self.url}")
        return self


class Queue(Section):
    """What is taken in while the centre is away, and how much of it at the most.

    *kept*: how long a receipt tells what became of it.
    """

    directory: Path
    entries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    octets: Annotated[int, Field(ge=MIB)] = 512 * MIB
    per_address: Annotated[int, Field(ge=1)] = 200
    kept: Annotated[timedelta, Field(ge=timedelta(hours=1))] = timedelta(days=30)


class GatewayHost(Section):
    """``ra.toml``.  Relative paths count from its directory."""

    name: Name
    ra: str = Field(description="For people to read: the centre knows it by the certificate.")
    listen: Listen
    tls: Tls
    centre: Centre
    queue: Queue


_PATHS: Final = {
    "tls": ("certificate", "key"),
    "centre": ("ca_bundle", "certificate", "key"),
    "queue": ("directory",),
}


def load(config: Path) -> GatewayHost:
    """Read and check *config*; BadRequest names the key that is wrong."""
    made_by = "`chancery ra enrol DIR` makes one: docs/guides/dedicated-ra.md"
    document = settings_file.read(config, made_by=made_by)
    settings_file.absolute(document, _PATHS, config)
    remedy = "docs/guides/dedicated-ra.md lists every setting"
    return settings_file.check(GatewayHost, document, config, remedy=remedy)
