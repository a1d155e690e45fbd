"""The signer's operations: rules, then the key, then the journal, and only then the answer."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import CAError, SignerRefused
from chancery.domain.keys import (
    CaAuthorisation,
    CertificateOrder,
    KeyInfo,
    KeyPurpose,
    SignatureOnRecord,
)
from chancery.signer import binding, keypair, policy
from chancery.signer.journal import Draft, Journal, Operation
from chancery.signer.journal_index import fingerprint
from chancery.signer.pkcs12 import package
from chancery.signer.vault import Vault, VaultKey

MAX_CA_APPROVALS = 16


@dataclass(slots=True)
class _Pending:
    """A signature that was made and may not leave before its draft is on record."""

    draft: Draft
    result: bytes | CAError


class Signer:
    """Everything a client may ask for.  Safe for concurrent use.

    The methods are those of ports.KeyVault and raise what it says.
    """

    def __init__(
        self, vault: Vault, journal: Journal, *, now: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._journal = journal
        self._now = now
        self._in_flight: set[int] = set()
        self._in_flight_lock = threading.Lock()
        self._checkpoint_lock = threading.Lock()

    # -- keys --

    def generate(
        self, key_id: str, algorithm: KeyAlgorithm, purpose: KeyPurpose, ca_approvals: int
    ) -> KeyInfo:
        return self._add(
            Operation.GENERATED, key_id, keypair.make(algorithm), algorithm, purpose, ca_approvals
        )

    def import_key(
        self, key_id: str, pkcs8: bytes, purpose: KeyPurpose, ca_approvals: int
    ) -> KeyInfo:
        private, algorithm = keypair.load(pkcs8)
        return self._add(Operation.IMPORTED, key_id, private, algorithm, purpose, ca_approvals)

    def _add(
        self,
        operation: Operation,
        key_id: str,
        private: keypair.PrivateKey,
        algorithm: KeyAlgorithm,
        purpose: KeyPurpose,
        ca_approvals: int,
    ) -> KeyInfo:
        if not 1 <= ca_approvals <= MAX_CA_APPROVALS:
            raise SignerRefused(
                f"1 to {MAX_CA_APPROVALS} people must approve a CA certificate",
                field="ca_approvals",
                rule="key.ca-approvals",
            )
        if purpose is KeyPurpose.AUDIT and algorithm is not KeyAlgorithm.ED25519:
            raise SignerRefused(
                "an audit key is Ed25519, as C2SP signed notes demand",
                field="algorithm",
                rule="key.audit-algorithm",
            )
        info = self._vault.add(key_id, private, algorithm, purpose, ca_approvals)
        detail = {
            "spki_sha256": hashlib.sha256(info.spki).hexdigest(),
            "algorithm": algorithm.value,
            "purpose": purpose.value,
            "ca_approvals": str(ca_approvals),
        }
        self._journal.append([Draft(operation, key_id, detail=detail)])
        return info

    def key(self, key_id: str) -> KeyInfo:
        return self._vault.get(key_id).info

    def bind(
        self, key_id: str, certificate: bytes, ekus: tuple[str, ...] | None, approvals: int
    ) -> None:
        def bound(key: VaultKey) -> binding.Binding:
            if key.info.purpose is not KeyPurpose.AUTHORITY:
                raise SignerRefused(
                    "only an authority's key is bound to a CA certificate",
                    field="key_id",
                    rule="signer.purpose",
                )
            spki = key.info.spki
            if key.binding is None:
                return binding.bind(certificate, spki, ekus, approvals)
            return binding.renew(key.binding, certificate, spki, ekus, approvals)

        try:
            made = self._vault.bind(key_id, bound)
        except SignerRefused as refusal:
            self._journal.append([_refusal(key_id, refusal)])
            raise
        detail = {
            "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
            "ekus": "any" if made.ekus is None else " ".join(made.ekus),
            "approvals": str(made.approvals),
        }
        self._journal.append([Draft(Operation.BOUND, key_id, detail=detail)])

    def export_pkcs12(
        self, key_id: str, certificate: bytes, chain: Sequence[bytes], passphrase: str
    ) -> bytes:
        key = self._vault.get(key_id)
        try:
            if key.info.purpose is not KeyPurpose.SUBJECT:
                raise _not_a_subject_key()
            packed = package(key.private, key.info.spki, certificate, chain, passphrase)
        except SignerRefused as refusal:
            self._journal.append([_refusal(key_id, refusal)])
            raise
        detail = {"certificate_sha256": hashlib.sha256(certificate).hexdigest()}
        self._journal.append([Draft(Operation.EXPORTED, key_id, detail=detail)])
        return packed

    def destroy(self, key_id: str) -> None:
        key = self._vault.get(key_id)
        if key.info.purpose is not KeyPurpose.SUBJECT:
            refusal = _not_a_subject_key()
            self._journal.append([_refusal(key_id, refusal)])
            raise refusal
        # On record first: a key may not vanish without a trace.
        self._journal.append([Draft(Operation.DESTROYED, key_id)])
        self._vault.destroy(key_id)

    # -- signatures --

    def sign_certificates(self, orders: Sequence[CertificateOrder]) -> list[bytes | CAError]:
        now = int(self._now())
        claimed: list[int] = []
        try:
            pending = [self._end_entity(order, now, claimed) for order in orders]
            self._journal.append([one.draft for one in pending])
        finally:
            self._release(claimed)
        return [one.result for one in pending]

    def _end_entity(self, order: CertificateOrder, now: int, claimed: list[int]) -> _Pending:
        """Sign one order of a batch; whatever is wrong with it stays its own affair."""
        try:
            key = self._vault.get(order.key_id)
            policy.end_entity(key, order, now)
            sign = keypair.pick(key.ways, order.algorithm)
            self._claim(order.key_id, order.serial, claimed)
            signature = sign(order.tbs)
        except CAError as error:
            return _Pending(_refusal(order.key_id, error, order.serial, order.tbs), error)
        draft = Draft(
            Operation.CERTIFICATE,
            order.key_id,
            order.serial,
            bytes.fromhex(order.tbs_sha256),
            signature,
            order.intent_id,
            order.approvers,
        )
        return _Pending(draft, signature)

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
        def decide(key: VaultKey) -> Draft:
            policy.ocsp_response(key, tbs, int(self._now()))
            return Draft(Operation.OCSP, key_id)

        return self._one(key_id, algorithm, tbs, decide)

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        def decide(key: VaultKey) -> Draft:
            state = policy.checkpoint(key, text, self._journal.checkpoint(key_id))
            return Draft(Operation.CHECKPOINT, key_id, detail={"checkpoint": state})

        # One at a time: the next may be judged only by what is on record.
        with self._checkpoint_lock:
            return self._one(key_id, SignatureAlgorithm.ED25519, text, decide)

    def signatures(self, key_id: str, serials: Sequence[str]) -> list[SignatureOnRecord]:
        found = (self._journal.find(key_id, serial) for serial in serials)
        return [
            SignatureOnRecord(
                entry.key_id,
                entry.serial,
                entry.tbs_sha256.hex(),
                entry.signature,
                entry.time_ms // 1000,
            )
            for entry in found
            if entry is not None
        ]

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
        except SignerRefused as refusal:
            self._journal.append([_refusal(key_id, refusal, data=data)])
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
            if mark in self._in_flight or self._journal.signed(key_id, serial):
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


def _refusal(key_id: str, error: CAError, serial: str = "", data: bytes = b"") -> Draft:
    """What goes on record of a no: the rule, and a hash; the caller's own texts cut short."""
    return Draft(
        Operation.REFUSED,
        key_id[:128],
        serial[:64],
        hashlib.sha256(data).digest() if data else b"",
        detail={"rule": error.rule or type(error).__name__},
    )


def _not_a_subject_key() -> SignerRefused:
    return SignerRefused(
        "only a key made for a requester leaves the vault or is destroyed",
        field="key_id",
        rule="signer.purpose",
    )
