"""Keys of doors in the signer: what they refuse, and what the journal says of them."""

from pathlib import Path

import pytest

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import SignerRefused
from chancery.domain.keys import KeyPurpose, KeyTransport
from chancery.signer.journal import Operation
from chancery.signer.journal_format import read
from chancery.signer.service import Signer
from chancery.wire import der

MESSAGE = der.set_of(der.sequence(der.oid("1.2.840.113549.1.9.3")))


def test_one_entry_a_second_counts_what_a_key_did(signer: Signer, home: Path) -> None:
    signer.generate("door", KeyAlgorithm.RSA_2048, KeyPurpose.DOOR)
    for _ in range(3):
        signer.sign_message("door", SignatureAlgorithm.RSA_PKCS1_SHA256, MESSAGE)
    signer.decrypt("door", KeyTransport.PKCS1, bytes(256))
    signer.close()
    found = {
        entry.operation: entry.detail for entry in read(home / "journal") if entry.key_id == "door"
    }
    assert found[Operation.MESSAGE] == {"signatures": "3"}
    assert found[Operation.DECRYPTED] == {"decryptions": "1"}


def test_approved_mode_has_neither_sha1_nor_pkcs1_key_transport(signer: Signer) -> None:
    signer.generate("door", KeyAlgorithm.RSA_2048, KeyPurpose.DOOR)
    signer.desk.approved_mode = True
    with pytest.raises(SignerRefused, match="SHA-1"):
        signer.sign_legacy_message("door", MESSAGE)
    with pytest.raises(SignerRefused, match="PKCS#1"):
        signer.decrypt("door", KeyTransport.PKCS1, bytes(256))
    assert signer.decrypt("door", KeyTransport.OAEP_SHA256, bytes(256))


def test_a_curve_key_signs_messages_and_opens_none(signer: Signer) -> None:
    signer.generate("curve", KeyAlgorithm.EC_P256, KeyPurpose.DOOR)
    assert signer.sign_message("curve", SignatureAlgorithm.ECDSA_SHA256, MESSAGE)
    with pytest.raises(SignerRefused, match="RSA"):
        signer.decrypt("curve", KeyTransport.PKCS1, bytes(256))
    with pytest.raises(SignerRefused, match="RSA"):
        signer.sign_legacy_message("curve", MESSAGE)
