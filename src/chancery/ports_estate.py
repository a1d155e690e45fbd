"""What the services need from the record for imports of existing certificates."""

from collections.abc import Sequence
from typing import Protocol

from chancery.domain.estate import EstateImport, EstateRow, ImportState, Outcome


class Estates(Protocol):
    """Imports and their rows.  A row's certificate (DER) stays until the row is decided."""

    def add(self, new: EstateImport) -> None: ...
    def get(self, import_id: str) -> EstateImport | None:
        """With its counts."""
        ...

    def find(self, cursor: str | None, limit: int) -> list[EstateImport]:
        """Newest first, without counts."""
        ...

    def add_rows(self, import_id: str, rows: Sequence[tuple[EstateRow, bytes]]) -> None: ...
    def rows(
        self, import_id: str, outcome: Outcome | None, after: int, limit: int
    ) -> list[EstateRow]:
        """In the order of the files, with numbers above *after*."""
        ...

    def pending(self, import_id: str, after: int, limit: int) -> list[tuple[EstateRow, bytes]]:
        """The next rows, whatever their outcome, with their certificates."""
        ...

    def decide(self, import_id: str, rows: Sequence[EstateRow]) -> None:
        """Write these rows anew and drop their certificates."""
        ...

    def advance(
        self,
        import_id: str,
        expected: int,
        position: int,
        state: ImportState,
        finished_at: int | None,
    ) -> None:
        """Compare and set; Conflict if it does not stand at *expected*."""
        ...

    def delete(self, import_id: str) -> None:
        """Forget it with its rows."""
        ...

    def stale(self, before: int) -> list[str]:
        """Ids of those that were previewed before then, and never begun."""
        ...
