"""Rules kept in files: read a JSON or TOML definition, compare two."""

import difflib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chancery.cli import files
from chancery.cli.client import Json
from chancery.cli.text import clean
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
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise BadRequest(
            f"{path} has no name",
            field="name",
            remedy="a definition is an object with a name, as `show --json` prints it",
        )
    return value


def profile(path: Path) -> Json:
    """Return the profile in *path* as `profile put` would store it, defaults filled in."""
    from chancery.domain.profile import ExtensionProfile  # noqa: PLC0415 - for this alone
    from chancery.wire import documents  # noqa: PLC0415

    wanted = documents.to_builtin(documents.decode(ExtensionProfile, read(path), "profile"))
    assert isinstance(wanted, dict)
    return wanted


def document(answer: Json) -> Json:
    """Return the definition in an answer, without what the server keeps beside it."""
    inner = answer.get("profile", answer)
    return dict(inner) if isinstance(inner, dict) else dict(answer)


def difference(old: Json, new: Json, labels: tuple[str, str]) -> Iterator[str]:
    """Yield a unified diff of two definitions in their canonical form."""
    before, after = (
        [clean(line) for line in json.dumps(one, indent=2, sort_keys=True).splitlines()]
        for one in (old, new)
    )
    return difflib.unified_diff(before, after, *labels, lineterm="")
