"""What linters found in certificates after they were issued."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from chancery.adapters.storage import documents, schema
from chancery.adapters.storage.certificates import RECORD, certificate_record
from chancery.adapters.storage.link import Link
from chancery.ports import LintResult, Unlinted

_T: Final = schema.lint_result
_C: Final = schema.certificate
_SPAN: Final = 2_000
"""Certificates looked at by one call of ``unlinted``."""


class SqlLintResults:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, certificate_id: str, linter: str, findings: Sequence[str], now: int) -> None:
        """A later run of the same linter replaces what it said before."""
        self._link.driver(
            "INSERT INTO lint_result (linter, certificate_id, findings, linted_at)"
            " VALUES (?, ?, ?, ?) ON CONFLICT (linter, certificate_id) DO UPDATE"
            " SET findings = excluded.findings, linted_at = excluded.linted_at",
            (linter, certificate_id, documents.encode(list(findings)), now),
        )

    def for_certificate(self, certificate_id: str) -> list[LintResult]:
        statement = select(_T.c.linter, _T.c.linted_at, _T.c.findings)
        rows = self._link.rows(
            statement.where(_T.c.certificate_id == certificate_id).order_by(_T.c.linter)
        )
        return [
            LintResult(linter, at, tuple(documents.decode(list[str], findings)))
            for linter, at, findings in rows
        ]

    def unlinted(self, linter: str, after: str, limit: int) -> Unlinted:
        # Two ranges of primary keys, compared here: no planner can make a scan of that.
        ids = [
            row[0]
            for row in self._link.driver(
                "SELECT id FROM certificate WHERE id > ? ORDER BY id LIMIT ?", (after, _SPAN)
            )
        ]
        if not ids:
            return Unlinted([], after, end=True)
        seen = {
            row[0]
            for row in self._link.driver(
                "SELECT certificate_id FROM lint_result"
                " WHERE linter = ? AND certificate_id > ? AND certificate_id <= ?",
                (linter, after, ids[-1]),
            )
        }
        fresh = [one for one in ids if one not in seen]
        if len(fresh) > limit:
            reached, end = fresh[limit - 1], False
        else:
            reached, end = ids[-1], len(ids) < _SPAN
        statement = RECORD.where(_C.c.id.in_(fresh[:limit])).order_by(_C.c.id)
        records = [certificate_record(row) for row in self._link.rows(statement)]
        return Unlinted(records, reached, end)
