"""What is fixed about a certificate's validity before it is signed."""

from dataclasses import dataclass
from enum import StrEnum

from chancery.domain.errors import BadRequest


class LeafAfterIssuer(StrEnum):
    """What to do with a certificate that would outlive its issuer."""

    TRUNCATE = "truncate"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ValidityRule:
    """The part of validity that an approver approves: everything but the start.

    *lasting_s* and *backdate_s* are seconds; *latest* is the last instant the
    issuer's own certificate allows, as Unix seconds.
    """

    lasting_s: int
    backdate_s: int
    latest: int
    after_issuer: LeafAfterIssuer

    def starting(self, now: int) -> tuple[int, int]:
        """Return (notBefore, notAfter) in Unix seconds for a signature made at *now*.

        Both ends are included, so 90 days end one second early.
        """
        not_before = now - self.backdate_s
        not_after = not_before + self.lasting_s - 1
        if not_after > self.latest:
            if self.after_issuer is LeafAfterIssuer.REFUSE or self.latest <= now:
                raise BadRequest(
                    "the certificate would outlive its issuer",
                    field="validity",
                    rule="validity.within-issuer",
                    remedy="ask for a shorter validity, or renew the issuing CA",
                )
            not_after = self.latest
        return not_before, not_after
