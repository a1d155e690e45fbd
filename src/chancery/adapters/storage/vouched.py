"""Whom accounts stand for in a directory or at a provider, and sign-ins under way."""

from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from chancery.adapters.storage import schema_directory
from chancery.adapters.storage.link import Link, Record
from chancery.domain.directory import Purpose, SignInFlow, Vouched

_V: Final = schema_directory.vouched_account
_F: Final = schema_directory.sign_in_flow


class SqlVouchedAccounts:
    def __init__(self, link: Link) -> None:
        self._link = link

    def find(self, source: str, subject: str) -> Vouched | None:
        row = self._link.first(select(_V).where(_V.c.source == source, _V.c.subject == subject))
        return Vouched(*row) if row is not None else None

    def of(self, user: str) -> Vouched | None:
        row = self._link.first(select(_V).where(_V.c.user_name == user))
        return Vouched(*row) if row is not None else None

    def all(self, source: str) -> list[Vouched]:
        found = select(_V).where(_V.c.source == source).order_by(_V.c.user_name)
        return [Vouched(*row) for row in self._link.rows(found)]

    def put(self, vouched: Vouched) -> None:
        values = {
            "user_name": vouched.user,
            "source": vouched.source,
            "subject": vouched.subject,
            "login": vouched.login,
            "vouched_at": vouched.vouched_at,
        }
        if not self._link.run(update(_V).where(_V.c.user_name == vouched.user), values).rowcount:
            self._link.run(insert(_V), values)

    def begin(self, flow: SignInFlow) -> None:
        self._link.run(insert(_F), _values(flow))

    def take(self, sha256: str) -> SignInFlow | None:
        row = self._link.first(select(_F).where(_F.c.sha256 == sha256))
        # Of two that saw the row, one removes it.
        taken = self._link.run(delete(_F).where(_F.c.sha256 == sha256)).rowcount
        return _flow(row) if row is not None and taken else None

    def drop_flows(self, begun_before: int) -> None:
        self._link.run(delete(_F).where(_F.c.begun_at < begun_before))


def _values(flow: SignInFlow) -> dict[str, Any]:
    return {name: getattr(flow, name) for name in SignInFlow.__slots__}


def _flow(row: Record) -> SignInFlow:
    values = {name: getattr(row, name) for name in SignInFlow.__slots__}
    return SignInFlow(**values | {"purpose": Purpose(row.purpose)})
