"""Custodians, sets of shares and signing bundles, on record."""

import hashlib
import json
from typing import Final

from sqlalchemy import delete, insert, select, update

from chancery.adapters.storage import schema_custody
from chancery.adapters.storage.link import Link, Record
from chancery.domain.custody import (
    BundleState,
    CustodyPurpose,
    RecordedSet,
    RegisteredCustodian,
    ShareSet,
    SigningBundle,
)
from chancery.domain.errors import NotFound, WrongState
from chancery.wire import custody

_C: Final = schema_custody.custodian
_S: Final = schema_custody.custody_set
_B: Final = schema_custody.signing_bundle


def _set(row: Record) -> RecordedSet:
    return RecordedSet(row.digest, custody.read_document(row.document), row.retired_at)


def _bundle(row: Record) -> SigningBundle:
    return SigningBundle(**row._asdict() | {"state": BundleState(row.state)})


class SqlCustody:
    """Implements ``ports_custody.CustodyRecords``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def custodians(self) -> list[RegisteredCustodian]:
        rows = self._link.rows(select(_C).order_by(_C.c.name))
        return [RegisteredCustodian(**row._asdict()) for row in rows]

    def custodian(self, name: str) -> RegisteredCustodian | None:
        row = self._link.first(select(_C).where(_C.c.name == name))
        return RegisteredCustodian(**row._asdict()) if row is not None else None

    def put_custodian(self, custodian: RegisteredCustodian) -> None:
        self._link.run(delete(_C).where(_C.c.name == custodian.name))
        values = {column.name: getattr(custodian, column.name) for column in _C.columns}
        self._link.run(insert(_C), values)

    def sets(self) -> list[RecordedSet]:
        rows = self._link.rows(select(_S).order_by(_S.c.made_at.desc(), _S.c.digest))
        return [_set(row) for row in rows]

    def put_set(self, share_set: ShareSet) -> RecordedSet:
        document = json.dumps(custody.to_document(share_set), sort_keys=True)
        digest = hashlib.sha256(document.encode()).hexdigest()
        known = self._link.first(select(_S).where(_S.c.digest == digest))
        if known is not None:
            return _set(known)
        former = (_S.c.purpose == share_set.purpose.value) & _S.c.retired_at.is_(None)
        if share_set.purpose is CustodyPurpose.OFFLINE_STORE:
            former &= _S.c.set_id == share_set.id
        self._link.run(update(_S).where(former).values(retired_at=share_set.made_at))
        values = {
            "digest": digest,
            "set_id": share_set.id,
            "purpose": share_set.purpose.value,
            "document": document,
            "made_at": share_set.made_at,
            "retired_at": None,
        }
        self._link.run(insert(_S), values)
        return RecordedSet(digest, share_set)

    def retire_set(self, digest: str, at: int) -> None:
        statement = (
            update(_S).where(_S.c.digest == digest, _S.c.retired_at.is_(None)).values(retired_at=at)
        )
        if not self._link.run(statement).rowcount:
            raise NotFound("no such set is in force", field="set", rule="custody.set-known")

    def add_bundle(self, bundle: SigningBundle) -> None:
        values = {column.name: getattr(bundle, column.name) for column in _B.columns}
        self._link.run(insert(_B), values | {"state": bundle.state.value})

    def bundle(self, bundle_id: str) -> SigningBundle | None:
        row = self._link.first(select(_B).where(_B.c.id == bundle_id))
        return _bundle(row) if row is not None else None

    def bundles(
        self, state: BundleState | None, cursor: str | None, limit: int
    ) -> list[SigningBundle]:
        statement = select(_B).order_by(_B.c.id.desc()).limit(limit)
        if state is not None:
            statement = statement.where(_B.c.state == state.value)
        if cursor is not None:
            statement = statement.where(_B.c.id < cursor)
        return [_bundle(row) for row in self._link.rows(statement)]

    def close_bundle(self, bundle_id: str, state: BundleState, *, by: str, at: int) -> None:
        statement = (
            update(_B)
            .where(_B.c.id == bundle_id, _B.c.state == BundleState.OPEN.value)
            .values(state=state.value, closed_by=by, closed_at=at)
        )
        if not self._link.run(statement).rowcount:
            raise WrongState(
                "this bundle is not out to be signed",
                field="bundle",
                rule="bundle.open",
                remedy="`chancery bundle list` shows those that are",
            )
