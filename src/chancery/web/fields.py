"""What people typed: the fields of a form, or of a query."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from chancery.domain.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form, whole.  *name* is what the sender called it: hostile text."""

    name: str
    media_type: str
    data: bytes


class Fields(Mapping[str, str]):
    """Values by name; ``fields["x"]`` is the last of several."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: Final[dict[str, list[str]]] = {}
        for name, value in pairs:
            if "\0" in name or "\0" in value:  # PostgreSQL's text type cannot hold it
                raise BadRequest("text may not contain NUL", field=name[:80], rule="text.nul")
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._values[name][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def pairs(self) -> list[tuple[str, str]]:
        """Every value with its name, in order of the names' first appearance."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def all(self, name: str) -> list[str]:
        """Return every value of *name* that is not blank, stripped."""
        return [text for value in self._values.get(name, ()) if (text := value.strip())]

    def text(self, name: str, default: str = "") -> str:
        """Return the value without the white space around it; *default* if it is blank."""
        return self.get(name, "").strip() or default

    def raw(self, name: str) -> str:
        """Return the value exactly as sent (passwords)."""
        return self.get(name, "")

    def required(self, name: str, label: str | None = None) -> str:
        """Return the value; BadRequest beside the field if it is blank."""
        text = self.text(name)
        if not text:
            raise BadRequest(
                f"{label or name.replace('_', ' ').replace('-', ' ')} is missing",
                field=name,
                rule="required",
                remedy="fill in this field",
            )
        return text

    def flag(self, name: str) -> bool:
        """Say whether a checkbox was ticked."""
        return name in self._values

    def number(
        self, name: str, default: int | None = None, *, least: int = 0, most: int = 10**9
    ) -> int | None:
        """Return a whole number within the bounds; *default* if it is blank."""
        text = self.text(name)
        if not text:
            return default
        number = int(text) if text.isascii() and text.removeprefix("-").isdigit() else None
        if number is None or not least <= number <= most:
            raise BadRequest(
                f"not a whole number from {least} to {most}: {text[:40]!r}",
                field=name,
                rule="number",
                remedy=f"type a whole number from {least} to {most}",
            )
        return number


@dataclass(frozen=True, slots=True)
class Parsed:
    """A form's body: fields, and files by the name of their field."""

    pairs: tuple[tuple[str, str], ...] = ()
    uploads: tuple[tuple[str, Upload], ...] = field(default=())


class Form(Fields):
    """The fields of a POST, and its files.  Empty for a GET."""

    def __init__(self, parsed: Parsed) -> None:
        super().__init__(parsed.pairs)
        self._uploads: Final = parsed.uploads

    def files(self, name: str) -> list[Upload]:
        """Return the files of field *name*; a browser's empty file field is none."""
        return [upload for field_name, upload in self._uploads if field_name == name]

    def file(self, name: str) -> Upload | None:
        """Return the first file of field *name*."""
        found = self.files(name)
        return found[0] if found else None

    @property
    def has_files(self) -> bool:
        return bool(self._uploads)
