"""Which channels there are, and what each wants to hear of."""

from collections.abc import Callable
from dataclasses import dataclass

from chancery.domain.notification import RA_DEFAULT, Event, Webhook
from chancery.domain.registration import RegistrationAuthority

FindRa = Callable[[str], RegistrationAuthority | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """*operators* are addresses told of what threatens the whole; *base_url* is the console's."""

    mail: bool = False
    operators: tuple[str, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    base_url: str = ""

    @property
    def silent(self) -> bool:
        return not self.mail and not self.webhooks


def tells(ra: RegistrationAuthority | None, event: Event) -> bool:
    """Whether mail of *ra* is sent for *event*, to its addresses and to whom it concerns."""
    if ra is None:
        return False
    chosen = {Event(wanted) for wanted in ra.notify_events}
    return event in (chosen or RA_DEFAULT)


def tells_of_automatic(ra: RegistrationAuthority | None) -> bool:
    """Whether *ra* wants mail even for certificates that nobody had to approve.

    Only where it says so: a machine that asks for a thousand needs no mail for each.
    """
    return ra is not None and any(Event(e) is Event.CERTIFICATE_ISSUED for e in ra.notify_events)
