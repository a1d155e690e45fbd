"""CAError -> failInfo (RFC 8894 §3.2.1.4).  The only place that knows both.

Unavailable has no row: a client that is told FAILURE gives up, so an outage
is said in HTTP, and the client comes again.
"""

from typing import Final

from chancery.domain import errors
from chancery.domain.errors import BadRequest, CAError
from chancery.wire.scep import FailInfo

# Most specific class first: the first isinstance() match wins.
FAILURES: Final[tuple[tuple[type[CAError], FailInfo], ...]] = (
    (errors.BadKey, FailInfo.BAD_ALG),
    (errors.BadCSR, FailInfo.BAD_MESSAGE_CHECK),
    (errors.BadRequest, FailInfo.BAD_REQUEST),
    (errors.NotFound, FailInfo.BAD_CERT_ID),
    (errors.CAError, FailInfo.BAD_REQUEST),
)
_BY_RULE: Final = (
    ("cms.algorithm", FailInfo.BAD_ALG),
    ("scep.legacy", FailInfo.BAD_ALG),
    ("pop.signature-algorithm", FailInfo.BAD_ALG),
    ("cms.", FailInfo.BAD_MESSAGE_CHECK),
    ("ber.", FailInfo.BAD_MESSAGE_CHECK),
    ("scep.message-check", FailInfo.BAD_MESSAGE_CHECK),
    ("certificate.holder", FailInfo.BAD_MESSAGE_CHECK),
)


def fail_info(error: CAError) -> FailInfo:
    """What a client is told about *error*."""
    rule = error.rule or ""
    for prefix, info in _BY_RULE:
        if rule.startswith(prefix):
            return info
    return next(info for kind, info in FAILURES if isinstance(error, kind))


def unopened() -> BadRequest:
    """One error for whatever is wrong inside an envelope.

    Whether its padding, its structure or its signature was wrong is nobody's
    business: who may ask often enough reads a message by that (Vaudenay).
    """
    return BadRequest(
        "what is in the envelope cannot be read",
        field="message",
        rule="scep.message-check",
        remedy="encrypt it to the certificate that GetCACert gives",
    )
