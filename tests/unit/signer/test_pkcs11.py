"""Keys on a PKCS#11 token: what a vault promises, on SoftHSM, judged by OpenSC."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import AlreadyExists, BadKey, NotFound, SignerRefused, Unavailable
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.vaults import VaultState
from chancery.signer import keypair, vault
from chancery.signer.holders import Held
from chancery.signer.pkcs11 import signing as pkcs11_signing
from chancery.signer.pkcs11.vault import Pkcs11Settings, TokenHolder, token_settings
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import Vault
from support.softhsm import MODULE, PIN, SoftHsm

KINDS = tuple(
    algorithm for algorithm in KeyAlgorithm if not algorithm.value.startswith(("ml-", "rsa-4"))
)
CURVE = SignatureAlgorithm.ECDSA_SHA256


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """One module, two tokens; SoftHSM reads its configuration when it is initialised."""
    made = SoftHsm.create(tmp_path_factory.mktemp("hsm"))
    made.add("hsm")
    made.add("other")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = made.environment["SOFTHSM2_CONF"]
    yield made
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    home = tmp_path_factory.mktemp("sealed")
    secret = home / "unseal.key"
    secret.touch(0o600)
    secret.write_bytes(os.urandom(32))
    vault.create(home / "vault", KeyFile(secret))
    return vault.open_vault(home / "vault", KeyFile(secret))


class Open:
    """Opens holders, and closes them at the end."""

    def __init__(self, hsm: SoftHsm, sealed: Vault, stack: ExitStack) -> None:
        self._hsm, self._sealed, self._stack = hsm, sealed, stack

    def __call__(
        self, name: str = "hsm", *, label: str | None = "", **changes: object
    ) -> TokenHolder:
        pin = self._hsm.home / f"{name}.pin"
        settings = Pkcs11Settings(name, MODULE, name if label == "" else label, pin_file=pin)
        holder = TokenHolder(
            replace(settings, **changes),
            self._sealed.directory,
            self._sealed,  # type: ignore[arg-type]
        )
        self._stack.callback(holder.close)
        return holder


@pytest.fixture
def opened(hsm: SoftHsm, sealed: Vault) -> Iterator[Open]:
    with ExitStack() as stack:
        yield Open(hsm, sealed, stack)


@pytest.fixture
def holder(opened: Open) -> TokenHolder:
    return opened()


def reopened(holder: TokenHolder, held: Held, key_id: str) -> Held:
    """As after a start: all that is known is what was sealed."""
    info = KeyInfo(key_id, held.algorithm, KeyPurpose.AUTHORITY, held.spki, 0, holder.name)
    return holder.open(held.sealed_form(), info)


def eventually(holder: TokenHolder, state: VaultState) -> None:
    end = time.monotonic() + 15
    while holder.standing().state is not state:
        assert time.monotonic() < end, holder.standing()
        time.sleep(0.01)


@pytest.mark.parametrize("algorithm", KINDS)
def test_signs_in_every_way(holder: TokenHolder, algorithm: KeyAlgorithm) -> None:
    made = holder.make(f"made-{algorithm}", algorithm, KeyPurpose.AUTHORITY)
    assert set(reopened(holder, made, "any").ways) == set(SIGNATURES_OF[algorithm])
    for way in reopened(holder, made, "any").ways.values():
        way.verify(way.sign(b"data"), b"data")
        with pytest.raises(Unavailable, match="did not verify"):
            way.verify(way.sign(b"data"), b"others")


@pytest.mark.parametrize("algorithm", KINDS)
def test_takes_keys_in(holder: TokenHolder, algorithm: KeyAlgorithm) -> None:
    private = keypair.make(algorithm)
    taken = holder.take_in(f"taken-{algorithm}", keypair.pkcs8(private))
    assert taken.spki == keypair.spki(private)
    next(iter(taken.ways.values()))(b"data")


def test_pkcs11_tool_sees_the_right_attributes(holder: TokenHolder, hsm: SoftHsm) -> None:
    holder.make("looked-at", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    listed = hsm.tool("--list-objects", "--type", "privkey", "--label", "looked-at")
    (key,) = [one for one in listed.split("Private Key Object") if "looked-at" in one]
    assert "Usage:      sign\n" in key
    assert "Access:     sensitive, always sensitive, never extractable, local" in key
    (ours,) = [one for one in holder.contents() if one.label == "looked-at"]
    assert "extractable" not in ours.attributes
    assert ours.object_id in key


def test_a_name_is_given_once(holder: TokenHolder) -> None:
    holder.make("once", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    with pytest.raises(AlreadyExists) as caught:
        holder.make("once", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    assert caught.value.rule == "vault.label"


def test_what_no_token_does_is_refused(holder: TokenHolder) -> None:
    with pytest.raises(SignerRefused, match="never leave"):
        holder.make("subject", KeyAlgorithm.EC_P256, KeyPurpose.SUBJECT)
    with pytest.raises(SignerRefused, match="no token makes"):
        holder.make("pq", KeyAlgorithm.ML_DSA_44, KeyPurpose.AUTHORITY)
    with pytest.raises(BadKey):
        holder.take_in("pq", keypair.pkcs8(keypair.make(KeyAlgorithm.ML_DSA_44)))
    assert holder.standing().state is VaultState.UP


def test_a_key_made_by_other_means_is_found(holder: TokenHolder, hsm: SoftHsm) -> None:
    how = ("--keypairgen", "--key-type", "EC:prime256v1", "--label", "theirs", "--id")
    hsm.tool(*how, "0a0b", "--usage-sign", "--sensitive")
    assert holder.find("theirs", "").kept == holder.find("theirs", "0a0b").kept
    holder.find("theirs", "").ways[CURVE](b"data")
    assert "decrypt" not in hsm.tool("--list-objects", "--type", "privkey", "--label", "theirs")
    hsm.tool(*how, "0c0d", "--usage-sign", "--sensitive")
    with pytest.raises(SignerRefused, match="2 private keys"):
        holder.find("theirs", "")
    with pytest.raises(NotFound):
        holder.find("nobody's", "")
    with pytest.raises(Unavailable, match="no key with label") as caught:
        holder.find("theirs", "ffff")
    assert caught.value.rule == "vault.key-missing"
    hsm.tool(*how, "0a0b", "--usage-sign", "--sensitive")
    with pytest.raises(Unavailable, match="has 2 keys with label theirs and id 0a0b") as two:
        holder.find("theirs", "0a0b")
    assert two.value.rule == "vault.key-ambiguous"
    hsm.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "loose", "--extractable")
    with pytest.raises(SignerRefused, match="may leave"):
        holder.find("loose", "")


def test_another_key_under_the_name_signs_nothing(opened: Open, hsm: SoftHsm) -> None:
    """The wrong token, or a handle that stands for something else now: I22."""
    for verify in (True, False):
        holder, name = opened(verify=verify), f"swapped-{verify}"
        mine = holder.make(name, KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
        (key,) = [one for one in holder.contents() if one.label == name]
        for kind in ("privkey", "pubkey"):
            hsm.tool("--delete-object", "--type", kind, "--label", name)
        hsm.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", name,
                 "--id", key.object_id, "--usage-sign")  # fmt: skip
        holder.close()
        with pytest.raises(Unavailable, match="another key") as caught:
            reopened(opened(verify=verify), mine, name).ways[CURVE](b"data")
        assert caught.value.rule == "vault.wrong-key"


def test_eight_threads(holder: TokenHolder) -> None:
    ways = [
        next(iter(holder.make(f"thread-{a}", a, KeyPurpose.AUTHORITY).ways.values()))
        for a in (KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048)
    ]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: ways[n % 2](b"%d" % n), range(400)))
    assert len(set(made)) == 400
    standing = holder.standing()
    assert (standing.busy, standing.failures, standing.lost) == (0, 0, 0)
    assert standing.signatures == 400


def test_a_token_that_is_pulled_out_comes_back(opened: Open, hsm: SoftHsm) -> None:
    """Under load: what does not come is refused at once, and it heals by itself."""
    holder, other = opened(), opened("other")
    way = holder.make("pulled", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY).ways[CURVE]
    theirs = other.make("pulled", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY).ways[CURVE]
    done = False
    refused: list[float] = []

    def keep_signing() -> int:
        count = 0
        while not done:
            started = time.monotonic()
            try:
                way(b"data")
                count += 1
            except Unavailable:
                refused.append(time.monotonic() - started)
                time.sleep(0.002)
        return count

    with ThreadPoolExecutor(8) as pool:
        counts = [pool.submit(keep_signing) for _ in range(8)]
        try:
            for _ in range(2):
                hsm.remove()
                eventually(holder, VaultState.AWAY)
                hsm.put_back()
                eventually(holder, VaultState.UP)
        finally:
            done = True
        assert sum(one.result() for one in counts) > 0
    way(b"data")
    eventually(other, VaultState.UP)
    theirs(b"data")
    assert refused
    assert sorted(refused)[len(refused) // 2] < 0.05
    assert holder.standing().lost == 2


def test_a_wrong_pin_is_sent_once(opened: Open, hsm: SoftHsm, sealed: Vault) -> None:
    """Not again by the keeper, and not after a start; then the right one works."""
    bad = hsm.pin_file("wrong", "666666")
    for _ in range(3):  # three starts of a signer
        holder = opened(pin_file=bad)
        assert holder.standing().state is VaultState.PIN_REFUSED
        with pytest.raises(Unavailable) as caught:
            holder.make("never", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
        assert caught.value.rule == "vault.pin-refused"
        holder.close()
    note = sealed.directory / "hsm.pin-refused"
    assert b"666666" not in note.read_bytes()
    bad.write_text(PIN)
    assert opened(pin_file=bad).standing().state is VaultState.UP
    assert not note.exists()


def test_a_pin_that_somebody_types(opened: Open) -> None:
    holder = opened(pin_file=None)
    assert holder.standing().state is VaultState.PIN_WANTED
    with pytest.raises(Unavailable, match="refused"):
        holder.unlock(bytearray(b"000000"))
    assert holder.standing().state is VaultState.PIN_REFUSED
    holder.unlock(bytearray(PIN.encode()))
    assert holder.standing().state is VaultState.UP


def test_a_token_is_named_by_serial_too(opened: Open) -> None:
    holder = opened()
    assert holder.token.facts is not None
    serial = holder.token.facts.serial
    assert opened(label=None, serial=serial).standing().state is VaultState.UP
    standing = opened(serial="another").standing()
    assert (standing.state, standing.reason) == (VaultState.AWAY, "no token 'another' in its slots")


def test_a_module_that_is_none(opened: Open, tmp_path: Path) -> None:
    standing = opened(module=tmp_path / "missing.so").standing()
    assert standing.state is VaultState.AWAY
    assert "missing.so" in (standing.reason or "")


def test_everything_is_tried(holder: TokenHolder) -> None:
    before = len(holder.contents())
    probes = holder.probe()
    assert [one.name for one in probes if not one.passed] == []
    assert len(probes) == 5
    assert len(holder.contents()) == before


def test_settings_as_the_application_writes_them() -> None:
    text = '{"name": "a", "module": "/m.so", "token": "t", "serial": null, "pin_file": "/p"}'
    assert token_settings(text) == Pkcs11Settings("a", Path("/m.so"), "t", pin_file=Path("/p"))


def test_a_batch_is_spread_and_each_answer_is_its_own(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turns so short that every signature is one; a batch larger than a run; and one refused."""
    holder = opened()
    way = holder.make("batch", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY).ways[CURVE]
    data = [b"%d" % n for n in range(50)]
    assert way.spread is not None
    for turn in (pkcs11_signing.TURN_S, 0.0):
        monkeypatch.setattr(pkcs11_signing, "TURN_S", turn)
        made = way.spread(way, data)
        for one, its_data in zip(made, data, strict=True):
            assert isinstance(one, bytes)
            way.verify(one, its_data)
    held = holder.make("gone", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    holder.forget(held)
    lost = held.ways[CURVE].spread(held.ways[CURVE], data)  # type: ignore[misc]
    assert {getattr(one, "rule", None) for one in lost} == {"vault.key-missing"}
    assert holder.standing().failures == 50
