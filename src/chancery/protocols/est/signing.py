"""What the door itself signs: keys that were made here, and answers to CMC."""

from collections.abc import Sequence

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.door import Door
from chancery.ports import KeyVault
from chancery.services.enrolment import EnrolmentDesk
from chancery.services.enrolment.keys import DoorKeys
from chancery.wire import cms, cms_writing
from chancery.wire import cms_algorithms as alg


class Signing:
    """Signs by the key that the door has in the vault; its certificate names it a CMC RA."""

    def __init__(self, desk: EnrolmentDesk, keys: DoorKeys, vault: KeyVault) -> None:
        self._desk = desk
        self._keys = keys
        self._vault = vault

    def sign(
        self, door: Door, content_type: str, content: bytes, along: Sequence[bytes] = ()
    ) -> bytes:
        """ContentInfo with SignedData; the signer's chain and *along* (DER) go with it."""
        key = self._keys.of(door)
        algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
        chain = self._desk.issuers(door)
        return cms_writing.signed(
            content,
            (),
            cms.read_certificate(key.certificate),
            alg.Digest.SHA256,
            lambda data: self._vault.sign_message(key.key_id, algorithm, data),
            certificates=list(dict.fromkeys([key.certificate, *chain, *along])),
            content_type=content_type,
        )
