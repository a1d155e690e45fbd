"""Extension profiles in immutable versions, and distinguished-name profiles."""

from typing import Final

from sqlalchemy import delete, func, select

from chancery.adapters.storage import documents, schema_policy
from chancery.adapters.storage.link import Link, Record, insert_sql
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import NotFound
from chancery.domain.profile import ExtensionProfile, ProfileVersion

_V: Final = schema_policy.profile_version
_H: Final = schema_policy.profile_head
_D: Final = schema_policy.dn_profile
_LATEST: Final = select(_V).join(_H, _H.c.sha256 == _V.c.sha256)


def _version(row: Record) -> ProfileVersion:
    profile = documents.decode(ExtensionProfile, row.document)
    return ProfileVersion(profile, row.version, row.sha256, row.created_at, row.created_by)


class SqlProfiles:
    def __init__(self, link: Link) -> None:
        self._link = link

    def latest(self, name: str) -> ProfileVersion | None:
        row = self._link.first(_LATEST.where(_H.c.name == name))
        return _version(row) if row is not None else None

    def version(self, sha256: str) -> ProfileVersion | None:
        row = self._link.first(select(_V).where(_V.c.sha256 == sha256))
        return _version(row) if row is not None else None

    def versions(self, name: str) -> list[ProfileVersion]:
        statement = select(_V).where(_V.c.name == name).order_by(_V.c.version)
        return [_version(row) for row in self._link.rows(statement)]

    def all(self) -> list[ProfileVersion]:
        return [_version(row) for row in self._link.rows(_LATEST.order_by(_H.c.name))]

    def add(self, version: ProfileVersion) -> None:
        self._store(version, version.version)
        self._link.driver(
            "INSERT INTO profile_head (name, sha256) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256",
            (version.profile.name, version.sha256),
        )

    def keep(self, version: ProfileVersion) -> None:
        newest = select(func.max(_V.c.version)).where(_V.c.name == version.profile.name)
        row = self._link.first(newest)
        self._store(version, 1 + ((row and row[0]) or 0))

    def _store(self, version: ProfileVersion, number: int) -> None:
        values = (
            version.sha256,
            version.profile.name,
            number,
            documents.encode(version.profile),
            version.created_at,
            version.created_by,
        )
        self._link.many(insert_sql(_V, "ON CONFLICT (sha256) DO NOTHING"), [values])

    def retire(self, name: str) -> None:
        if not self._link.run(delete(_H).where(_H.c.name == name)).rowcount:
            raise NotFound(f"there is no profile {name}", field="name")

    def dn(self, name: str) -> DnProfile | None:
        row = self._link.first(select(_D.c.document).where(_D.c.name == name))
        return documents.decode(DnProfile, row.document) if row is not None else None

    def dn_all(self) -> list[DnProfile]:
        rows = self._link.rows(select(_D.c.document).order_by(_D.c.name))
        return [documents.decode(DnProfile, row.document) for row in rows]

    def put_dn(self, profile: DnProfile) -> None:
        self._link.driver(
            "INSERT INTO dn_profile (name, document) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            (profile.name, documents.encode(profile)),
        )

    def delete_dn(self, name: str) -> None:
        if not self._link.run(delete(_D).where(_D.c.name == name)).rowcount:
            raise NotFound(f"there is no DN profile {name}", field="name")
