"""DNS validation (RFC 8555 §8.4): a text record under the name."""

import hashlib
import hmac

from chancery.adapters.validation.failing import Failed
from chancery.adapters.validation.resolving import texts
from chancery.domain.acme_settings import AcmeSettings
from chancery.ports_acme import Question
from chancery.wire.jwk import b64url


def check(question: Question, settings: AcmeSettings) -> None:
    """Raise Failed unless one of the records is the digest of the key authorization."""
    name = f"_acme-challenge.{question.identifier.base}"
    wanted = b64url(hashlib.sha256(question.key_authorization.encode()).digest())
    found = texts(name, settings)
    if not found:
        raise Failed("dns", f"{name} has no TXT record")
    if not any(hmac.compare_digest(one.encode(), wanted.encode()) for one in found):
        shown = ", ".join(repr(one[:60]) for one in found[:3])
        raise Failed("incorrectResponse", f"{name} says {shown}: none is right")
