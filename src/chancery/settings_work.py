"""``[mail]`` and ``[[webhooks]]`` of ``chancery.toml``: who is told, and how."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chancery.domain import name_syntax
from chancery.domain.errors import BadName
from chancery.domain.notification import Event

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _address(text: str) -> str:
    try:
        return name_syntax.email(text)
    except BadName as error:
        raise ValueError(str(error)) from None


Address = Annotated[str, AfterValidator(_address)]


class Mail(BaseModel):
    """Where mail goes in.  ``security = "none"`` is for a relay on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Path | None = Field(
        default=None, description="PEM: who may vouch for the server, instead of the system's."
    )
    username: str | None = None
    password_file: Path | None = None
    sender: Address
    sender_name: str = "Chancery"
    operators: tuple[Address, ...] = Field(
        default=(), description="Also told of late CRLs, CAs that expire, and failed jobs."
    )
    timeout: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(seconds=30)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        if self.username is not None and self.security == "none":
            raise ValueError("a password is not sent in clear: set security to starttls or tls")
        return self

    @property
    def connects_to(self) -> int:
        """The port."""
        return self.port or _PORTS[self.security]


class WebhookSettings(BaseModel):
    """One receiver.  No *events* or no *ras*: all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    url: str
    secret_file: Path = Field(description="whsec_ and base64, one a line; all of them sign.")
    events: frozenset[Event] = frozenset()
    ras: frozenset[str] = frozenset()
    ca_file: Path | None = None
    private_addresses: bool = Field(
        default=False, description="Whether it may live in a private network."
    )
    timeout: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=1))] = timedelta(
        seconds=10
    )

    @model_validator(mode="after")
    def _secure(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("url: an https:// address without a user name")
        return self


class Work(BaseModel):
    """Work in the background.  Sent messages are kept for *keep*, then forgotten."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=30)
    at_once: Annotated[int, Field(ge=1, le=64, description="Jobs of one kind.")] = 4
