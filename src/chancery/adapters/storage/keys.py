"""Managed keys on record; their material never is."""

from typing import Final

from sqlalchemy import delete, func, select, update

from chancery.adapters.storage import documents, schema_keys
from chancery.adapters.storage.key_work import SqlKeyWork
from chancery.adapters.storage.link import insert_sql
from chancery.domain.errors import AlreadyExists, Conflict
from chancery.domain.key_groups import KeyGroup, KeyTemplate
from chancery.domain.key_notices import looked_at
from chancery.domain.managed_key import KeyVersion, ManagedKey
from chancery.ports_keys import KeyFilter

_G: Final = schema_keys.key_group
_T: Final = schema_keys.key_template
_K: Final = schema_keys.managed_key
_V: Final = schema_keys.key_version


class SqlKeys(SqlKeyWork):
    """Implements ``ports_keys.KeyRecords``."""

    def groups(self) -> list[KeyGroup]:
        rows = self._link.rows(select(_G.c.document).order_by(_G.c.name))
        return [documents.decode(KeyGroup, row.document) for row in rows]

    def group(self, name: str) -> KeyGroup | None:
        row = self._link.first(select(_G.c.document).where(_G.c.name == name))
        return documents.decode(KeyGroup, row.document) if row is not None else None

    def put_group(self, group: KeyGroup) -> None:
        self._link.driver(
            "INSERT INTO key_group (name, document) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            (group.name, documents.encode(group)),
        )

    def delete_group(self, name: str) -> bool:
        return bool(self._link.run(delete(_G).where(_G.c.name == name)).rowcount)

    def templates(self) -> list[KeyTemplate]:
        rows = self._link.rows(select(_T.c.document).order_by(_T.c.name))
        return [documents.decode(KeyTemplate, row.document) for row in rows]

    def template(self, name: str) -> KeyTemplate | None:
        row = self._link.first(select(_T.c.document).where(_T.c.name == name))
        return documents.decode(KeyTemplate, row.document) if row is not None else None

    def put_template(self, template: KeyTemplate) -> None:
        self._link.driver(
            "INSERT INTO key_template (name, document) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            (template.name, documents.encode(template)),
        )

    def delete_template(self, name: str) -> bool:
        return bool(self._link.run(delete(_T).where(_T.c.name == name)).rowcount)

    def add(self, key: ManagedKey, version: KeyVersion) -> None:
        if self.get(key.name) is not None:
            raise AlreadyExists(
                f"there is a key {key.name} already",
                field="name",
                rule="key.exists",
                remedy="choose another name; a new version is made by `chancery key rotate`",
            )
        values = (
            key.id,
            key.name,
            key.group,
            key.kind.value,
            key.current,
            key.rotates_at,
            documents.encode(key),
            None,
        )
        self._link.many(insert_sql(_K), [values])
        self.add_version(version)

    def update(self, key: ManagedKey, *, before: ManagedKey) -> None:
        statement = (
            update(_K)
            .where(_K.c.id == key.id, _K.c.document == documents.encode(before))
            .values(
                group_name=key.group,
                current=key.current,
                rotates_at=key.rotates_at,
                document=documents.encode(key),
            )
        )
        if not self._link.run(statement).rowcount:
            raise Conflict(
                f"the key {key.name} was changed by somebody else just now",
                field="name",
                rule="key.changed",
                remedy="look at it again",
            )
        self._tell(key.id)

    def add_version(self, version: KeyVersion) -> None:
        values = (version.key, version.number, version.handle, documents.encode(version))
        self._link.many(insert_sql(_V), [values])
        self._tell(version.key)

    def update_version(self, version: KeyVersion) -> None:
        self._link.run(
            update(_V)
            .where(_V.c.key_id == version.key, _V.c.number == version.number)
            .values(document=documents.encode(version))
        )
        self._tell(version.key)

    def _tell(self, key_id: str) -> None:
        """Note from when on there is something to tell: key and current version say it together."""
        key = self.by_id(key_id)
        current = self.version(key_id, key.current) if key is not None else None
        if key is not None and current is not None:
            at = looked_at(key, current.dates)
            self._link.run(update(_K).where(_K.c.id == key_id).values(tells_at=at))

    def get(self, name: str) -> ManagedKey | None:
        row = self._link.first(select(_K.c.document).where(_K.c.name == name))
        return documents.decode(ManagedKey, row.document) if row is not None else None

    def by_id(self, key_id: str) -> ManagedKey | None:
        row = self._link.first(select(_K.c.document).where(_K.c.id == key_id))
        return documents.decode(ManagedKey, row.document) if row is not None else None

    def find(self, where: KeyFilter, cursor: str | None, limit: int) -> list[ManagedKey]:
        found = select(_K.c.document)
        if where.groups is not None:
            found = found.where(_K.c.group_name.in_(sorted(where.groups)))
        if where.group:
            found = found.where(_K.c.group_name == where.group)
        if where.kind:
            found = found.where(_K.c.kind == where.kind)
        if where.text:
            needle = func.lower(where.text)
            found = (
                found.where(func.instr(func.lower(_K.c.name), needle) > 0)
                if not (self._link.postgres)
                else found.where(func.strpos(func.lower(_K.c.name), needle) > 0)
            )
        if cursor is not None:
            found = found.where(_K.c.name > cursor)
        rows = self._link.rows(found.order_by(_K.c.name).limit(limit))
        return [documents.decode(ManagedKey, row.document) for row in rows]

    def versions(self, key_id: str) -> list[KeyVersion]:
        found = select(_V.c.document).where(_V.c.key_id == key_id)
        rows = self._link.rows(found.order_by(_V.c.number.desc()))
        return [documents.decode(KeyVersion, row.document) for row in rows]

    def version(self, key_id: str, number: int) -> KeyVersion | None:
        found = select(_V.c.document).where(_V.c.key_id == key_id, _V.c.number == number)
        row = self._link.first(found)
        return documents.decode(KeyVersion, row.document) if row is not None else None

    def due(self, now: int, limit: int) -> list[ManagedKey]:
        found = select(_K.c.document).where(_K.c.rotates_at <= now)
        rows = self._link.rows(found.order_by(_K.c.rotates_at).limit(limit))
        return [documents.decode(ManagedKey, row.document) for row in rows]

    def in_view(self, now: int, limit: int) -> list[ManagedKey]:
        found = select(_K.c.document).where(_K.c.tells_at <= now)
        rows = self._link.rows(found.order_by(_K.c.tells_at.desc(), _K.c.id).limit(limit))
        return [documents.decode(ManagedKey, row.document) for row in rows]
