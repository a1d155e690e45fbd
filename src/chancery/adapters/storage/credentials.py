"""API tokens and bound client certificates, found by hash alone."""

from typing import Final

from sqlalchemy import delete, insert, select, update

from chancery.adapters.storage import documents, schema_identity
from chancery.adapters.storage.link import Link, Record
from chancery.domain.errors import NotFound
from chancery.domain.identity import ApiToken, ClientCertificate, Permission

_T: Final = schema_identity.api_token
_C: Final = schema_identity.client_certificate
_CERTIFICATE: Final = select(
    _C.c.user_name, _C.c.sha256, _C.c.subject, _C.c.not_after, _C.c.created_at
)


def _token(row: Record) -> ApiToken:
    scopes = None if row.scopes is None else documents.decode(list[str], row.scopes)
    return ApiToken(
        row.id,
        row.user_name,
        row.label,
        row.sha256,
        None if scopes is None else frozenset(map(Permission, scopes)),
        row.created_at,
        row.expires_at,
        row.last_used_at,
        row.revoked,
    )


class SqlCredentials:
    def __init__(self, link: Link) -> None:
        self._link = link

    def token(self, sha256: str) -> ApiToken | None:
        row = self._link.first(select(_T).where(_T.c.sha256 == sha256))
        return _token(row) if row is not None else None

    def tokens(self, user: str) -> list[ApiToken]:
        statement = select(_T).where(_T.c.user_name == user).order_by(_T.c.id)
        return [_token(row) for row in self._link.rows(statement)]

    def add_token(self, token: ApiToken) -> None:
        scopes = None if token.scopes is None else documents.encode(sorted(token.scopes))
        values = {
            "id": token.id,
            "user_name": token.user,
            "label": token.label,
            "sha256": token.sha256,
            "scopes": scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": token.last_used_at,
            "revoked": token.revoked,
        }
        self._link.run(insert(_T), values)

    def revoke_token(self, token_id: str) -> None:
        if not self._link.run(update(_T).where(_T.c.id == token_id).values(revoked=True)).rowcount:
            raise NotFound(f"there is no token {token_id}", field="id")

    def touch_token(self, token_id: str, now: int) -> None:
        self._link.run(update(_T).where(_T.c.id == token_id).values(last_used_at=now))

    def client_certificate(self, sha256: str) -> ClientCertificate | None:
        row = self._link.first(_CERTIFICATE.where(_C.c.sha256 == sha256))
        return ClientCertificate(*row) if row is not None else None

    def client_certificates(self, user: str) -> list[ClientCertificate]:
        statement = _CERTIFICATE.where(_C.c.user_name == user)
        rows = self._link.rows(statement.order_by(_C.c.created_at, _C.c.sha256))
        return [ClientCertificate(*row) for row in rows]

    def add_client_certificate(self, certificate: ClientCertificate) -> None:
        values = {
            "sha256": certificate.sha256,
            "user_name": certificate.user,
            "subject": certificate.subject,
            "not_after": certificate.not_after,
            "created_at": certificate.created_at,
        }
        self._link.run(insert(_C), values)

    def delete_client_certificate(self, sha256: str) -> None:
        if not self._link.run(delete(_C).where(_C.c.sha256 == sha256)).rowcount:
            raise NotFound("there is no such client certificate", field="sha256")
