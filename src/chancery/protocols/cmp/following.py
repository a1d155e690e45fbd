"""certConf, pollReq and error: what comes after a request, from whoever sent that.

A client's nonce is compared with ours without looking anything up, so that
any node answers.
"""

import hmac
from typing import Final

from chancery.domain.errors import BadRequest, Conflict, NotPermitted
from chancery.protocols.cmp import talk
from chancery.protocols.cmp.enrolling import BY, REQUEST_ID, Enrolling
from chancery.protocols.cmp.talk import Answer, Asked
from chancery.services.enrolment import EnrolmentDesk, Standing
from chancery.services.enrolment.confirmation import (
    REASON,
    STATE,
    Confirmation,
    Confirmations,
)
from chancery.wire import cmp, cmp_bodies, der
from chancery.wire.cmp_bodies import Status
from chancery.wire.cmp_kinds import Body

_ACCEPTED: Final = (Status.ACCEPTED, Status.GRANTED_WITH_MODS)
CONFIRMED: Final = Answer(Body.PKICONF, der.NULL)


class Following:
    """See the module."""

    def __init__(
        self, desk: EnrolmentDesk, confirmations: Confirmations, enrolling: Enrolling
    ) -> None:
        self._desk = desk
        self._confirmations = confirmations
        self._enrolling = enrolling

    def confirm(self, asked: Asked) -> Answer:
        """certConf: the certificate is taken, or it is revoked (RFC 9810 §5.3.18)."""
        confirmations = cmp_bodies.confirmations(asked.message.content)
        standing = self._begun(asked)
        if standing.certificate is None:
            raise Conflict(
                "there is no certificate to confirm yet", field="message", rule="cmp.operation"
            )
        one = confirmations[0] if confirmations else None
        if one is None or len(confirmations) > 1 or one.request_id != _request_id(standing):
            return self._rejected(asked, standing, "it confirms another request or none")
        if one.status is not None and one.status.status not in _ACCEPTED:
            return self._rejected(asked, standing, one.status.text)
        given, algorithm = one.certificate_hash, one.hash_algorithm
        if not hmac.compare_digest(
            cmp_bodies.certificate_hash(standing.certificate.der, algorithm), given
        ):
            raise BadRequest(
                "certHash is not the hash of the certificate",
                field="certHash",
                rule="cmp.certificate-hash",
                remedy="hash the certificate by the digest of its signature",
            )
        self._confirmations.settle(asked.door, asked.transaction, Confirmation.CONFIRMED)
        return CONFIRMED

    def poll(self, asked: Asked) -> Answer:
        """pollReq: not yet, or what came of it (RFC 9810 §5.3.22)."""
        ids = cmp_bodies.poll_ids(asked.message.content)
        standing = self._begun(asked)
        wanted = _request_id(standing)
        if len(ids) != 1 or ids[0] not in (wanted, cmp_bodies.NO_REQUEST_ID):
            raise cmp.bad("it asks for another request", "cmp.operation")
        if not standing.pending:
            return self._enrolling.standing(asked, standing)
        reason = "people have not decided yet"
        body = cmp_bodies.encode_wait(ids[0], asked.settings.check_after_s, reason)
        nonce = talk.new_nonce(self._enrolling.entropy, standing.transaction.data)
        return Answer(Body.POLLREP, body, "pending", nonce)

    def failed(self, asked: Asked) -> Answer:
        """error: the client gives up, so what it was given is not wanted (RFC 9483 §3.6.4)."""
        status = cmp_bodies.read_error(asked.message.content)
        standing = self._begun(asked)
        if standing.certificate is None:
            return CONFIRMED
        return self._rejected(asked, standing, status.text)

    def _rejected(self, asked: Asked, standing: Standing, why: str) -> Answer:
        assert standing.certificate is not None
        if standing.transaction.data.get(STATE) == Confirmation.WAIVED:
            raise Conflict(
                "the client did without a confirmation",
                field="message",
                rule="confirmation.settled",
                remedy="revoke the certificate by an rr",
            )
        self._confirmations.settle(asked.door, asked.transaction, Confirmation.REJECTED)
        record, who = standing.certificate, asked.caller.who
        self._desk.revoke(asked.door, record, REASON, who, asked.origin)
        return Answer(Body.PKICONF, der.NULL, detail=f"rejected: {why}")

    def _begun(self, asked: Asked) -> Standing:
        """The transaction, for whoever began it, in the order of its nonces."""
        standing = self._desk.standing(asked.door, asked.transaction)
        data = standing.transaction.data
        if data.get(BY) != asked.caller.identity:
            raise NotPermitted(
                "the transaction was begun by somebody else",
                field="message",
                rule="transaction.owner",
                remedy="protect every message of a transaction alike",
            )
        talk.check_nonce(asked.message.header.recipient_nonce, data)
        return standing


def _request_id(standing: Standing) -> int:
    value = standing.transaction.data.get(REQUEST_ID)
    return value if isinstance(value, int) else 0
