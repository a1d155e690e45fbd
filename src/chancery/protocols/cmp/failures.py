"""CAError -> PKIFailureInfo (RFC 9810 §5.2.3).  The only place that knows both."""

from typing import Final

from chancery.domain import errors
from chancery.domain.errors import CAError
from chancery.wire.cmp_kinds import Failure

RULES: Final[dict[str, Failure]] = {
    "cmp.version": Failure.UNSUPPORTED_VERSION,
    "cmp.time": Failure.BAD_TIME,
    "cmp.sender-nonce": Failure.BAD_SENDER_NONCE,
    "cmp.recipient-nonce": Failure.BAD_RECIPIENT_NONCE,
    "cmp.unprotected": Failure.BAD_MESSAGE_CHECK,
    "cmp.signature": Failure.BAD_MESSAGE_CHECK,
    "cmp.integrity": Failure.WRONG_INTEGRITY,
    "cmp.signer": Failure.SIGNER_NOT_TRUSTED,
    "cmp.no-certificate": Failure.ADD_INFO_NOT_AVAILABLE,
    "cmp.authority": Failure.WRONG_AUTHORITY,
    "cmp.certificate-hash": Failure.BAD_CERT_ID,
    "cmp.old-certificate": Failure.BAD_CERT_ID,
    "cmp.operation": Failure.BAD_REQUEST,
    "certificate.holder": Failure.SIGNER_NOT_TRUSTED,
    "certificate.known": Failure.BAD_CERT_ID,
    "confirmation.settled": Failure.CERT_CONFIRMED,
    "credential.binding": Failure.NOT_AUTHORIZED,
    "csr.template": Failure.BAD_CERT_TEMPLATE,
    "csr.key": Failure.BAD_CERT_TEMPLATE,
    "mac.algorithm": Failure.BAD_ALG,
    "pop.kind": Failure.BAD_POP,
    "pop.input": Failure.BAD_POP,
    "pop.signature": Failure.BAD_POP,
    "pop.signature-algorithm": Failure.BAD_POP,
    "pop.vouched": Failure.BAD_POP,
    "transaction.in-use": Failure.TRANSACTION_ID_IN_USE,
    "transaction.same": Failure.TRANSACTION_ID_IN_USE,
    "signature.algorithm": Failure.BAD_ALG,
}
"""What the protocol has a word of its own for."""

KINDS: Final[tuple[tuple[type[CAError], Failure], ...]] = (
    # Most specific class first: the first isinstance() match wins.
    (errors.BadKey, Failure.BAD_CERT_TEMPLATE),
    (errors.BadName, Failure.BAD_CERT_TEMPLATE),
    (errors.BadCSR, Failure.BAD_DATA_FORMAT),
    (errors.TooLarge, Failure.BAD_DATA_FORMAT),
    (errors.BadRequest, Failure.BAD_REQUEST),
    (errors.NotAuthenticated, Failure.BAD_MESSAGE_CHECK),
    (errors.NotPermitted, Failure.NOT_AUTHORIZED),
    (errors.LockedOut, Failure.NOT_AUTHORIZED),
    (errors.TooOften, Failure.SYSTEM_UNAVAIL),
    (errors.NotFound, Failure.BAD_REQUEST),
    (errors.AlreadyRevoked, Failure.CERT_REVOKED),
    (errors.AlreadyExists, Failure.DUPLICATE_CERT_REQ),
    (errors.WrongState, Failure.BAD_REQUEST),
    (errors.Conflict, Failure.BAD_REQUEST),
    (errors.Unavailable, Failure.SYSTEM_UNAVAIL),
    (errors.SignerRefused, Failure.SYSTEM_FAILURE),
    (errors.LintFailed, Failure.SYSTEM_FAILURE),
    (errors.CAError, Failure.SYSTEM_FAILURE),
)


def failure_of(error: CAError) -> Failure:
    """How CMP says it."""
    if error.rule in RULES:
        return RULES[error.rule]
    return next(word for kind, word in KINDS if isinstance(error, kind))


def text_of(error: CAError) -> str:
    """What the statusString says: what is wrong, and what to do about it."""
    return f"{error}; {error.remedy}" if error.remedy else str(error)
