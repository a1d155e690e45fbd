"""What policy was, which risks were accepted, and what counts against quotas."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, insert, select

from chancery.adapters.storage import schema_rules
from chancery.adapters.storage.link import Link, insert_sql
from chancery.domain.policy import AcceptedRisk, PolicyKind, PolicyVersion

_V: Final = schema_rules.policy_version
_A: Final = schema_rules.accepted_risk
_C: Final = schema_rules.submission_count


class SqlPolicyHistory:
    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, version: PolicyVersion) -> None:
        self._link.run(
            insert(_V).values(
                kind=version.kind.value,
                name=version.name,
                version=version.version,
                sha256=version.sha256,
                document=version.document,
                created_at=version.created_at,
                created_by=version.created_by,
            )
        )

    def versions(self, kind: PolicyKind, name: str) -> list[PolicyVersion]:
        statement = select(_V).where(_V.c.kind == kind.value, _V.c.name == name)
        rows = self._link.rows(statement.order_by(_V.c.version))
        return [PolicyVersion(PolicyKind(kind), *others) for kind, *others in rows]

    def accept(self, risks: Sequence[AcceptedRisk], kind: PolicyKind, name: str) -> None:
        self._link.run(delete(_A).where(_A.c.kind == kind.value, _A.c.name == name))
        self._link.many(
            insert_sql(_A),
            [
                (risk.kind.value, risk.name, risk.risk, risk.reason, *_signed(risk))
                for risk in risks
            ],
        )

    def accepted(self, kind: PolicyKind, name: str) -> list[AcceptedRisk]:
        statement = select(_A).where(_A.c.kind == kind.value, _A.c.name == name)
        rows = self._link.rows(statement.order_by(_A.c.risk))
        return [AcceptedRisk(PolicyKind(kind), *others) for kind, *others in rows]


def _signed(risk: AcceptedRisk) -> tuple[str, int]:
    return risk.accepted_by, risk.accepted_at


class SqlQuotas:
    def __init__(self, link: Link) -> None:
        self._link = link

    def count(self, ra: str, who: str, request_id: str) -> None:
        self._link.many(insert_sql(_C), [(ra, who, request_id)])

    def since(self, ra: str, who: str, first_id: str) -> int:
        row = self._link.driver(
            "SELECT count(*) FROM submission_count WHERE ra = ? AND who = ? AND request_id >= ?",
            (ra, who, first_id),
        ).one()
        return int(row[0])

    def open(self, ra: str, who: str) -> int:
        row = self._link.driver(
            "SELECT count(*) FROM submission_count c JOIN request r ON r.id = c.request_id"
            " WHERE c.ra = ? AND c.who = ? AND r.state = 'pending'",
            (ra, who),
        ).one()
        return int(row[0])

    def forget(self, ra: str, who: str, first_id: str) -> None:
        self._link.driver(
            "DELETE FROM submission_count WHERE ra = ? AND who = ? AND request_id < ?"
            " AND NOT EXISTS (SELECT 1 FROM request r"
            " WHERE r.id = submission_count.request_id AND r.state = 'pending')",
            (ra, who, first_id),
        )
