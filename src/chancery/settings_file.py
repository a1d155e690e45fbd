"""A settings file, read and checked: what ``chancery.toml``, ``ra.toml`` and ``va.toml`` share."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from chancery.domain.errors import BadRequest

_WORDS: Final = {"extra_forbidden": "no such setting", "missing": "must be set"}


class Section(BaseModel):
    """A table of the file, or the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")  # a misspelt key is an error


S = TypeVar("S", bound=Section)


def read(config: Path, *, made_by: str) -> dict[str, Any]:
    """The document in *config*.  BadRequest; *made_by* is its remedy where there is no file."""
    try:
        return tomllib.loads(config.read_text())
    except FileNotFoundError:
        raise BadRequest(f"no such file: {config}", field="config", remedy=made_by) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequest(f"{config}: {error}", field="config", rule="config.toml") from error


def check(model: type[S], document: dict[str, Any], config: Path, *, remedy: str) -> S:
    """The settings that *document* holds; BadRequest names the key that is wrong."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        # A misspelt section is missing under its right name, too: the cause comes first.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"]) or "config"
        said = _WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise BadRequest(
            f"{config}: {where}: {said}", field=where, rule="config", remedy=remedy
        ) from error


def absolute(
    document: Mapping[str, Any], paths: Mapping[str, tuple[str, ...]], config: Path
) -> None:
    """Make relative *paths* (keys of a table, or of each of several) count from the file."""
    base = config.resolve().parent
    for section, keys in paths.items():
        found = document.get(section)
        for table in found if isinstance(found, list) else [found]:
            if isinstance(table, dict):
                _count_from(base, table, keys)


def _count_from(base: Path, table: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        value = table.get(key)
        if isinstance(value, str):
            table[key] = base / value
        elif isinstance(value, list):
            table[key] = tuple(base / one for one in value if isinstance(one, str))
