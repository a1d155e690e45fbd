"""When a certificate may be used, and what is fixed about that before it is signed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from chancery.domain.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Validity:
    """A closed interval in UTC, both ends included (RFC 5280 §4.1.2.5).

    Instants hold whole seconds, because an X.509 time cannot express a
    fraction: equality then survives a round trip through DER and SQL.
    """

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        for instant in (self.not_before, self.not_after):
            if instant.tzinfo is not UTC or instant.microsecond:
                raise ValueError(f"not a whole second in UTC: {instant!r}")
        if self.not_after < self.not_before:
            raise BadRequest("validity ends before it begins", field="validity")

    @property
    def duration(self) -> timedelta:
        """Length, counting the final second."""
        return self.not_after - self.not_before + timedelta(seconds=1)


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
