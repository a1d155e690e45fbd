"""Keys on their way out: wrapped, packed, in escrow; and back from escrow."""

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from chancery.domain.errors import BadKey, BadRequest, NotFound, NotPermitted
from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_leaving import STOPPED, not_handed_out, untrusted
from chancery.domain.key_orders import KeyAction, KeyAuthority, KeyOrder
from chancery.domain.key_states import Effect, state_at
from chancery.domain.managed_key import (
    Exportability,
    KeyFacts,
    KeyUse,
    KeyVersion,
    ManagedKey,
    Origin,
)
from chancery.ports import Session
from chancery.ports_keys import NewKey
from chancery.services.audit import event
from chancery.services.keys.desk import Desk, KeyView, Outcome, authority, needed
from chancery.services.keys.making import Making
from chancery.services.keys.wanted import Wanted
from chancery.services.keys.watching import REFUSED, watched
from chancery.wire import key_block, key_wrap

AGENT_BITS: Final = 3072
"""A share is up to 297 characters: RSA-2048 takes 190 octets, RSA-3072 takes 318."""
_METHODS: Final = (*key_wrap.AES_METHODS, *key_wrap.RSA_METHODS, *key_block.WRITTEN)


class Leaving:
    def __init__(self, desk: Desk, making: Making) -> None:
        self._desk = desk
        self._making = making

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
        public = _octets(public_key, "public_key")
        known = key_wrap.RSA_METHODS if public_key else _METHODS
        if method not in known:
            raise key_wrap.unknown(method)
        if public_key:
            key_wrap.rsa_public(public)
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
            self._leaves(key, found)
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
        return self._left(principal, key, found, order, data, how=method, by=by)

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
        self._leaves(key, found)
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
        return self._left(principal, key, found, order, data, how=form)

    # Escrow

    @watched("key.escrow-refused", REFUSED)
    def escrow(
        self,
        principal: Principal,
        name: str,
        agents: Sequence[str],
        threshold: int,
        *,
        version: int | None = None,
        order: KeyOrder | None = None,
    ) -> Outcome:
        """Seal a key for recovery agents, each named by a public key (base64 DER SPKI).

        The data that come back are the record of it, JSON: every agent's
        encrypted share among it.
        """
        keys = [_octets(agent, "agents") for agent in agents]
        if any(key_wrap.rsa_public(one).key_size < AGENT_BITS for one in keys):
            raise BadKey(
                f"an agent's key is RSA of {AGENT_BITS} bits or more",
                field="agents",
                rule="escrow.agent-key",
                remedy="a share does not fit under a shorter one",
            )
        if not 2 <= threshold <= len(set(agents)):
            raise BadRequest(
                "2 or more of different agents recover a key",
                field="threshold",
                rule="escrow.agents",
            )
        with self._desk.store.read() as session:
            key, group = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
        self._leaves(key, found)
        if order is None:
            asked = {
                "name": name, "agents": list(agents), "threshold": threshold,
                "version": found.number,
            }  # fmt: skip
            others = needed(key, group, 1)
            return self._desk.order(principal, key, KeyAction.ESCROW, asked, others)
        who = authority(principal, order)
        sealed, shares = self._desk.vault.escrow(found.handle, keys, threshold, who)
        document = msgspec.json.encode(
            {
                "key": key.name, "version": found.number, "threshold": threshold,
                "sealed": base64.b64encode(sealed).decode(),
                "agents": [
                    {"public_key": agent, "share": base64.b64encode(share).decode()}
                    for agent, share in zip(agents, shares, strict=True)
                ],
            }
        )  # fmt: skip
        now = self._desk.clock.s()

        def keep(session: Session) -> None:
            session.keys.put_escrow(key.id, found.number, document.decode(), now)

        return self._left(
            principal, key, found, order, document, how="escrow", also=keep, threshold=threshold,
            agents=len(keys),
        )  # fmt: skip

    def escrowed(self, principal: Principal, name: str, version: int | None = None) -> bytes:
        """The record of a key's escrow, for its agents."""
        with self._desk.store.read() as session:
            key, _ = self._desk.key(session, principal, name, KeyRight.MANAGE)
            found = self._desk.version(session, key, version)
            document = session.keys.escrow(key.id, found.number)
        if document is None:
            raise NotFound(
                f"{name} version {found.number} is not in escrow", field="key", rule="escrow.none"
            )
        return document.encode()

    @watched("key.recover-refused", REFUSED)
    def recover(
        self,
        principal: Principal,
        name: str,
        shares: Sequence[str],
        *,
        to: str,
        version: int | None = None,
    ) -> KeyView:
        """Bring a key back from escrow, as the new key *to*: its agents' shares are the consent."""
        document = msgspec.json.decode(self.escrowed(principal, name, version))
        with self._desk.store.read() as session:
            key, _ = self._desk.key(session, principal, name, KeyRight.MANAGE)
            old = self._desk.version(session, key, document["version"])
        sealed = base64.b64decode(document["sealed"])

        def make(new: NewKey, who: KeyAuthority) -> KeyFacts:
            return self._desk.vault.recover(new, sealed, shares, who)

        wanted = Wanted(
            to, key.group, key.template, f"recovered from {name} version {document['version']}",
            key.custodian,
        )  # fmt: skip
        return self._making.make(
            principal, wanted, Origin.RECOVERED, make, by=name, like=(key, old.dates)
        )

    def _left(
        self, principal: Principal, key: ManagedKey, version: KeyVersion, order: KeyOrder | None,
        data: bytes, *, how: str, also: Any = None, **details: Any,
    ) -> Outcome:  # fmt: skip
        """Put on record that a key has left; only then are the octets answered."""

        def unit(session: Session) -> KeyView:
            if also is not None:
                also(session)
            self._desk.close(session, order)
            told = event(
                principal, "key.exported", key.name, version=version.number, how=how,
                check_value=version.facts.check_value,
                order=None if order is None else order.id,
                approvers=[] if order is None else list(order.approvers), **details,
            )  # fmt: skip
            session.audit.append([told], self._desk.clock.ms())
            return self._desk.view(session, key)

        return Outcome(self._desk.store.write(unit), data=data)

    def _leaves(self, key: ManagedKey, version: KeyVersion) -> None:
        if key.rules.exportability is Exportability.NONE:
            raise NotPermitted(
                f"{key.name} is not exportable (N)",
                field="key",
                rule="key.exportability",
                remedy="a key is exportable only if its template said so when it was made",
            )
        now = self._desk.clock.s()
        if state_at(version.dates, now) in STOPPED:
            raise not_handed_out(f"{key.name} version {version.number}", version.dates, now)


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


def _octets(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadRequest("this is not base64", field=field, rule="base64") from None
