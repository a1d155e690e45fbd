"""A registration authority as a form: fields named as the service names them."""

from typing import Any, Final

from chancery.domain.registration import MAX_APPROVALS, RaEvent, RegistrationAuthority
from chancery.web.console.drafts import Pairs, flagged, lasting, lines, seconds
from chancery.web.fields import Form
from chancery.wire import documents

EVENTS: Final = (
    (RaEvent.WAITING.value, "A request waits", "for a decision"),
    (RaEvent.APPROVED.value, "Approved", ""),
    (RaEvent.DENIED.value, "Denied", ""),
    (RaEvent.ISSUED.value, "Issued", ""),
    (RaEvent.EXPIRING.value, "Expiring", "a certificate that was issued here"),
)


def pairs_of(ra: RegistrationAuthority) -> Pairs:
    """What a form holds that says *ra*."""
    scalars = {
        "name": ra.name,
        "description": ra.description,
        "default_authority": ra.authorities[0] if ra.authorities else "",
        "approval_group": ra.approval_group,
        "approvals": str(ra.approvals),
        "request_lifetime_s": lasting(ra.request_lifetime_s),
        "max_pending": str(ra.max_pending),
        "daily_per_requester": _text(ra.daily_per_requester),
        "open_per_requester": _text(ra.open_per_requester),
        "notify": "\n".join(ra.notify),
    }
    pairs = [(f"ra.{field}", value) for field, value in scalars.items()]
    for field in ("profiles", "authorities", "submit_groups"):
        pairs += [(f"ra.{field}", value) for value in getattr(ra, field)]
    pairs += [("ra.notify_events", event.value) for event in ra.notify_events]
    for field in ("anonymous", "disabled"):
        pairs += flagged(f"ra.{field}", on=getattr(ra, field))
    return pairs


def ra_of(form: Form) -> RegistrationAuthority:
    """The registration authority that *form* says; BadRequest beside what says nothing."""
    document: dict[str, Any] = {
        "name": form.text("ra.name"),
        "description": form.text("ra.description"),
        "profiles": form.all("ra.profiles"),
        "authorities": _authorities(form),
        "approval_group": form.text("ra.approval_group"),
        "approvals": form.number("ra.approvals", 0, most=MAX_APPROVALS),
        "anonymous": form.flag("ra.anonymous"),
        "submit_groups": form.all("ra.submit_groups"),
        "request_lifetime_s": seconds(form, "ra.request_lifetime_s"),
        "max_pending": form.number("ra.max_pending", 10_000),
        "daily_per_requester": form.number("ra.daily_per_requester"),
        "open_per_requester": form.number("ra.open_per_requester"),
        "notify": lines(form, "ra.notify"),
        "notify_events": form.all("ra.notify_events"),
        "disabled": form.flag("ra.disabled"),
    }
    return documents.decode(RegistrationAuthority, document, "ra")


def _authorities(form: Form) -> list[str]:
    """The default issuer first; the order of the others says nothing."""
    ticked, default = form.all("ra.authorities"), form.text("ra.default_authority")
    return ([default] if default in ticked else []) + [one for one in ticked if one != default]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
