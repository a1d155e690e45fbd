"""What is asked of the keys of doors: see ``door``."""

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.keys import KeyTransport
from chancery.signer.message import Message


class SignMessage(Message, frozen=True):
    key_id: str
    algorithm: SignatureAlgorithm
    data: bytes


class SignLegacyMessage(Message, frozen=True):
    """RSA PKCS#1 v1.5 over SHA-1: for SCEP clients that know nothing newer."""

    key_id: str
    data: bytes


class Decrypt(Message, frozen=True):
    key_id: str
    transport: KeyTransport
    ciphertext: bytes


DoorRequest = SignMessage | SignLegacyMessage | Decrypt
