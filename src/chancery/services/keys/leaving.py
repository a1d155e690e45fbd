"""Keys on their way out: wrapped, and packed."""

from typing import Final

from chancery.domain.errors import BadRequest, CAError, NotPermitted
from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_leaving import untrusted
from chancery.domain.key_orders import KeyAction, KeyOrder
from chancery.domain.key_states import Effect
from chancery.domain.managed_key import (
    Exportability,
    KeyUse,
    ManagedKey,
)
from chancery.ports_keys import KeyFilter
from chancery.services.keys.departure import leaves, left, octets_of
from chancery.services.keys.desk import Desk, Outcome, authority, needed
from chancery.services.keys.watching import REFUSED, watched
from chancery.wire import key_block, key_wrap

_OFFERED: Final = 1_000
_METHODS: Final = (*key_wrap.AES_METHODS, *key_wrap.RSA_METHODS, *key_block.WRITTEN)


class Leaving:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @watched("key.export-refused", REFUSED)
    def wrap(
        self,
        principal: Principal,
        name: str,
        method: str,
        *,
        by: str = "",
        public_key: str = "",
        version: int | None = None,
        block_usage: str = "",
        block_mode: str = "",
        order: KeyOrder | None = None,
    ) -> Outcome:
        """Hand a key out under the managed key *by*, or *public_key* (base64 DER SPKI).

        Under a public key from outside somebody else must always agree.
        """
        if bool(by) == bool(public_key):
            raise BadRequest(
                "a wrapping key of ours, or a public key: one of them",
                field="by",
                rule="wrap.by",
            )
        public = octets_of(public_key, "public_key")
        known = key_wrap.RSA_METHODS if public_key else _METHODS
        if method not in known:
            raise key_wrap.unknown(method)
        if public_key:
            key_wrap.rsa_public(public)
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
            leaves(self._desk, key, found)
            wrapping = None
            if by:
                other, wrapping, _ = self._desk.usable(session, principal, by, Effect.PROTECT)
                _strong(other, key)
            elif key.rules.exportability is Exportability.TRUSTED:
                raise untrusted(key.name)
        fields = (block_usage or key.block_usage, block_mode or key.block_mode)
        if method in key_block.METHODS:
            key_block.check_outward(*fields, key.rules.uses)
            if not key.rules.uses and fields[0] != key.block_usage:
                raise key_block.other_usage(key.block_usage)
        others = needed(key, group, 0 if by else 1)
        if order is None and others:
            asked = {
                "name": name, "method": method, "by": by, "public_key": public_key,
                "version": found.number, "block_usage": block_usage, "block_mode": block_mode,
            }  # fmt: skip
            return self._desk.order(principal, key, KeyAction.WRAP, asked, others)
        data = self._desk.vault.wrap(
            found.handle,
            authority(principal, order),
            method,
            by=wrapping.handle if wrapping is not None else "",
            public=public,
            header="".join(fields) if method in key_block.METHODS else "",
        )
        return left(self._desk, principal, key, found, order, data, how=method, by=by)

    def under(self, principal: Principal, name: str) -> list[ManagedKey]:
        """The keys of ours that *principal* could wrap this one under."""
        with self._desk.store.read() as session:
            key, _ = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = []
            for other in session.keys.find(
                KeyFilter(self._desk.visible(session, principal)), None, _OFFERED
            ):
                try:
                    self._desk.usable(session, principal, other.name, Effect.PROTECT)
                    _strong(other, key)
                except CAError:
                    continue
                found.append(other)
            return found

    @watched("key.export-refused", REFUSED)
    def package(
        self,
        principal: Principal,
        name: str,
        form: str,
        passphrase: str = "",
        *,
        version: int | None = None,
        order: KeyOrder | None = None,
    ) -> Outcome:
        """Hand a private key out as PKCS#8 or PKCS#12; the passphrase comes with the second call.

        Its template must allow it, and somebody else must agree.
        """
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
        leaves(self._desk, key, found)
        if not key.rules.pkcs:
            raise NotPermitted(
                f"{name} does not leave as PKCS#8 or PKCS#12",
                field="form",
                rule="key.pkcs",
                remedy="its template must allow it when the key is made",
            )
        if form not in {"pkcs8", "pkcs12"}:
            raise BadRequest("pkcs8 or pkcs12", field="form", rule="key.form")
        if order is None:
            asked = {"name": name, "form": form, "version": found.number}
            others = needed(key, group, 1)
            return self._desk.order(principal, key, KeyAction.PACKAGE, asked, others)
        who = authority(principal, order)
        data = self._desk.vault.package(found.handle, who, form, passphrase, key.name)
        return left(self._desk, principal, key, found, order, data, how=form)


def _strong(by: ManagedKey, key: ManagedKey) -> None:
    if by.id == key.id:
        raise key_wrap.itself()
    if KeyUse.WRAP not in by.rules.uses:
        raise NotPermitted(f"{by.name} may not wrap", field="by", rule="key.use")
    if by.kind.strength < key.kind.strength:
        raise NotPermitted(
            f"{by.name} has {by.kind.strength} bits of strength, {key.name} has"
            f" {key.kind.strength}",
            field="by",
            rule="wrap.strength",
            remedy="wrap it under a stronger key",
        )
    if key.rules.exportability is Exportability.TRUSTED and not by.rules.trusted:
        raise untrusted(key.name)
