"""Bounds on what a CA certificate may be asked to say: held before a key is made for it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.profile import DAY_S
from chancery.domain.profile_rules import check_profile
from chancery.services.authority import templates
from chancery.services.authority.specification import Extensions

MAX_DAYS = 36_500
MAX_PATH_LENGTH = 100
"""As the API has it; no chain of CAs comes near."""


def check_extensions(extensions: Extensions) -> None:
    """Raise BadRequest for the first thing that no CA certificate of ours can say."""
    for field, wrong, remedy in _out_of_bounds(extensions):
        raise BadRequest(wrong, field=field, rule=f"authority.{field}", remedy=remedy)
    # What a profile may not say either: its own bound on validity is not ours.
    profile = templates.subordinate(replace(extensions, days=1), None, 0, "", online=True).profile
    try:
        check_profile(profile)
    except BadRequest as error:
        raise BadRequest(
            str(error).partition(": ")[2],
            field=(error.field or "").removeprefix("profile."),
            rule=(error.rule or "").replace("profile.", "authority."),
            remedy=error.remedy,
        ) from None


def _out_of_bounds(extensions: Extensions) -> Iterator[tuple[str, str, str]]:
    days, length = extensions.days, extensions.path_length
    if days is not None and not 1 <= days <= MAX_DAYS:
        wrong = f"a CA certificate is valid for 1 to {MAX_DAYS} days, not {days}"
        yield "days", wrong, "leave it out for the usual validity"
    if length is not None and not 0 <= length <= MAX_PATH_LENGTH:
        wrong = f"a path length is 0 to {MAX_PATH_LENGTH}, not {length}"
        yield "path_length", wrong, "0 allows no CA below; leave it out for what the parent allows"


def check_days(days: int | None, issuer: str, not_after: int, now: int) -> None:
    """Raise unless *days* from *now* end with the issuer's certificate; None: as long as it can.

    Conflict if that has expired.
    """
    ends = f"{datetime.fromtimestamp(not_after, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if not_after <= now:
        raise Conflict(
            f"the certificate of {issuer} expired at {ends}",
            field="parent",
            rule="validity.issuer-expired",
            remedy="renew it first, or choose another parent",
        )
    room = (not_after + 1 - now + templates.BACKDATE_S) // DAY_S
    if days is not None and days > room:
        raise BadRequest(
            f"{days} days would outlive {issuer}, whose own certificate ends at {ends}",
            field="days",
            rule="validity.within-issuer",
            remedy=f"at most {room}, or leave it out to end with {issuer}; or renew {issuer} first",
        )
