"""Keys in escrow: sealed for recovery agents, and brought back by enough of them."""

import base64
from collections.abc import Sequence
from typing import Final

import msgspec

from chancery.domain.errors import BadKey, BadRequest, NotFound
from chancery.domain.identity import Principal
from chancery.domain.key_groups import KeyRight
from chancery.domain.key_orders import KeyAction, KeyAuthority, KeyOrder
from chancery.domain.managed_key import KeyFacts, Origin
from chancery.ports import Session
from chancery.ports_keys import NewKey
from chancery.services.keys.departure import leaves, left, octets_of
from chancery.services.keys.desk import Desk, KeyView, Outcome, authority, needed
from chancery.services.keys.making import Making
from chancery.services.keys.wanted import Wanted
from chancery.services.keys.watching import REFUSED, watched
from chancery.wire import key_wrap

AGENT_BITS: Final = 3072
"""A share is up to 297 characters: RSA-2048 takes 190 octets, RSA-3072 takes 318."""


class Escrow:
    def __init__(self, desk: Desk, making: Making) -> None:
        self._desk = desk
        self._making = making

    @watched("key.escrow-refused", REFUSED)
    def seal(
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
        keys = [octets_of(agent, "agents") for agent in agents]
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
        leaves(self._desk, key, found)
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

        return left(
            self._desk, principal, key, found, order, document, how="escrow", also=keep,
            threshold=threshold, agents=len(keys),
        )  # fmt: skip

    def record(self, principal: Principal, name: str, version: int | None = None) -> bytes:
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
        document = msgspec.json.decode(self.record(principal, name, version))
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
