"""``va.toml``: a validation authority that stands alone."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from chancery import settings_file
from chancery.settings import Database, Port, Signer
from chancery.settings_file import Section


class Listen(Section):
    """Where it answers, in plain HTTP: answers carry their own signature."""

    host: str = "127.0.0.1"
    http_port: Port
    workers: Annotated[int, Field(ge=1, le=64, description="Processes.")] = 1


class Responders(Section):
    directory: Path = Field(description="Certificates of its keys, one CA key each.")


class Renewal(Section):
    """Where certificates are renewed by themselves: the API of the CA, as somebody it knows."""

    url: Annotated[str, Field(pattern=r"^https://", description="Of the CA: https://host[:port]")]
    ca_file: Path
    token_file: Path
    ra: str
    profile: str = "ocsp-signer"


class ValidationHost(Section):
    """Relative paths count from the directory of the file.

    *database* may be the record itself, with an account that only reads, or a
    feed: a file that somebody replaces now and then.
    """

    listen: Listen
    database: Database
    signer: Signer
    responders: Responders
    renewal: Renewal | None = None


_PATHS: Final = {
    "database": ("url_file",),
    "signer": ("vault", "journal", "socket", "unseal_key_file", "passphrase_file"),
    "responders": ("directory",),
    "renewal": ("ca_file", "token_file"),
}


def load(config: Path) -> ValidationHost:
    """Read and check *config*; BadRequest names the key that is wrong."""
    made_by = "`chancery va init DIR` makes one: docs/guides/validation-authority.md"
    document = settings_file.read(config, made_by=made_by)
    settings_file.absolute(document, _PATHS, config)
    if isinstance(table := document.get("database"), dict):
        table["base"] = config.resolve().parent
    remedy = "docs/guides/validation-authority.md lists every setting"
    return settings_file.check(ValidationHost, document, config, remedy=remedy)
