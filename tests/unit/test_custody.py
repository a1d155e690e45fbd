"""Custodians: who holds what, shares as letters, and a vault that M of N open."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.custody import Custodian, CustodyPurpose, Standing
from chancery.domain.errors import BadRequest, CAError, Conflict, Unavailable
from chancery.domain.keys import KeyPurpose
from chancery.signer import keypair
from chancery.signer.holders import software_key
from chancery.signer.unseal.custodians import Founding, Gathered, share_set_of
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create, open_vault, read_header, reseal
from chancery.wire import custody

NAMES = ("ada", "grace", "linus", "mary", "alan")
PEOPLE = tuple(map(Custodian, NAMES))
SECRET = bytes(range(32))
SET, WORDS = custody.split(
    SECRET, PEOPLE, threshold=3, purpose=CustodyPurpose.OFFLINE_STORE, now=1_700_000_000
)


def given(*names: str) -> list[str]:
    return [WORDS[name] for name in names]


def test_a_set_survives_its_document() -> None:
    assert custody.from_document(custody.to_document(SET)) == SET
    for document in ({}, {"format": custody.FORMAT}, custody.to_document(SET) | {"holders": 7}):
        with pytest.raises(BadRequest):
            custody.from_document(document)


def test_three_of_five() -> None:
    assert custody.combine(SET, given("mary", "ada", "linus")) == SECRET
    with pytest.raises(Conflict, match="1 more share needed"):
        custody.combine(SET, given("mary", "ada"))


def test_a_share_says_whose_it_is() -> None:
    holder, words = custody.recognise(SET, WORDS["grace"].upper())
    assert (holder.name, holder.number, words) == ("grace", 2, WORDS["grace"])


def test_a_share_of_another_set_is_named() -> None:
    _, other = custody.split(
        SECRET, PEOPLE, threshold=3, purpose=CustodyPurpose.OFFLINE_STORE, now=1
    )
    with pytest.raises(Conflict, match="of set") as caught:
        custody.combine(SET, [WORDS["ada"], other["grace"], WORDS["mary"]])
    assert (caught.value.field, caught.value.rule) == ("shares[2]", "shares.other-set")


def test_a_share_is_known_by_its_hash() -> None:
    edited = replace(SET, holders=(replace(SET.holders[0], commitment="00"), *SET.holders[1:]))
    with pytest.raises(Conflict, match="share 1 of set") as caught:
        custody.recognise(edited, WORDS["ada"])
    assert caught.value.rule == "shares.forged"


def test_nobody_holds_two() -> None:
    twice = (*PEOPLE[:3], Custodian("ada"))
    with pytest.raises(Conflict, match="ada would hold two shares") as caught:
        custody.split(SECRET, twice, threshold=2, purpose=CustodyPurpose.VAULT, now=0)
    assert caught.value.rule == "custody.one-share"
    key = rsa_pem()
    same = (Custodian("ada", key), Custodian("eve", key + "\n"), Custodian("mary"))
    with pytest.raises(Conflict, match="one person, two shares"):
        custody.split(SECRET, same, threshold=2, purpose=CustodyPurpose.VAULT, now=0)
    ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbNZUAAld4W6sJ7Z8YMaTKhj4lCb/BNalfpnSuLYBDW"
    same = (Custodian("ada", ssh), Custodian("eve", f"{ssh} eve@home"), Custodian("mary"))
    with pytest.raises(Conflict, match="one person, two shares"):
        custody.split(SECRET, same, threshold=2, purpose=CustodyPurpose.VAULT, now=0)


@pytest.mark.parametrize("name", ["", "Ada", "a b", "-a", "a" * 65, "../x"])
def test_refuses_a_name_that_is_none(name: str) -> None:
    with pytest.raises(BadRequest):
        Custodian(name)


def test_standing_says_who_is_needed() -> None:
    standing = Standing(SET, ("ada",))
    assert standing.missing == 2
    assert standing.others == ("grace", "linus", "mary", "alan")


def test_paper_is_read_back() -> None:
    name, text = custody.letter(WORDS["ada"], PEOPLE[0], SET)
    assert name == "ada.share.txt"
    assert b"3 of 5 open it" in text
    assert custody.words_of(text.decode()) == WORDS["ada"]
    assert custody.words_of(WORDS["ada"] + "\n") == WORDS["ada"]


def rsa_pem(bits: int = 3072) -> str:
    return private(bits).public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip


def private(bits: int = 3072) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def test_openssl_opens_a_letter_to_an_rsa_key(tmp_path: Path) -> None:
    key = private()
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    name, sealed = custody.letter(WORDS["ada"], Custodian("ada", public.decode()), SET)
    (tmp_path / name).write_bytes(sealed)
    done = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", name,
         "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == WORDS["ada"]


def test_age_opens_a_letter_to_an_age_recipient(tmp_path: Path) -> None:
    assert shutil.which("age"), "Debian's age is needed"
    subprocess.run(["age-keygen", "-o", "key"], cwd=tmp_path, capture_output=True, check=True)
    recipient = subprocess.run(
        ["age-keygen", "-y", "key"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.strip()
    name, sealed = custody.letter(WORDS["mary"], Custodian("mary", recipient), SET)
    (tmp_path / name).write_bytes(sealed)
    done = subprocess.run(
        ["age", "-d", "-i", "key", name], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert custody.words_of(done.stdout) == WORDS["mary"]


@pytest.mark.parametrize("key", ["age1nothing", "ssh-ed25519 AAAA", "-----BEGIN X-----", "text"])
def test_refuses_a_key_that_nothing_is_encrypted_to(key: str) -> None:
    people = (Custodian("ada", key), Custodian("mary"))
    with pytest.raises(BadRequest) as caught:
        custody.split(SECRET, people, threshold=2, purpose=CustodyPurpose.VAULT, now=0)
    assert caught.value.rule == "custodian.recipient"


def test_a_weak_rsa_key_is_refused() -> None:
    with pytest.raises(BadRequest, match="3072"):
        custody.check_recipient(Custodian("ada", rsa_pem(2048)))


def test_a_vault_changes_hands_and_keeps_its_keys(tmp_path: Path) -> None:
    """Key file -> custodians -> other custodians; each change ends the one before."""
    key = tmp_path / "unseal.key"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    home = tmp_path / "vault"
    create(home, KeyFile(key))
    vault = open_vault(home, KeyFile(key))
    made = keypair.make(KeyAlgorithm.EC_P256)
    vault.add(
        "ca", software_key(made, KeyAlgorithm.EC_P256), KeyPurpose.AUTHORITY, 1, lambda _: None
    )
    vault.close()

    first = Founding(PEOPLE, 3, CustodyPurpose.VAULT)
    reseal(home, KeyFile(key), first)
    assert share_set_of(read_header(home)["metadata"]["parameters"]) == first.share_set
    with pytest.raises(Unavailable) as caught:
        open_vault(home, KeyFile(key))
    assert caught.value.rule == "unseal.kind"
    three = [first.words[name] for name in ("ada", "mary", "alan")]
    with pytest.raises(Conflict, match="1 more share needed"):
        open_vault(home, Gathered(three[:2]))

    second = Founding((*PEOPLE[1:], Custodian("eva")), 2, CustodyPurpose.VAULT)
    reseal(home, Gathered(three), second)
    with pytest.raises(Conflict, match="of set"):
        open_vault(home, Gathered(three))
    opened = open_vault(home, Gathered([second.words["eva"], second.words["grace"]]))
    assert opened.get("ca").held.spki == keypair.spki(made)
    opened.close()


def test_an_edited_set_does_not_open_the_vault(tmp_path: Path) -> None:
    """The set is authenticated with the master key: no name in it can be changed."""
    founding = Founding(PEOPLE, 2, CustodyPurpose.VAULT)
    create(tmp_path / "vault", founding)
    header = tmp_path / "vault" / "vault.json"
    header.write_text(header.read_text().replace("linus", "mallo"))
    with pytest.raises(CAError) as caught:
        open_vault(tmp_path / "vault", Gathered([founding.words["ada"], founding.words["mary"]]))
    assert caught.value.rule == "unseal.wrong"
