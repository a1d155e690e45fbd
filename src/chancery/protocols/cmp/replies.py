"""What goes out: protected in the way of what came in (RFC 9810 §5.1.3).

With the same secret and parameters, so that nothing is stretched twice, or by
a signature of the door's own key: that is also how whoever did not prove
anything is told no.
"""

from dataclasses import replace
from typing import Final, Protocol

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.door import Door
from chancery.domain.errors import TooOften
from chancery.ports import Clock, Entropy
from chancery.protocols.cmp.talk import Answer, Caller
from chancery.services.enrolment import EnrolmentDesk
from chancery.services.enrolment.keys import DoorKey
from chancery.services.portal.buckets import Buckets
from chancery.services.portal.policy import Rate
from chancery.wire import algorithms, ca_certificate, cmp, der
from chancery.wire.cmp import Header
from chancery.wire.names import encode_name

ALGORITHM: Final = SignatureAlgorithm.RSA_PKCS1_SHA256
"""Keys of doors are RSA keys."""
_NONCE: Final = 16
_SIGNED_REFUSALS: Final = Rate(burst=100, per_hour=3600)
"""From one network address, in one process."""


class Keys(Protocol):
    """Where the door's key is: ``services.enrolment.keys.DoorKeys``."""

    def of(self, door: Door) -> DoorKey: ...


class Signs(Protocol):
    """What is needed of a ``KeyVault`` here."""

    def sign_message(self, key_id: str, algorithm: SignatureAlgorithm, data: bytes) -> bytes: ...


class Replies:
    """See the module."""

    def __init__(
        self, desk: EnrolmentDesk, keys: Keys, vault: Signs, clock: Clock, entropy: Entropy
    ) -> None:
        self._desk = desk
        self._refusals = Buckets(_SIGNED_REFUSALS, clock, "refused messages")
        self._keys = keys
        self._vault = vault
        self._entropy = entropy

    def refuse(self, door: Door, asked: Header, answer: Answer, origin: str, now: int) -> bytes:
        """No, to whoever proved nothing: signed, but not for ever.

        A signature costs more than a bad message; beyond a rate, the refusal
        is as bare as what it answers.
        """
        try:
            self._refusals.take(origin)
        except TooOften:
            return self.bare(asked, answer, now)
        return self.write(door, None, asked, answer, now)

    def bare(self, asked: Header, answer: Answer, now: int) -> bytes:
        """DER PKIMessage without protection."""
        return cmp.encode(
            cmp.message(self._header(asked, answer, now), answer.kind, answer.content)
        )

    def _header(self, asked: Header, answer: Answer, now: int) -> Header:
        chance = self._entropy(_NONCE)
        return Header(
            version=max(2, min(3, asked.version), answer.version),
            recipient=asked.sender,
            time=now,
            transaction=asked.transaction or chance[:16],
            sender_nonce=answer.nonce or chance,
            recipient_nonce=answer.recipient_nonce or asked.sender_nonce,
            info=answer.info,
        )

    def write(
        self, door: Door, caller: Caller | None, asked: Header, answer: Answer, now: int
    ) -> bytes:
        """DER PKIMessage with *answer*, protected as the caller did, or signed."""
        secret = caller.secret if caller is not None else None
        header = self._header(asked, answer, now)
        if secret is None:
            return self._signed(door, header, answer)
        issuer = encode_name(self._desk.authority(door).subject)
        protected = cmp.message(
            replace(
                header,
                sender=der.explicit(4, issuer),
                protection=asked.protection,
                sender_key=asked.sender_key,
            ),
            answer.kind,
            answer.content,
        )
        value = secret.method.over(secret.key, protected.protected)
        return cmp.encode(cmp.with_protection(protected, value, answer.certificates))

    def _signed(self, door: Door, header: Header, answer: Answer) -> bytes:
        key = self._keys.of(door)
        own = ca_certificate.decode(key.certificate)
        header = replace(
            header,
            sender=der.explicit(4, own.subject_der),
            protection=algorithms.algorithm_identifier(ALGORITHM),
            sender_key=own.key_identifier,
        )
        unsigned = cmp.message(header, answer.kind, answer.content)
        signature = self._vault.sign_message(key.key_id, ALGORITHM, unsigned.protected)
        chain = (key.certificate, *self._desk.issuers(door)[:-1], *answer.certificates)
        return cmp.encode(cmp.with_protection(unsigned, signature, tuple(dict.fromkeys(chain))))
