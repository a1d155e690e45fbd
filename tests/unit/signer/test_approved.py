"""Approved mode: what it refuses, and what a failed self-test ends."""

import pytest

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadRequest, SignerRefused, Unavailable
from chancery.domain.key_orders import KeyAuthority
from chancery.domain.key_states import KeyDates
from chancery.domain.keys import KeyPurpose
from chancery.domain.managed_key import USES_OF, KeyKind, KeyRules
from chancery.domain.vaults import SOFTWARE, Probe, VaultChoice, VaultKind
from chancery.ports_keys import NewKey
from chancery.signer import self_test
from chancery.signer.approved import ApprovedMode
from chancery.signer.service import Signer


def test_every_algorithm_gives_the_known_answer() -> None:
    probes = self_test.run()
    assert [probe.name for probe in probes if not probe.passed] == []
    assert len(probes) == len(self_test.TESTS)


def test_a_wrong_answer_is_found() -> None:
    def wrong() -> None:
        raise self_test.Failed("a wrong answer")

    (probe,) = self_test.run({"broken": wrong})
    assert (probe.passed, probe.detail) == (False, "a wrong answer")


def test_keys_of_authorities_are_on_tokens(signer: Signer) -> None:
    signer.generate("before", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    signer._vault.forget_opened()
    ApprovedMode(signer._vault)
    with pytest.raises(SignerRefused) as caught:
        signer.generate("ca", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    assert caught.value.rule == "approved.vault"
    with pytest.raises(SignerRefused):
        signer.key("before")
    assert signer.generate("audit", KeyAlgorithm.ED25519, KeyPurpose.AUDIT).vault == SOFTWARE


def test_a_failed_self_test_ends_all_signing(signer: Signer) -> None:
    passed = [True]
    mode = ApprovedMode(signer._vault, tests=lambda: [Probe("SHA-2", passed[0], "", 1)])
    signer.generate("audit", KeyAlgorithm.ED25519, KeyPurpose.AUDIT)
    text = b"log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    signer.sign_checkpoint("audit", text)
    passed[0] = False
    mode.test()
    with pytest.raises(Unavailable) as caught:
        signer.sign_checkpoint("audit", text)
    assert caught.value.rule == "approved.self-test"
    passed[0] = True
    mode.test()  # once failed, only a new start helps
    with pytest.raises(Unavailable):
        signer.sign_checkpoint("audit", text)


def test_does_not_start_with_a_failed_test(signer: Signer) -> None:
    with pytest.raises(Unavailable, match="SHA-2"):
        ApprovedMode(
            signer._vault, tests=lambda: [Probe("SHA-2", passed=False, detail="", took_us=1)]
        )


def test_which_vaults_may_be_chosen() -> None:
    kinds = {SOFTWARE: VaultKind.SOFTWARE, "hsm": VaultKind.PKCS11}
    assert VaultChoice(kinds).names == (SOFTWARE, "hsm")
    strict = VaultChoice(kinds, approved_mode=True)
    assert strict.names == ("hsm",)
    assert strict.kind("hsm") is VaultKind.PKCS11
    for name, rule in ((SOFTWARE, "approved.vault"), ("nobody", "vault.unknown")):
        with pytest.raises(BadRequest) as caught:
            strict.kind(name)
        assert caught.value.rule == rule


def test_managed_keys_are_judged_too(signer: Signer) -> None:
    """TDES is made no more and protects nothing; what it protects is read, to be moved."""
    keys, who = signer.managed.operations, KeyAuthority("alice")
    for kind in (KeyKind.TDES_168, KeyKind.AES_256):
        rules = KeyRules(USES_OF[kind.family])
        new = NewKey(f"old-{kind}", SOFTWARE, kind, rules, KeyDates(1, 1))
        signer.managed.movement.generate(new, who)
    mac = keys.mac("old-tdes-168", b"data", who)
    passed = [True]
    mode = ApprovedMode(signer._vault, tests=lambda: [Probe("SHA-2", passed[0], "", 1)])
    signer.managed.boundary.approve = mode.judge_managed
    new = NewKey("new", SOFTWARE, KeyKind.TDES_112, KeyRules(frozenset()), KeyDates(1))
    for refused in (
        lambda: signer.managed.movement.generate(new, who),
        lambda: keys.mac("old-tdes-168", b"data", who),
    ):
        with pytest.raises(SignerRefused) as caught:
            refused()
        assert caught.value.rule == "approved.algorithm"
    assert keys.check_mac("old-tdes-168", b"data", mac, who)
    seal = keys.encrypt("old-aes-256", b"plain", b"", who)
    passed[0] = False
    mode.test()
    with pytest.raises(Unavailable) as stopped:
        keys.decrypt("old-aes-256", seal, b"", who)
    assert stopped.value.rule == "approved.self-test"
