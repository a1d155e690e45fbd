"""The life of a key in the vault: made or taken in, bound, handed out or destroyed."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import CAError, SignerRefused
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.vaults import SOFTWARE
from chancery.signer import binding, keypair
from chancery.signer.holders import Held, Holder
from chancery.signer.journal import Draft, Journal, Operation
from chancery.signer.pkcs12 import package
from chancery.signer.vault import Vault, VaultKey

MAX_APPROVALS: Final = 16
MAX_EKUS: Final = 32


class KeyKeeper:
    """The part of ports.KeyVault that makes and moves keys.  Safe for concurrent use."""

    def __init__(self, vault: Vault, journal: Journal) -> None:
        self._vault = vault
        self._journal = journal

    def generate(
        self,
        key_id: str,
        algorithm: KeyAlgorithm,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
        vault: str = SOFTWARE,
    ) -> KeyInfo:
        holder = self._vault.holder(vault)
        return self._add(
            Operation.GENERATED,
            key_id,
            (algorithm, purpose, ca_approvals),
            holder,
            lambda: holder.make(key_id, algorithm, purpose),
        )

    def import_key(
        self,
        key_id: str,
        pkcs8: bytes,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
        vault: str = SOFTWARE,
    ) -> KeyInfo:
        holder = self._vault.holder(vault)
        _, algorithm = keypair.load(pkcs8)
        return self._add(
            Operation.IMPORTED,
            key_id,
            (algorithm, purpose, ca_approvals),
            holder,
            lambda: holder.take_in(key_id, pkcs8),
        )

    def adopt(
        self,
        key_id: str,
        vault: str,
        label: str,
        object_id: str,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
    ) -> KeyInfo:
        """Use a key that is on a vault's token already, made there by other means."""
        holder = self._vault.holder(vault)
        found = holder.find(label, object_id)
        return self._add(
            Operation.IMPORTED,
            key_id,
            (found.algorithm, purpose, ca_approvals),
            holder,
            lambda: found,
            theirs=True,
        )

    def _add(
        self,
        operation: Operation,
        key_id: str,
        what: tuple[KeyAlgorithm, KeyPurpose, int],
        holder: Holder,
        obtain: Callable[[], Held],
        *,
        theirs: bool = False,
    ) -> KeyInfo:
        """Check, obtain the key, put it on record, keep it.  What is *theirs* is not destroyed."""
        algorithm, purpose, ca_approvals = what
        if not 1 <= ca_approvals <= MAX_APPROVALS:
            raise _bad_approvals("ca_approvals", 1)
        if purpose is KeyPurpose.AUDIT and algorithm is not KeyAlgorithm.ED25519:
            raise SignerRefused(
                "an audit key is Ed25519, as C2SP signed notes demand",
                field="algorithm",
                rule="key.audit-algorithm",
            )

        def record(info: KeyInfo) -> None:
            detail = {
                "spki_sha256": hashlib.sha256(info.spki).hexdigest(),
                "algorithm": algorithm.value,
                "purpose": purpose.value,
                "ca_approvals": str(ca_approvals),
            }
            if holder.name != SOFTWARE:
                detail["vault"] = holder.name
            self._journal.append([Draft(operation, key_id, detail=detail)])

        self._vault.judge(KeyInfo(key_id, algorithm, purpose, b"", 0, holder.name))
        self._vault.demand_free(key_id)
        held = obtain()
        try:
            return self._vault.add(key_id, held, purpose, ca_approvals, record, holder=holder.name)
        except BaseException:
            if not theirs:
                with suppress(CAError):  # then an object stays on the token that nobody uses
                    holder.forget(held)
            raise

    def key(self, key_id: str) -> KeyInfo:
        return self._vault.get(key_id).info

    def bind(
        self,
        key_id: str,
        certificate: bytes,
        ekus: Sequence[str] | None = None,
        *,
        approvals: int = 0,
    ) -> None:
        """As the port says; and each end-entity order must name *approvals* distinct approvers.

        A renewal may only tighten: limits that are not given stay as they were.
        """
        limits = None if ekus is None else tuple(ekus)
        if not 0 <= approvals <= MAX_APPROVALS:
            raise _bad_approvals("approvals", 0)
        if limits is not None and not 0 < len(limits) <= MAX_EKUS:
            raise SignerRefused(
                f"a list of key purposes has 1 to {MAX_EKUS} entries",
                field="ekus",
                rule="bind.ekus",
            )

        def bound(key: VaultKey) -> binding.Binding:
            if key.info.purpose is not KeyPurpose.AUTHORITY:
                raise SignerRefused(
                    "only an authority's key is bound to a CA certificate",
                    field="key_id",
                    rule="signer.purpose",
                )
            spki = key.info.spki
            if key.binding is None:
                made = binding.bind(certificate, spki, limits, approvals)
            else:
                made = binding.renew(key.binding, certificate, spki, limits, approvals)
            detail = {
                "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
                "ekus": "any" if made.ekus is None else " ".join(made.ekus),
                "approvals": str(made.approvals),
            }
            self._journal.append([Draft(Operation.BOUND, key_id, detail=detail)])
            return made

        try:
            self._vault.bind(key_id, bound)
        except SignerRefused as error:
            self._journal.append([refusal(key_id, error)])
            raise

    def export_pkcs12(
        self, key_id: str, certificate: bytes, chain: Sequence[bytes], passphrase: str
    ) -> bytes:
        key = self._vault.get(key_id)
        try:
            if key.info.purpose is not KeyPurpose.SUBJECT:
                raise _not_a_subject_key()
            if key.held.private is None:
                raise _not_a_subject_key()
            packed = package(key.held.private, key.info.spki, certificate, chain, passphrase)
        except SignerRefused as error:
            self._journal.append([refusal(key_id, error)])
            raise
        detail = {"certificate_sha256": hashlib.sha256(certificate).hexdigest()}
        self._journal.append([Draft(Operation.EXPORTED, key_id, detail=detail)])
        return packed

    def destroy(self, key_id: str) -> None:
        key = self._vault.get(key_id)
        if key.info.purpose is not KeyPurpose.SUBJECT:
            error = _not_a_subject_key()
            self._journal.append([refusal(key_id, error)])
            raise error
        # On record first: a key may not vanish without a trace.
        self._journal.append([Draft(Operation.DESTROYED, key_id)])
        self._vault.destroy(key_id)


def refusal(key_id: str, error: CAError, serial: str = "", data: bytes = b"") -> Draft:
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


def _bad_approvals(field: str, least: int) -> SignerRefused:
    return SignerRefused(
        f"{least} to {MAX_APPROVALS} people can be asked to approve",
        field=field,
        rule="key.approvals",
    )
