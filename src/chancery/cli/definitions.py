"""Rules kept in files: read a JSON or TOML definition."""

import json
import tomllib
from pathlib import Path
from typing import Final

from chancery.cli import files
from chancery.cli.client import Json
from chancery.domain.errors import BadRequest

_MAX_FILE: Final = 1_024 * 1_024  # octets


def read(path: Path) -> Json:
    """Return the definition in *path*: TOML if the file name says so, else JSON."""
    data = files.read(path, _MAX_FILE)
    try:
        parse = tomllib.loads if path.suffix == ".toml" else json.loads
        value = parse(data.decode())
    except (ValueError, RecursionError) as error:  # TOML and JSON errors, and bad UTF-8
        raise BadRequest(
            f"{path} is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}",
            field=str(path),
        ) from error
    if isinstance(value, dict):
        value = document(value)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise BadRequest(
            f"{path} has no name",
            field="name",
            remedy="a definition is an object with a name, as `show --json` prints it",
        )
    return value


def document(answer: Json) -> Json:
    """Return the definition in an answer, without what the server keeps beside it."""
    inner = answer.get("profile", answer)
    return dict(inner) if isinstance(inner, dict) else dict(answer)
