"""Approved mode: algorithms of FIPS 140-3, CA keys on tokens, and tests that must pass.

Designed against FIPS 140-3 and SP 800-131A; docs/guides/approved-mode.md says
which settings stand for which demand, and what is not claimed.
"""

from collections.abc import Callable
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import SignerRefused, Unavailable
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.managed_key import Family, KeyKind, KeyUse
from chancery.domain.vaults import SOFTWARE, Probe
from chancery.signer import self_test
from chancery.signer.vault import Vault

APPROVED: Final = frozenset(KeyAlgorithm)
"""FIPS 186-5 (RSA from 2,048 bits, P-256 to P-521, Ed25519) and FIPS 204 (ML-DSA).

SP 800-131A r2 table 2 admits no smaller ones; we make none.  What a later
revision takes away is taken out here.
"""
LEGACY: Final = frozenset({Family.TDES})
"""Managed keys that protect nothing any more (SP 800-131A r2 §2: TDES, since 2024)."""
_READING: Final = frozenset({KeyUse.DECRYPT, KeyUse.VERIFY, KeyUse.UNWRAP})


class ApprovedMode:
    """Judges every key before its first use, and stops the signer when a self-test fails."""

    def __init__(self, vault: Vault, *, tests: Callable[[], list[Probe]] = self_test.run) -> None:
        """Run the tests.  Raises Unavailable if one fails."""
        self._vault = vault
        self._tests = tests
        self._failed: str | None = None
        self.test()
        if self._failed is not None:
            raise self._stopped()
        vault.judge = self._judge

    def test(self) -> list[Probe]:
        """Run them again; one that fails ends the use of every key until a new start."""
        probes = self._tests()
        failed = [probe.name for probe in probes if not probe.passed]
        if failed:
            self._failed = ", ".join(failed)
            self._vault.forget_opened()
        return probes

    def judge_managed(self, kind: KeyKind, use: KeyUse | None) -> None:
        """Managed keys.  *use* None: the key is to be made; what is there already may be read."""
        if self._failed is not None:
            raise self._stopped()
        if kind.family in LEGACY and use not in _READING:
            raise SignerRefused(
                f"approved mode does not {'make' if use is None else use.value + ' with'} keys of"
                f" kind {kind.value}",
                field="kind",
                rule="approved.algorithm",
                remedy="use an AES key; what an old one protects may still be read, to move it",
            )

    def _judge(self, info: KeyInfo) -> None:
        if self._failed is not None:
            raise self._stopped()
        if info.algorithm not in APPROVED:
            raise SignerRefused(
                f"approved mode has no {info.algorithm} keys",
                field="algorithm",
                rule="approved.algorithm",
                remedy=f"one of: {', '.join(sorted(APPROVED))}",
            )
        if info.purpose is KeyPurpose.AUTHORITY and info.vault == SOFTWARE:
            raise SignerRefused(
                "approved mode has the keys of CAs on tokens only",
                field="vault",
                rule="approved.vault",
                remedy="name a vault of kind pkcs11",
            )

    def _stopped(self) -> Unavailable:
        return Unavailable(
            f"self-test failed: {self._failed}; nothing is signed",
            field="signer",
            rule="approved.self-test",
            remedy="start again; if it fails again, reinstall or replace the machine",
        )
