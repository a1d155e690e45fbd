"""Managed keys on a token, against the same done by pyca with the same key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap_with_padding

from chancery.domain.errors import AlreadyExists, BadRequest, NotFound, SignerRefused
from chancery.domain.managed_key import KeyKind
from chancery.signer import vault
from chancery.signer.managed import material
from chancery.signer.managed.secrets import SecretVault
from chancery.signer.managed.software import SoftwareSecret
from chancery.signer.pkcs11.vault import Pkcs11Settings, TokenHolder
from chancery.signer.unseal.key_file import KeyFile
from support.softhsm import MODULE, SoftHsm

SECRET = [kind for kind in KeyKind if kind.secret]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecretVault]:
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
    yield holder.secrets
    holder.close()
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.mark.parametrize("kind", SECRET)
def test_a_key_that_was_brought_is_the_same_key(places: SecretVault, kind: KeyKind) -> None:
    octets = material.make(kind)
    software = SoftwareSecret(kind, octets)
    facts = places.insert(f"in-{kind}", kind, octets, extractable=False)
    assert facts == software.facts
    assert places.get(f"in-{kind}").mac(b"data") == software.mac(b"data")


def test_encrypts_as_others_do(places: SecretVault) -> None:
    octets = material.make(KeyKind.AES_256)
    places.insert("cipher", KeyKind.AES_256, octets, extractable=False)
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
    places.insert("wrapper", KeyKind.AES_256, octets, extractable=False)
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
    facts = places.generate(f"made-{kind}", kind, extractable=False)
    assert places.get(f"made-{kind}").facts == facts
    with pytest.raises(AlreadyExists):
        places.generate(f"made-{kind}", kind, extractable=False)
    with pytest.raises(SignerRefused):
        places.get(f"made-{kind}").reveal()
    places.destroy(f"made-{kind}")
    with pytest.raises(NotFound):
        places.get(f"made-{kind}")


def test_pairs_sign(places: SecretVault) -> None:
    facts = places.generate("pair", KeyKind.EC_P256, extractable=False)
    pair = places.get("pair")
    assert pair.facts == facts
    assert pair.sign("ecdsa-sha256", b"data")
    with pytest.raises(BadRequest):
        pair.unwrap("rsa-oaep-sha256", b"")


def test_nothing_on_a_token_is_extractable(places: SecretVault) -> None:
    with pytest.raises(SignerRefused, match="never leaves"):
        places.generate("open", KeyKind.AES_128, extractable=True)
