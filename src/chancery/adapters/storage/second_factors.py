"""TOTP secrets (sealed), passkeys and recovery codes (hashed)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from chancery.adapters.storage import documents, schema_sign_in
from chancery.adapters.storage.link import Link, Record
from chancery.domain.errors import NotFound
from chancery.domain.web_session import Passkey, TotpSecret

_S: Final = schema_sign_in.totp_secret
_P: Final = schema_sign_in.passkey
_R: Final = schema_sign_in.recovery_code


class SqlSecondFactors:
    def __init__(self, link: Link) -> None:
        self._link = link

    def totp(self, user: str, *, confirmed: bool = True) -> TotpSecret | None:
        same = (_S.c.user_name == user, _S.c.confirmed.is_(confirmed))
        row = self._link.first(select(_S).where(*same))
        if row is None:
            return None
        return TotpSecret(
            row.user_name, bytes(row.sealed), row.confirmed, row.created_at, row.last_step
        )

    def put_totp(self, secret: TotpSecret) -> None:
        self.drop_totp(secret.user, confirmed=secret.confirmed)
        values = {
            "user_name": secret.user,
            "confirmed": secret.confirmed,
            "sealed": secret.sealed,
            "created_at": secret.created_at,
            "last_step": secret.last_step,
        }
        self._link.run(insert(_S), values)

    def use_step(self, user: str, step: int) -> bool:
        fresh = (_S.c.user_name == user, _S.c.confirmed.is_(True), _S.c.last_step < step)
        return bool(self._link.run(update(_S).where(*fresh).values(last_step=step)).rowcount)

    def drop_totp(self, user: str, *, confirmed: bool) -> None:
        same = (_S.c.user_name == user, _S.c.confirmed.is_(confirmed))
        self._link.run(delete(_S).where(*same))

    def passkeys(self, user: str) -> list[Passkey]:
        statement = select(_P).where(_P.c.user_name == user)
        rows = self._link.rows(statement.order_by(_P.c.created_at, _P.c.id))
        return [_passkey(row) for row in rows]

    def add_passkey(self, passkey: Passkey) -> None:
        values = {
            "id": passkey.id,
            "user_name": passkey.user,
            "label": passkey.label,
            "public_key": passkey.public_key,
            "sign_count": passkey.sign_count,
            "transports": documents.encode(passkey.transports),
            "synced": passkey.synced,
            "created_at": passkey.created_at,
            "last_used_at": passkey.last_used_at,
        }
        self._link.run(insert(_P), values)

    def use_passkey(self, passkey_id: str, sign_count: int, now: int) -> None:
        self._one(passkey_id, sign_count=sign_count, last_used_at=now)

    def rename_passkey(self, passkey_id: str, label: str) -> None:
        self._one(passkey_id, label=label)

    def drop_passkey(self, passkey_id: str) -> None:
        if not self._link.run(delete(_P).where(_P.c.id == passkey_id)).rowcount:
            raise _no_passkey()

    def set_recovery_codes(self, user: str, sha256s: Sequence[str]) -> None:
        self._link.run(delete(_R).where(_R.c.user_name == user))
        if sha256s:
            rows = [{"user_name": user, "sha256": one, "used_at": None} for one in sha256s]
            self._link.run(insert(_R), rows)

    def use_recovery_code(self, user: str, sha256: str, now: int) -> bool:
        unused = (_R.c.user_name == user, _R.c.sha256 == sha256, _R.c.used_at.is_(None))
        return bool(self._link.run(update(_R).where(*unused).values(used_at=now)).rowcount)

    def recovery_codes_left(self, user: str) -> int:
        unused = (_R.c.user_name == user, _R.c.used_at.is_(None))
        row = self._link.first(select(func.count()).select_from(_R).where(*unused))
        return int(row[0]) if row is not None else 0

    def _one(self, passkey_id: str, **values: object) -> None:
        if not self._link.run(update(_P).where(_P.c.id == passkey_id).values(**values)).rowcount:
            raise _no_passkey()


def _passkey(row: Record) -> Passkey:
    return Passkey(
        row.id,
        row.user_name,
        row.label,
        bytes(row.public_key),
        row.sign_count,
        documents.decode(tuple[str, ...], row.transports),
        row.synced,
        row.created_at,
        row.last_used_at,
    )


def _no_passkey() -> NotFound:
    return NotFound("there is no such passkey", field="id", rule="passkey.known")
