"""Registration authorities: who may submit what to which CA, and who decides."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.errors import BadName, BadRequest

MAX_APPROVALS: Final = 20
MAX_QUOTA: Final = 1_000_000
MAX_ADDRESSES: Final = 50
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class RaEvent(StrEnum):
    """What a registration authority can tell its ``notify`` addresses of."""

    WAITING = "request.waiting"  # for a decision
    APPROVED = "request.approved"
    DENIED = "request.denied"
    ISSUED = "certificate.issued"
    EXPIRING = "certificate.expiring"
    REVOCATION = "revocation.requested"  # by somebody who knows a request's code


@dataclass(frozen=True, slots=True)
class RegistrationAuthority:
    """Who may submit what to which CA, and who decides.

    *approval_group* names a group whose members with the role ``ra-officer``
    may decide.  Where *submit_groups* are given, only their members submit.
    *request_lifetime_s*: an undecided request then expires.  At most
    *max_pending* requests wait at a time, over all requesters.

    *daily_per_requester* bounds what one account (or one network address,
    where nobody signed in) submits in any 24 hours, *open_per_requester* what
    it has undecided at once; None: no bound.  *notify* are mail addresses,
    *notify_events* what they hear of; empty: of all but approvals, which show
    by the certificate that follows.
    A *disabled* one takes nothing in; what waits may still be decided.
    """

    name: str
    profiles: tuple[str, ...]
    authorities: tuple[str, ...]  # the first is the default issuer
    approval_group: str
    approvals: int
    anonymous: bool
    request_lifetime_s: int = 30 * 86_400
    max_pending: int = 10_000
    submit_groups: tuple[str, ...] = ()
    description: str = ""
    daily_per_requester: int | None = None
    open_per_requester: int | None = None
    notify: tuple[str, ...] = ()
    notify_events: tuple[RaEvent, ...] = ()
    disabled: bool = False

    @property
    def public(self) -> bool:
        """Whether people without an account may submit now."""
        return self.anonymous and not self.submit_groups and not self.disabled

    @property
    def counts_requesters(self) -> bool:
        """Whether a submission must be counted against a quota."""
        return self.daily_per_requester is not None or self.open_per_requester is not None


@dataclass(frozen=True, slots=True)
class RaFilter:
    """Conditions on registration authorities.  *text* stands in name or description."""

    text: str = ""
    profile: str | None = None
    authority: str | None = None
    public: bool | None = None
    disabled: bool | None = None

    def fits(self, ra: RegistrationAuthority) -> bool:
        return (
            self.text.lower() in f"{ra.name} {ra.description}".lower()
            and self.profile in (None, *ra.profiles)
            and self.authority in (None, *ra.authorities)
            and self.public in (None, ra.public)
            and self.disabled in (None, ra.disabled)
        )


def check_ra(ra: RegistrationAuthority) -> None:
    """Raise BadRequest for the first fault that *ra* has by itself."""
    if not _NAME.fullmatch(ra.name):
        raise BadRequest(
            "a name is lower-case letters, digits and dashes",
            field="ra.name",
            rule="name.syntax",
            remedy="begin with a letter or digit, and use at most 63 characters",
        )
    if not ra.profiles or not ra.authorities:
        raise BadRequest(
            "name at least one profile and one authority",
            field="ra.authorities" if ra.profiles else "ra.profiles",
            rule="ra.complete",
            remedy="`chancery profile list` and `chancery ca list` show those there are",
        )
    if not 0 <= ra.approvals <= MAX_APPROVALS:
        raise BadRequest(
            f"approvals are 0 to {MAX_APPROVALS}",
            field="ra.approvals",
            rule="ra.approvals",
            remedy=f"give a number from 0 to {MAX_APPROVALS}",
        )
    if ra.anonymous and ra.approvals < 1:
        raise BadRequest(
            "requests of strangers need an approval",
            field="ra.approvals",
            rule="ra.anonymous-approval",
            remedy="ask for at least one approval, or do not allow anonymous requests",
        )
    _check_lists(ra)
    _check_bounds(ra)


def _check_lists(ra: RegistrationAuthority) -> None:
    lists = ("profiles", "authorities", "submit_groups", "notify", "notify_events")
    for field in lists:
        listed: tuple[str, ...] = getattr(ra, field)
        if len(set(listed)) < len(listed):
            raise BadRequest(
                f"{field}: something is listed twice",
                field=f"ra.{field}",
                rule="ra.duplicate",
                remedy="list each once",
            )
    if len(ra.notify) > MAX_ADDRESSES:
        raise BadRequest(
            f"{len(ra.notify)} addresses",
            field="ra.notify",
            rule="ra.notify",
            remedy=f"give at most {MAX_ADDRESSES}; a mailing list reaches more",
        )
    for address in ra.notify:
        try:
            name_syntax.email(address)
        except BadName as error:
            raise BadRequest(
                str(error), field="ra.notify", rule="ra.notify", remedy=error.remedy
            ) from None


def _check_bounds(ra: RegistrationAuthority) -> None:
    if ra.request_lifetime_s < 60 or ra.max_pending < 1:
        raise BadRequest(
            "a request lives at least 60 s, and at least one may wait",
            field="ra.request_lifetime_s" if ra.request_lifetime_s < 60 else "ra.max_pending",
            rule="ra.bounds",
            remedy="give 60 seconds or more, and one request or more",
        )
    for field in ("daily_per_requester", "open_per_requester"):
        bound: int | None = getattr(ra, field)
        if bound is not None and not 1 <= bound <= MAX_QUOTA:
            raise BadRequest(
                f"a quota of {bound}",
                field=f"ra.{field}",
                rule="ra.quota",
                remedy=f"give 1 to {MAX_QUOTA}, or leave it out for no bound",
            )
