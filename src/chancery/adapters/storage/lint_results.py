"""What linters found in certificates after they were issued."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, select

from chancery.adapters.storage import documents, schema
from chancery.adapters.storage.certificates import RECORD, certificate_record
from chancery.adapters.storage.link import Link
from chancery.domain.certificate import CertificateRecord
from chancery.ports import LintResult

_T: Final = schema.lint_result
_C: Final = schema.certificate


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

    def unlinted(self, linter: str, limit: int) -> list[CertificateRecord]:
        seen = select(_T.c.certificate_id).where(
            and_(_T.c.linter == linter, _T.c.certificate_id == _C.c.id)
        )
        statement = RECORD.where(~seen.exists()).order_by(_C.c.id).limit(limit)
        return [certificate_record(row) for row in self._link.rows(statement)]
