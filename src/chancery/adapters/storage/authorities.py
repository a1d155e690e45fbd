"""Certification authorities, their containers, and every certificate they had."""

import base64
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from chancery.adapters.storage import documents, schema_policy
from chancery.adapters.storage.link import Link, Record
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import (
    Authority,
    AuthorityCertificate,
    AuthorityCertificateKind,
    AuthorityState,
    Container,
    CrlIdp,
    SecurityLevel,
)
from chancery.domain.crl import CrlTrigger
from chancery.domain.errors import NotFound
from chancery.domain.names import DistinguishedName

_A: Final = schema_policy.authority
_K: Final = schema_policy.container
_C: Final = schema_policy.authority_certificate
_AUTHORITY_FIELDS: Final = [field.name for field in fields(Authority)]
_LISTS: Final[dict[str, Any]] = {
    "crl_urls": list[str],
    "crl_shards": list[int],
    "crl_indirect": list[str],
}
_WORDS: Final = (
    "key_algorithm",
    "signature_algorithm",
    "state",
    "security_level",
    "crl_idp",
    "crl_on_revocation",
)
_CERTIFICATE_FIELDS: Final = [field.name for field in fields(AuthorityCertificate)]


def _values(authority: Authority) -> dict[str, Any]:
    values = {name: getattr(authority, name) for name in _AUTHORITY_FIELDS}
    values["subject"] = documents.encode(authority.subject)
    values["chain"] = documents.encode([base64.b64encode(der).decode() for der in authority.chain])
    for name in _LISTS:
        values[name] = documents.encode(list(values[name]))
    for name in _WORDS:
        values[name] = values[name].value
    return values


def _authority(row: Record) -> Authority:
    values = dict(row._mapping)
    values["subject"] = documents.decode(DistinguishedName, row.subject)
    values["chain"] = tuple(map(base64.b64decode, documents.decode(list[str], row.chain)))
    values["key_algorithm"] = KeyAlgorithm(row.key_algorithm)
    values["signature_algorithm"] = SignatureAlgorithm(row.signature_algorithm)
    values["state"] = AuthorityState(row.state)
    values["security_level"] = SecurityLevel(row.security_level)
    values["crl_idp"] = CrlIdp(row.crl_idp)
    values["crl_on_revocation"] = CrlTrigger(row.crl_on_revocation)
    for name, kind in _LISTS.items():
        values[name] = tuple(documents.decode(kind, values[name]))
    return Authority(**values)


def _certificate(row: Record) -> AuthorityCertificate:
    values = dict(row._mapping)
    values["kind"] = AuthorityCertificateKind(row.kind)
    return AuthorityCertificate(**values)


class SqlAuthorities:
    def __init__(self, link: Link) -> None:
        self._link = link

    def container(self, name: str) -> Container | None:
        row = self._link.first(select(_K).where(_K.c.name == name))
        return Container(*row) if row is not None else None

    def containers(self) -> list[Container]:
        return [Container(*row) for row in self._link.rows(select(_K).order_by(_K.c.name))]

    def add_container(self, container: Container) -> None:
        values = {
            "name": container.name,
            "owner_group": container.owner_group,
            "description": container.description,
        }
        self._link.run(insert(_K), values)

    def get(self, name: str) -> Authority | None:
        row = self._link.first(select(_A).where(_A.c.name == name))
        return _authority(row) if row is not None else None

    def all(self) -> list[Authority]:
        return [_authority(row) for row in self._link.rows(select(_A).order_by(_A.c.name))]

    def add(self, authority: Authority) -> None:
        self._link.run(insert(_A), _values(authority))

    def update(self, authority: Authority) -> None:
        statement = update(_A).where(_A.c.name == authority.name)
        if not self._link.run(statement, _values(authority)).rowcount:
            raise NotFound(f"there is no authority {authority.name}", field="name")

    def remove(self, name: str) -> None:
        # One with certificates is held by their foreign key.
        if not self._link.run(delete(_A).where(_A.c.name == name)).rowcount:
            raise NotFound(f"there is no authority {name}", field="name")

    def certificates(self, authority: str) -> list[AuthorityCertificate]:
        statement = (
            select(_C)
            .where(_C.c.authority == authority)
            .order_by(_C.c.created_at, _C.c.not_before, _C.c.issuer, _C.c.serial)
        )
        return [_certificate(row) for row in self._link.rows(statement)]

    def add_certificate(self, certificate: AuthorityCertificate) -> None:
        if certificate.current:
            former = update(_C).where(_C.c.authority == certificate.authority, _C.c.current)
            self._link.run(former.values(current=False))
        values = {name: getattr(certificate, name) for name in _CERTIFICATE_FIELDS}
        values["kind"] = certificate.kind.value
        self._link.run(insert(_C), values)

    def remove_certificate(self, certificate: AuthorityCertificate) -> None:
        statement = delete(_C).where(
            _C.c.authority == certificate.authority,
            _C.c.issuer == certificate.issuer,
            _C.c.serial == certificate.serial,
            _C.c.current.is_(False),
        )
        if not self._link.run(statement).rowcount:
            raise NotFound(f"{certificate.authority} has no such certificate", field="serial")
