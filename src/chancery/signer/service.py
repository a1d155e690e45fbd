"""The signer's operations: rules, then the key, then the journal, and only then the answer."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import CAError, SignerRefused
from chancery.domain.keys import (
    CaAuthorisation,
    CertificateOrder,
    KeyPurpose,
    SignatureOnRecord,
)
from chancery.signer import keypair, policy
from chancery.signer.door import DoorKeeper
from chancery.signer.journal import Draft, Journal, Operation
from chancery.signer.journal_index import fingerprint
from chancery.signer.keeper import refusal
from chancery.signer.managed.keys import ManagedKeys
from chancery.signer.managed.secrets import SecretVault
from chancery.signer.vault import Vault, VaultKey

MAX_LOGS: Final = 32
"""Audit keys that may sign: the journal repeats the last checkpoint of each in every segment."""


_Unchecked = tuple[keypair.Way, bytes, bytes]


@dataclass(slots=True)
class _Pending:
    """A signature that was made and may not leave before its draft is on record."""

    draft: Draft
    result: bytes | CAError


_Later = tuple[_Pending, keypair.Way, CertificateOrder]


class Signer(DoorKeeper):
    """ports.KeyVault inside the process.  Safe for concurrent use."""

    def __init__(
        self, vault: Vault, journal: Journal, *, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(vault, journal)
        self.managed: Final = ManagedKeys(vault, journal, clock=now, others=_secrets(vault))
        self._now = now
        self._in_flight: set[int] = set()
        self._in_flight_lock = threading.Lock()
        self._checkpoint_lock = threading.Lock()

    def close(self) -> None:
        """Put on record what waits for it; nothing may be asked afterwards."""
        self._status.close()

    def sign_certificates(self, orders: Sequence[CertificateOrder]) -> list[bytes | CAError]:
        now = int(self._now())
        claimed: list[int] = []
        last: dict[str, _Unchecked] = {}
        later: dict[str, list[_Later]] = {}
        try:
            spread = later if len(orders) > 1 else None
            pending = [self._end_entity(order, now, claimed, last, spread) for order in orders]
            for way, signature, tbs in last.values():
                way.check(signature, tbs)
            for group in later.values():
                _sign_all(group)
            self._journal.append([one.draft for one in pending])
        finally:
            self._release(claimed)
        return cast("list[bytes | CAError]", [one.result for one in pending])

    def _end_entity(
        self,
        order: CertificateOrder,
        now: int,
        claimed: list[int],
        last: dict[str, _Unchecked],
        later: dict[str, list[_Later]] | None,
    ) -> _Pending:
        """Sign one order of a batch; whatever is wrong with it stays its own affair.

        *last* gets the newest signature of each key that is checked by batch.
        *later* gets those of keys that are waited for: they sign once all are judged.
        """
        waits = False
        try:
            key = self._vault.get(order.key_id)
            policy.end_entity(key, order, now)
            way = keypair.pick(key.ways, order.algorithm)
            self._claim(order.key_id, order.serial, claimed)
            if way.by_batch:
                signature = way.sign(order.tbs)
                last[order.key_id] = (way, signature, order.tbs)
            elif later is not None and way.spread is not None:
                signature, waits = b"", True
            else:
                signature = way(order.tbs)
        except CAError as error:
            return _Pending(refusal(order.key_id, error, order.serial, order.tbs), error)
        draft = Draft(
            Operation.CERTIFICATE,
            order.key_id,
            order.serial,
            bytes.fromhex(order.tbs_sha256),
            signature,
            order.intent_id,
            order.approvers,
        )
        made = _Pending(draft, signature)
        if waits:
            assert later is not None
            later.setdefault(f"{order.key_id} {order.algorithm}", []).append((made, way, order))
        return made

    def sign_ca_certificate(
        self,
        key_id: str,
        algorithm: SignatureAlgorithm,
        tbs: bytes,
        authorisation: CaAuthorisation,
    ) -> bytes:
        claimed: list[int] = []

        def decide(key: VaultKey) -> Draft:
            facts = policy.ca_certificate(key, algorithm, tbs, authorisation, int(self._now()))
            serial = format(facts.serial, "x")
            self._claim(key_id, serial, claimed)
            return Draft(
                Operation.CA_CERTIFICATE,
                key_id,
                serial,
                approvers=authorisation.approvers,
                detail={"reason": authorisation.reason},
            )

        try:
            return self._one(key_id, algorithm, tbs, decide)
        finally:
            self._release(claimed)

    def sign_csr(self, key_id: str, algorithm: SignatureAlgorithm, info: bytes) -> bytes:
        def decide(key: VaultKey) -> Draft:
            policy.request(key, info)
            return Draft(Operation.CSR, key_id)

        return self._one(key_id, algorithm, info, decide)

    def sign_crl(self, key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
        def decide(key: VaultKey) -> Draft:
            facts = policy.revocation_list(key, algorithm, tbs, int(self._now()))
            return Draft(Operation.CRL, key_id, format(facts.number, "x"))

        return self._one(key_id, algorithm, tbs, decide)

    def sign_ocsp(self, key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
        return self.sign_ocsp_all(key_id, algorithm, [tbs])[0]

    def sign_ocsp_all(
        self, key_id: str, algorithm: SignatureAlgorithm, tbss: Sequence[bytes]
    ) -> list[bytes]:
        """All or none.  A responder's own key need not wait for the disk: see ``status_ledger``."""
        if not tbss:
            return []
        now = int(self._now())
        key = self._vault.get(key_id)
        try:
            for tbs in tbss:
                policy.ocsp_response(key, tbs, now)
            way = keypair.pick(key.ways, algorithm)
        except SignerRefused as error:
            self._journal.append([refusal(key_id, error, data=tbss[0])])
            raise
        if way.by_batch:
            signatures = [way.sign(tbs) for tbs in tbss]
            if self._status.to_check(key_id, len(tbss)):
                way.check(signatures[-1], tbss[-1])
        else:
            signatures = [way(tbs) for tbs in tbss]
        if key.info.purpose is KeyPurpose.OCSP:
            self._status.note(key_id, tbss)
        else:  # a CA's own key: nothing leaves that is not first on record
            self._journal.append(
                [_status_draft(key_id, *one) for one in zip(tbss, signatures, strict=True)]
            )
        return signatures

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        def decide(key: VaultKey) -> Draft:
            if self._journal.checkpoint_keys >= MAX_LOGS and not self._journal.checkpoint(key_id):
                raise SignerRefused(
                    f"more than {MAX_LOGS} logs",
                    field="key_id",
                    rule="signer.logs",
                    remedy="keep one log: its key can go on signing",
                )
            state = policy.checkpoint(key, text, self._journal.checkpoint(key_id))
            return Draft(Operation.CHECKPOINT, key_id, detail={"checkpoint": state})

        # One at a time: the next may be judged only by what is on record.
        with self._checkpoint_lock:
            return self._one(key_id, SignatureAlgorithm.ED25519, text, decide)

    def signatures(self, key_id: str, serials: Sequence[str]) -> Mapping[str, SignatureOnRecord]:
        found = (self._journal.find(key_id, serial) for serial in serials)
        return {
            entry.serial: SignatureOnRecord(
                entry.key_id,
                entry.serial,
                entry.tbs_sha256.hex(),
                entry.signature,
                entry.time_ms // 1000,
            )
            for entry in found
            if entry is not None
        }

    def _one(
        self,
        key_id: str,
        algorithm: SignatureAlgorithm,
        data: bytes,
        decide: Callable[[VaultKey], Draft],
    ) -> bytes:
        """Judge, sign and record one structure; a refusal goes on record too."""
        try:
            key = self._vault.get(key_id)
            draft = decide(key)
            signature = keypair.pick(key.ways, algorithm)(data)
        except SignerRefused as error:
            self._journal.append([refusal(key_id, error, data=data)])
            raise
        draft.tbs_sha256 = hashlib.sha256(data).digest()
        draft.signature = signature
        self._journal.append([draft])
        return signature

    def _claim(self, key_id: str, serial: str, claimed: list[int]) -> None:
        """Take a serial for good, unless it was ever taken.

        What is in flight is in no index yet; after ``append`` it is, or the
        signature was thrown away and the serial is free again.
        """
        mark = fingerprint(key_id, serial)
        with self._in_flight_lock:
            if mark in self._in_flight or self._journal.knows(mark):
                raise SignerRefused(
                    "this key signed a certificate with this serial number before",
                    field="serial",
                    rule="signer.serial-reuse",
                    remedy="ask the journal what was signed; take a new serial for a new attempt",
                )
            self._in_flight.add(mark)
        claimed.append(mark)

    def _release(self, claimed: Sequence[int]) -> None:
        with self._in_flight_lock:
            self._in_flight.difference_update(claimed)


def _status_draft(key_id: str, tbs: bytes, signature: bytes) -> Draft:
    digest = hashlib.sha256(tbs).digest()
    return Draft(Operation.OCSP, key_id, tbs_sha256=digest, signature=signature)


def _sign_all(group: Sequence[_Later]) -> None:
    """Fill in what a vault signs all at once: made or refused before any goes on record."""
    _, way, _ = group[0]
    assert way.spread is not None
    made = way.spread(way, [order.tbs for _, _, order in group])
    for (one, _, order), signature in zip(group, made, strict=True):
        if isinstance(signature, bytes):
            one.result = one.draft.signature = signature
        else:
            one.result = signature
            one.draft = refusal(order.key_id, signature, order.serial, order.tbs)


def _secrets(vault: Vault) -> dict[str, SecretVault]:
    """The tokens that can hold managed keys, too."""
    places = {name: holder.secrets for name, holder in vault.holders.items()}
    return {name: place for name, place in places.items() if place is not None}
