"""``va.toml``: a validation authority that stands alone."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chancery.domain.errors import BadRequest
from chancery.settings import Database, Port, Signer


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")  # a misspelt key is an error


class Listen(_Section):
    """Where it answers, in plain HTTP: answers carry their own signature."""

    host: str = "127.0.0.1"
    http_port: Port
    workers: Annotated[int, Field(ge=1, le=64, description="Processes.")] = 1


class Responders(_Section):
    directory: Path = Field(description="Certificates of its keys, one CA key each.")


class ValidationHost(_Section):
    """Relative paths count from the directory of the file.

    *database* may be the record itself, with an account that only reads, or a
    feed: a file that somebody replaces now and then.
    """

    listen: Listen
    database: Database
    signer: Signer
    responders: Responders


_PATHS: Final = {
    "database": ("url_file",),
    "signer": ("vault", "journal", "socket", "unseal_key_file", "passphrase_file"),
    "responders": ("directory",),
}
_WORDS: Final = {"extra_forbidden": "no such setting", "missing": "must be set"}


def load(config: Path) -> ValidationHost:
    """Read and check *config*; BadRequest names the key that is wrong."""
    try:
        document = tomllib.loads(config.read_text())
    except FileNotFoundError:
        raise BadRequest(
            f"no such file: {config}",
            field="config",
            remedy="`chancery va init DIR` makes one: docs/guides/validation-authority.md",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequest(f"{config}: {error}", field="config", rule="config.toml") from error
    try:
        return ValidationHost.model_validate(_absolute(document, config.resolve().parent))
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"]) or "config"
        said = _WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise BadRequest(
            f"{config}: {where}: {said}",
            field=where,
            rule="config",
            remedy="docs/guides/validation-authority.md lists every setting",
        ) from error


def _absolute(document: dict[str, Any], base: Path) -> dict[str, Any]:
    for section, keys in _PATHS.items():
        table = document.get(section)
        if isinstance(table, dict):
            for key in keys:
                if isinstance(table.get(key), str):
                    table[key] = base / table[key]
    if isinstance(table := document.get("database"), dict):
        table["base"] = base
    return document
