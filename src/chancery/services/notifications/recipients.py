"""Who is to be told of one notification."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chancery.domain.errors import NotPermitted
from chancery.domain.identity import AuthMethod, Permission, Role, User
from chancery.domain.key_groups import KeyGroup, KeyRight
from chancery.domain.notification import KEY_EVENTS, MAIL, RA_EVENTS, Event, Notification
from chancery.ports import Session
from chancery.services.identity.principals import effective_roles, groups_of, principal_of
from chancery.services.notifications.plan import Plan, tells, tells_of_automatic

EVERYTHING = "*"
"""As an event that somebody does not want to hear of: all of them."""


@dataclass(frozen=True, slots=True)
class Recipient:
    channel: str
    address: str  # of mail; for a webhook its name


def recipients(session: Session, plan: Plan, notification: Notification) -> list[Recipient]:
    """Each once, webhooks last."""
    found: dict[str, Recipient] = {}
    if plan.mail:
        for address in _mail(session, plan, notification):
            found.setdefault(address.lower(), Recipient(MAIL, address))
    hooks = [
        Recipient(hook.channel, hook.name)
        for hook in plan.webhooks
        if hook.wants(notification.event, notification.ra)
    ]
    return [*found.values(), *hooks]


_ROLES: Final = {
    Event.JOB_FAILED: {Role.ADMINISTRATOR},
    Event.BACKUP_CONCERN: {Role.ADMINISTRATOR, Role.CA_OPERATOR},
}
"""Who is told of what no registration authority has to do with; else it is the CA operators."""


def _mail(session: Session, plan: Plan, told: Notification) -> Iterator[str]:
    if told.event in RA_EVENTS and told.ra is not None:
        yield from _of_ra(session, told)
        return
    yield from plan.operators
    if told.event in KEY_EVENTS:
        yield from _addresses(session, _of_key(session, told), told.event)
        return
    roles = _ROLES.get(told.event, {Role.CA_OPERATOR})
    users = (user for user in session.identities.users() if _has(session, user, roles))
    yield from _addresses(session, users, told.event)


def _of_key(session: Session, told: Notification) -> Iterator[User]:
    """Whoever may manage it, and the account that its custodian is named after."""
    group = session.keys.group(told.data["key"]["group"])
    for user in session.identities.users():
        custodian = user.name == told.data["key"]["custodian"]
        if custodian or (group is not None and _manages(session, user, group)):
            yield user


def _manages(session: Session, user: User, group: KeyGroup) -> bool:
    try:
        who = principal_of(session, user, AuthMethod.SESSION, "")
    except NotPermitted:  # roles of two classes: such an account does nothing
        return False
    return Permission.KEY_MANAGE in who.permissions and KeyRight.MANAGE in group.rights(who)


def _of_ra(session: Session, told: Notification) -> Iterator[str]:
    ra = session.registrations.get(told.ra) if told.ra is not None else None
    if ra is None or not tells(ra, told.event):
        return
    request = told.data.get("request")
    automatic = request is not None and request["approvals_needed"] == 0
    if told.event is Event.CERTIFICATE_ISSUED and automatic and not tells_of_automatic(ra):
        return  # it is on record for a webhook's sake
    yield from ra.notify
    requester = request["requester"] if request else told.data.get("requester", "")
    if told.event in (Event.REQUEST_WAITING, Event.REVOCATION_REQUESTED):
        group = session.identities.group(ra.approval_group)
        names = sorted(group.members - {requester}) if group is not None else []
        users = [user for name in names if (user := session.identities.user(name)) is not None]
        officers = (user for user in users if _has(session, user, {Role.RA_OFFICER}))
        yield from _addresses(session, officers, told.event)
        return
    owner = session.identities.user(requester)
    if owner is not None:
        yield from _addresses(session, [owner], told.event)


def _addresses(session: Session, users: Iterable[User], event: Event) -> Iterator[str]:
    for user in users:
        if user.email and not user.disabled:
            unwanted = session.notifications.opted_out(user.name)
            if not unwanted & {event.value, EVERYTHING}:
                yield user.email


def _has(session: Session, user: User, roles: set[Role]) -> bool:
    try:
        return bool(effective_roles(user, groups_of(session, user)) & roles)
    except NotPermitted:  # roles of two classes: such an account does nothing
        return False
