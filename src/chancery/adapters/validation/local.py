"""Validation from this very machine."""

from collections.abc import Callable
from typing import Final

from chancery.adapters.validation import dns_01, http_01, tls_alpn_01
from chancery.adapters.validation.failing import Failed
from chancery.domain.acme import ChallengeKind, Fault
from chancery.domain.acme_settings import AcmeSettings
from chancery.ports_acme import Question

CHECKS: Final[dict[ChallengeKind, Callable[[Question, AcmeSettings], None]]] = {
    ChallengeKind.HTTP_01: http_01.check,
    ChallengeKind.DNS_01: dns_01.check,
    ChallengeKind.TLS_ALPN_01: tls_alpn_01.check,
}


class LocalValidator:
    """``ports_acme.Validator``."""

    def check(self, question: Question, settings: AcmeSettings) -> Fault | None:
        try:
            CHECKS[question.kind](question, settings)
        except Failed as error:
            return error.fault
        return None
