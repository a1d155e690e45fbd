"""Managed keys on a token, against the same done by pyca with the same key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    aes_key_unwrap,
    aes_key_wrap,
    aes_key_wrap_with_padding,
)
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm
from chancery.domain.errors import AlreadyExists, BadKey, BadRequest, NotFound, SignerRefused
from chancery.domain.managed_key import Exportability, KeyKind, KeyRules, KeyUse
from chancery.signer import vault
from chancery.signer.managed import material
from chancery.signer.managed.secrets import SecretVault
from chancery.signer.managed.software import SoftwareSecret
from chancery.signer.pkcs11.vault import Pkcs11Settings, TokenHolder
from chancery.signer.unseal.key_file import KeyFile
from chancery.wire import key_wrap
from support.softhsm import MODULE, SoftHsm

SECRET = [KeyKind.AES_256, KeyKind.TDES_112, KeyKind.TDES_168, KeyKind.HMAC_SHA512]
PAIRS = [KeyKind.RSA_2048, KeyKind.EC_P256, KeyKind.ED25519]
DATA = KeyRules(frozenset({KeyUse.ENCRYPT, KeyUse.DECRYPT}))
WRAPPING = KeyRules(frozenset({KeyUse.WRAP, KeyUse.UNWRAP}))
SIGNING = KeyRules(frozenset({KeyUse.SIGN}))
DERIVING = KeyRules(frozenset({KeyUse.DERIVE}))
MACS = KeyRules(frozenset({KeyUse.MAC}))


class Place:
    """A token with managed keys; OpenSC looks at it."""

    def __init__(self, hsm: SoftHsm, holder: TokenHolder) -> None:
        self.hsm = hsm
        self.holder = holder
        self.vault: SecretVault = holder.secrets

    def seen(self, handle: str, kind: str = "privkey") -> str:
        """What pkcs11-tool says of its use."""
        listed = self.hsm.tool("--list-objects", "--type", kind)
        (after,) = listed.split(f"label:      {handle}\n")[1:]
        return after.partition("Usage:")[2].partition("\n")[0].strip()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home: Path = tmp_path_factory.mktemp("secrets")
    hsm = SoftHsm.create(home / "hsm")
    pin = hsm.add("hsm")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = hsm.environment["SOFTHSM2_CONF"]
    key = home / "unseal.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(32))
    vault.create(home / "vault", KeyFile(key))
    sealed = vault.open_vault(home / "vault", KeyFile(key))
    holder = TokenHolder(Pkcs11Settings("hsm", MODULE, "hsm", pin_file=pin), home, sealed)
    yield Place(hsm, holder)
    holder.close()
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture
def places(place: Place) -> SecretVault:
    return place.vault


@pytest.mark.parametrize("kind", SECRET)
def test_a_key_that_was_brought_is_the_same_key(places: SecretVault, kind: KeyKind) -> None:
    octets = material.make(kind)
    software = SoftwareSecret(kind, octets)
    facts = places.insert(f"in-{kind}", kind, octets, MACS)
    assert facts == software.facts
    assert places.get(f"in-{kind}").mac(b"data") == software.mac(b"data")


def test_encrypts_as_others_do(places: SecretVault) -> None:
    octets = material.make(KeyKind.AES_256)
    places.insert("cipher", KeyKind.AES_256, octets, DATA)
    secret, nonce = places.get("cipher"), os.urandom(12)
    sealed = secret.encrypt(nonce, b"plain", b"aad")
    assert AESGCM(octets).decrypt(nonce, sealed, b"aad") == b"plain"
    assert secret.decrypt(nonce, sealed, b"aad") == b"plain"
    with pytest.raises(BadRequest) as caught:
        secret.decrypt(nonce, sealed, b"other")
    assert caught.value.rule == "ciphertext.altered"
    assert secret.decrypt(nonce, sealed, b"aad") == b"plain"  # the circuit is still closed


def test_wraps_as_others_do(places: SecretVault) -> None:
    octets = material.make(KeyKind.AES_256)
    places.insert("wrapper", KeyKind.AES_256, octets, WRAPPING)
    secret, inner = places.get("wrapper"), os.urandom(32)
    assert aes_key_unwrap(octets, secret.wrap("aes-kw", inner)) == inner
    wrapped = aes_key_wrap_with_padding(bytes(octets), inner)
    assert secret.unwrap("aes-kwp", wrapped) == inner
    with pytest.raises(BadRequest):
        secret.unwrap("aes-kwp", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    with pytest.raises(BadRequest, match="does not wrap"):
        secret.wrap("rsa-oaep-sha256", inner)


@pytest.mark.parametrize("kind", [KeyKind.AES_128, KeyKind.TDES_168, KeyKind.HMAC_SHA384])
def test_makes_keys(places: SecretVault, kind: KeyKind) -> None:
    facts = places.generate(f"made-{kind}", kind, MACS)
    assert places.get(f"made-{kind}").facts == facts
    with pytest.raises(AlreadyExists):
        places.generate(f"made-{kind}", kind, MACS)
    with pytest.raises(SignerRefused, match="does not leave"):
        places.get(f"made-{kind}").reveal()
    places.destroy(f"made-{kind}")
    with pytest.raises(NotFound):
        places.get(f"made-{kind}")


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_that_were_brought(places: SecretVault, kind: KeyKind) -> None:
    octets = material.make(kind)
    facts = places.insert(f"in-{kind}", kind, octets, SIGNING)
    assert facts == SoftwareSecret(kind, octets).facts
    pair = places.get(f"in-{kind}")
    assert pair.sign(SIGNATURES_OF[KeyAlgorithm(kind)][0], b"data")


@pytest.mark.parametrize("kind", PAIRS[:2])
def test_attributes_are_the_uses(place: Place, kind: KeyKind) -> None:
    """A key that signs does nothing else, and none but a signing key signs."""
    signs = place.vault.generate(f"signs-{kind}", kind, SIGNING)
    assert place.vault.get(f"signs-{kind}").facts == signs
    assert place.seen(f"signs-{kind}") == "sign"
    other, usage = (
        (WRAPPING, "decrypt, unwrap") if kind is KeyKind.RSA_2048 else (DERIVING, "derive")
    )
    place.vault.generate(f"other-{kind}", kind, other)
    assert place.seen(f"other-{kind}") == usage
    with pytest.raises(SignerRefused, match="KEY_FUNCTION_NOT_PERMITTED"):
        place.vault.get(f"other-{kind}").sign(SIGNATURES_OF[KeyAlgorithm(kind)][0], b"data")


def test_secret_keys_have_the_attributes_of_their_uses(place: Place) -> None:
    for handle, rules, usage in (
        ("enc-only", DATA, "encrypt, decrypt, verify"),
        ("wrap-only", WRAPPING, "verify, wrap, unwrap"),
        ("mac-only", MACS, "verify"),
    ):
        place.vault.generate(handle, KeyKind.AES_256, rules)
        assert sorted(place.seen(handle, "secrkey").split(", ")) == sorted(usage.split(", "))


def test_rsa_opens_what_others_wrapped(places: SecretVault) -> None:
    """SoftHSM has OAEP with SHA-1 alone: the bare operation, and the encoding here."""
    facts = places.generate("opener", KeyKind.RSA_2048, WRAPPING)
    public = load_der_public_key(facts.spki)
    assert isinstance(public, rsa.RSAPublicKey)
    pair, long = places.get("opener"), os.urandom(600)
    for method, octets in (
        (key_wrap.OAEP, b""),
        (key_wrap.OAEP, long[:32]),
        (key_wrap.RSA_AES, long),
    ):
        wrapped = key_wrap.wrap_public(method, public, octets, os.urandom(32))
        assert pair.unwrap(method, wrapped) == octets
        assert pair.unwrap(method, pair.wrap(method, octets)) == octets
        for broken in (
            wrapped[:-1] + bytes([wrapped[-1] ^ 1]), wrapped[:-1], wrapped + b"x", b"",
            bytes([wrapped[0] ^ 1]) + wrapped[1:], b"\xff" * len(wrapped),
        ):  # fmt: skip
            with pytest.raises(BadRequest) as caught:
                pair.unwrap(method, broken)
            assert caught.value.rule == "wrap.closed"
    assert pair.unwrap(key_wrap.OAEP, pair.wrap(key_wrap.OAEP, b"x")) == b"x"
    with pytest.raises(BadRequest, match="no way to wrap"):
        pair.unwrap("aes-kw", bytes(256))


def test_a_wrapped_key_goes_in_without_being_in_clear(place: Place) -> None:
    kek = material.make(KeyKind.AES_256)
    place.vault.insert("kek", KeyKind.AES_256, kek, WRAPPING)
    for kind in (KeyKind.AES_128, KeyKind.HMAC_SHA256):
        octets = material.make(kind)
        wrapped = aes_key_wrap(bytes(kek), bytes(octets))
        handle = f"direct-{kind}"
        facts = place.vault.unwrap_into("kek", "aes-kw", wrapped, handle, kind, MACS)
        assert facts == SoftwareSecret(kind, octets).facts
        assert "encrypt" not in place.seen(handle, "secrkey")
        with pytest.raises(AlreadyExists):
            place.vault.unwrap_into("kek", "aes-kw", wrapped, handle, kind, MACS)
    with pytest.raises(BadRequest):
        place.vault.unwrap_into("kek", "aes-kw", bytes(24), "no", KeyKind.AES_128, MACS)
    short = aes_key_wrap(bytes(kek), bytes(range(16)))
    with pytest.raises(BadKey, match="has 32 octets, not 16"):
        place.vault.unwrap_into("kek", "aes-kw", short, "no", KeyKind.AES_256, MACS)
    assert place.vault.unwrap_into("kek", "x", b"", "no", KeyKind.AES_128, MACS) is None
    with pytest.raises(NotFound):
        place.vault.get("no")


@pytest.mark.parametrize("kind", [KeyKind.EC_P256, KeyKind.EC_P521])
def test_agrees_as_others_do(places: SecretVault, kind: KeyKind) -> None:
    octets = material.make(kind)
    places.insert(f"agree-{kind}", kind, octets, DERIVING)
    pair, software = places.get(f"agree-{kind}"), SoftwareSecret(kind, octets)
    for _ in range(3):
        peer = SoftwareSecret(kind, material.make(kind)).facts.spki
        assert pair.agree(peer) == software.agree(peer)
    for wrong in (SoftwareSecret(KeyKind.EC_P384, material.make(KeyKind.EC_P384)).facts.spki, b"x"):
        with pytest.raises(BadKey, match="same curve"):
            pair.agree(wrong)


def test_bare_rsa(places: SecretVault) -> None:
    """As EMV's certificates want it: the same number from the token, from us, from the formula."""
    octets = material.make(KeyKind.RSA_2048)
    places.insert("emv", KeyKind.RSA_2048, octets, SIGNING)
    software = SoftwareSecret(KeyKind.RSA_2048, octets)
    public = load_der_public_key(software.facts.spki)
    assert isinstance(public, rsa.RSAPublicKey)
    block = b"\x6a" + os.urandom(254) + b"\xbc"
    block = min(block, public.public_numbers().n.to_bytes(256)) if block[0] >= 0x80 else block
    made = places.get("emv").raw_rsa(block)
    assert made == software.raw_rsa(block)
    numbers = public.public_numbers()
    assert pow(int.from_bytes(made), numbers.e, numbers.n).to_bytes(256) == block
    for wrong in (block[:-1], b"\xff" * 256):
        with pytest.raises(BadRequest):
            places.get("emv").raw_rsa(wrong)
        with pytest.raises(BadRequest):
            software.raw_rsa(wrong)


def test_what_a_pair_does_not_do(places: SecretVault) -> None:
    places.generate("pair", KeyKind.EC_P256, SIGNING)
    pair = places.get("pair")
    for refused in (
        lambda: pair.unwrap("rsa-oaep-sha256", b""),
        lambda: pair.wrap("rsa-oaep-sha256", b""),
        lambda: pair.encrypt(bytes(12), b"", b""),
        lambda: pair.decrypt(bytes(12), b"", b""),
        lambda: pair.mac(b""),
        lambda: pair.raw_rsa(b""),
        lambda: pair.sign("rsa-pss-nothing", b""),
    ):
        with pytest.raises(BadRequest, match="does not"):
            refused()
    assert isinstance(load_der_public_key(pair.facts.spki), ec.EllipticCurvePublicKey)


def test_nothing_on_a_token_is_extractable(places: SecretVault) -> None:
    rules = KeyRules(frozenset(), Exportability.SENSITIVE)
    with pytest.raises(SignerRefused, match="never leaves"):
        places.generate("open", KeyKind.AES_128, rules)
