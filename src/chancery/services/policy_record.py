"""What policy was: a version for each change of a DN profile or a registration authority."""

from chancery.domain.errors import NotFound
from chancery.domain.identity import Principal
from chancery.domain.policy import PolicyKind, PolicyVersion
from chancery.ports import Session
from chancery.wire import documents


def record_version(
    session: Session, principal: Principal, kind: PolicyKind, value: object, now_ms: int
) -> PolicyVersion:
    """Put the next version on record; *value* is the whole definition, with its name."""
    name: str = value.name  # type: ignore[attr-defined]  # every kind of policy has one
    versions = session.policy_history.versions(kind, name)
    version = PolicyVersion(
        kind=kind,
        name=name,
        version=versions[-1].version + 1 if versions else 1,
        sha256=documents.sha256(value),
        document=documents.encode(value).decode(),
        created_at=now_ms // 1000,
        created_by=principal.name,
    )
    session.policy_history.add(version)
    return version


def version_of(versions: list[PolicyVersion], number: int, field: str) -> PolicyVersion:
    """The version of that number; NotFound if there is none."""
    for version in versions:
        if version.version == number:
            return version
    raise NotFound(
        f"no version {number}",
        field=field,
        rule="version.known",
        remedy="the list of versions shows those there are",
    )
