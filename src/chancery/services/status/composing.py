"""What an answer says, before it is signed."""

from collections.abc import Sequence
from dataclasses import dataclass

from chancery.domain.certificate import CertificateStatus
from chancery.domain.status import OcspPolicy, Standing, Unissued
from chancery.services.status.issuer_index import Issuer
from chancery.services.status.responder import SigningResponder
from chancery.wire import der, ocsp, ocsp_fast
from chancery.wire.crl import generalized_time


@dataclass(frozen=True, slots=True)
class Answer:
    """A signed OCSPResponse.  Times are Unix seconds."""

    der: bytes
    this_update: int
    next_update: int


@dataclass(frozen=True, slots=True)
class Spans:
    """Seconds for which an answer is valid, and for which it is handed out again."""

    lifetime_s: int = 43_200
    reuse_s: int = 3_600


@dataclass(frozen=True, slots=True)
class Moment:
    """All that answers of one issuer in one second have in common, encoded.

    *now* is Unix time; *front* and *tail*: see ``ocsp_fast``.
    """

    responder: SigningResponder
    now: int
    next_update: int
    produced: bytes
    ends: bytes
    extensions: bytes
    front: bytes
    tail: bytes

    @classmethod
    def of(
        cls, responder: SigningResponder, policy: OcspPolicy, now: int, lifetime_s: int
    ) -> "Moment":
        # An answer must not outlive the certificate that vouches for it.
        next_update = min(now + lifetime_s, responder.certificate.not_after)
        extensions = b""
        if policy.archive_s is not None:
            extensions = ocsp.archive_cutoff(max(now - policy.archive_s, 0))
        ends = der.tlv(0xA0, generalized_time(next_update))
        produced = generalized_time(now)
        front, tail = responder.wire.responder_id + produced, produced + ends + extensions
        return cls(responder, now, next_update, produced, ends, extensions, front, tail)

    def data(self, asked: Sequence[tuple[bytes, bytes]], nonce: bytes | None) -> bytes:
        """ResponseData for (CertID, CertStatus) pairs."""
        singles = [
            ocsp.single(
                cert_id,
                status,
                this_update=self.produced,
                next_update=self.ends,
                extensions=self.extensions,
            )
            for cert_id, status in asked
        ]
        extended = any(status is ocsp.NOT_ISSUED for _, status in asked)
        return ocsp.response_data(
            self.responder.wire, self.produced, singles, nonce, extended_revoke=extended
        )

    def single(self, cert_id: bytes, status: bytes, nonce: bytes | None) -> bytes:
        """ResponseData for one certificate."""
        if status is ocsp.NOT_ISSUED:
            return self.data(((cert_id, status),), nonce)
        return ocsp_fast.response_data(self.front, cert_id, status, self.tail, nonce)

    def octets(self, data: bytes, signature: bytes) -> bytes:
        return ocsp.response(self.responder.wire, data, signature)

    def answer(self, data: bytes, signature: bytes) -> Answer:
        return Answer(self.octets(data, signature), self.now, self.next_update)


def cert_status(standing: Standing | None, issuer: Issuer | None) -> bytes:
    """Good only for what is on record (I11); known from the intent on (I1, I2).

    An abandoned intent was never signed: it counts as never issued.  Of a
    certificate that is not the issuer's nobody here knows anything.
    """
    if issuer is None:
        return ocsp.UNKNOWN
    if standing is None or standing.status is CertificateStatus.ABANDONED:
        refused = issuer.policy.unissued is Unissued.REVOKED
        return ocsp.NOT_ISSUED if refused else ocsp.UNKNOWN
    if standing.entry is not None:
        return ocsp.revoked(standing.entry)
    return ocsp.GOOD
