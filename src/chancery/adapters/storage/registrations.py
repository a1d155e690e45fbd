"""Registration authorities, kept as documents."""

from typing import Final

from sqlalchemy import delete, select

from chancery.adapters.storage import documents, schema_policy
from chancery.adapters.storage.link import Link
from chancery.domain.errors import NotFound
from chancery.domain.registration import RegistrationAuthority

_T: Final = schema_policy.registration_authority


class SqlRegistrations:
    def __init__(self, link: Link) -> None:
        self._link = link

    def get(self, name: str) -> RegistrationAuthority | None:
        row = self._link.first(select(_T.c.document).where(_T.c.name == name))
        return documents.decode(RegistrationAuthority, row.document) if row is not None else None

    def all(self) -> list[RegistrationAuthority]:
        rows = self._link.rows(select(_T.c.document).order_by(_T.c.name))
        return [documents.decode(RegistrationAuthority, row.document) for row in rows]

    def put(self, ra: RegistrationAuthority) -> None:
        self._link.driver(
            "INSERT INTO registration_authority (name, document) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            (ra.name, documents.encode(ra)),
        )

    def delete(self, name: str) -> None:
        if not self._link.run(delete(_T).where(_T.c.name == name)).rowcount:
            raise NotFound(f"there is no registration authority {name}", field="name")
