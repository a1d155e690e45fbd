"""Keys made here for those who cannot make their own (RFC 9483 §4.1.6).

A key travels signed by the door and encrypted for whoever asked: for the
certificate that signed the request, or under the secret that protected it.
"""

from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadKey, NotPermitted
from chancery.ports import Entropy
from chancery.protocols.cmp.replies import ALGORITHM, Keys, Signs
from chancery.protocols.cmp.talk import Asked
from chancery.services.enrolment import CredentialService, EnrolmentDesk, Standing
from chancery.wire import cms, cms_writing, der, est_keys
from chancery.wire import cms_algorithms as alg
from chancery.wire.key_kinds import IDENTIFIERS

_RSA: Final = "1.2.840.113549.1.1.1"
_KINDS: Final = {identifier: kind for kind, identifier in IDENTIFIERS.items()}
_CIPHER: Final = alg.ContentCipher.AES_256


class KeyDelivery:
    """See the module."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        credentials: CredentialService,
        keys: Keys,
        vault: Signs,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._credentials = credentials
        self._keys = keys
        self._vault = vault
        self._entropy = entropy

    def algorithm(self, asked: Asked, identifier: bytes | None) -> str:
        """Which key to make: what the request names, or the first that the door makes.

        Refuses what could not be delivered, before anything is issued.
        """
        offered = asked.settings.server_keys
        if not offered:
            raise BadKey(
                "the request holds no public key, and keys are not made at this door",
                field="certTemplate",
                rule="csr.key",
                remedy="make a key and put its public part into the request",
            )
        if asked.caller.certificate is not None:
            est_keys.check_recipient(asked.caller.certificate)
        wanted = [kind for kind in offered if _fits(kind, identifier)]
        if not wanted:
            raise NotPermitted(
                "keys of that kind are not made at this door",
                field="certTemplate",
                rule="cmp.server-key",
                remedy="it makes: " + ", ".join(offered),
            )
        return wanted[0]

    def sealed(self, asked: Asked, standing: Standing) -> bytes:
        """DER EnvelopedData of the key that was made for *standing*."""
        caller = asked.caller
        key = self._desk.release_key(asked.door, standing, caller.who, asked.origin)
        own = self._keys.of(asked.door)
        signed = cms_writing.signed(
            est_keys.package(key),
            (),
            cms.read_certificate(own.certificate),
            alg.Digest.SHA256,
            lambda data: self._vault.sign_message(own.key_id, ALGORITHM, data),
            certificates=[own.certificate],
            content_type=est_keys.KEY_PACKAGE,
        )
        if caller.certificate is not None:
            content = est_keys.for_certificate(signed, caller.certificate, _CIPHER, self._entropy)
        else:
            assert caller.credential is not None
            secret = self._credentials.secret_of(caller.credential)
            content = est_keys.for_password(signed, secret, _CIPHER, self._entropy)
        outer = der.Reader(der.single(content, der.SEQUENCE)[1])
        outer.read(der.OID)
        return outer.content(der.CONTEXT | der.CONSTRUCTED)


def _fits(kind: str, identifier: bytes | None) -> bool:
    """Whether a key of that kind is what the AlgorithmIdentifier asks for; None: any is."""
    if identifier is None:
        return True
    if kind.startswith("rsa-"):
        reader = der.Reader(der.single(identifier, der.SEQUENCE)[1])
        return der.decode_oid(reader.content(der.OID)) == _RSA
    return _KINDS.get(identifier) == KeyAlgorithm(kind)
