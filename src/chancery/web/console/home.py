"""The console's first page: what needs me now, how things stand, what happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from chancery.domain.backup import BackupKey, BackupOrder, Consent
from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.domain.vaults import VaultStanding, VaultState
from chancery.ports import CertificateFilter, Page, RequestFilter
from chancery.services.attention import Point, Urgency
from chancery.services.figures import Count
from chancery.services.keys.errands import ErrandKind
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages("/console", section="home", nav=Nav("Home", "home", 10))

_RECENT: Final = 8
_DAYS: Final = 30
_SINGLY: Final = 3  # errands of a kind that have a line each
_LISTS: Final = {
    "requests": "/console/requests",
    "certificates": "/console/certificates",
    "revocations": "/console/revocations",
    "jobs": "/console/operations/jobs",
    "notifications": "/console/notifications/outbox",
}
_WORDS: Final = {
    "requests.pending": ("Requests not decided yet", "clock"),
    "revocations.open": ("Wishes to revoke wait for an answer", "certificate-off"),
    "requests.failed": ("Requests that failed", "alert-triangle"),
    "jobs.failed": ("Background jobs that failed", "alert-triangle"),
    "notifications.failed": ("Notifications that did not arrive", "mail"),
}
_TONES: Final = {"requests.pending": "info", "revocations.open": "warn"}
_STATS: Final = (
    ("certificates.valid", "Valid certificates"),
    ("certificates.expiring-7", "Expire in 7 days"),
    ("certificates.expiring-30", "Expire in 30 days"),
    ("certificates.expiring-90", "Expire in 90 days"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the work queue."""

    icon: str
    title: str
    note: str
    url: str
    tone: str
    count: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Stat:
    """One figure about keys and backups; *at* is shown instead of *text* where there is one."""

    title: str
    text: str
    url: str
    tone: str = ""
    at: int | None = None


@pages.get("", Permission.AUTHENTICATED)
def home(visit: Visit) -> Response:
    if visit.principal.ra:  # through its gateway there is the work of one registration authority
        return visit.redirect("/console/requests")
    found = visit.services.figures.home(visit.principal)
    counts = {count.name: count for count in found.counts}
    reads = visit.may(Permission.CERTIFICATE_READ)
    points = (
        visit.services.attention.points(visit.principal)
        if visit.may(Permission.AUTHORITY_READ)
        else []
    )
    vaults = _vaults(visit)
    queue = [
        *_waiting(found.waiting),
        *map(_point, points),
        *_vaults_down(vaults),
        *_proposals(visit),
        *_errands(visit),
        *_others(counts, found.own),
    ]
    page = Page(limit=_RECENT)
    return visit.render(
        "console/home.html",
        queue=queue,
        stats=[(words, counts[name], _url(counts[name])) for name, words in _STATS if reads],
        keeping=[*_vault_stat(vaults), *_backup_stats(visit)],
        days=visit.services.figures.series(visit.principal, _DAYS) if reads else [],
        issued=visit.services.certificates.find(visit.principal, CertificateFilter(), page)
        if reads
        else [],
        requests=visit.services.registration.find(visit.principal, RequestFilter(), page),
    )


def _url(count: Count) -> str:
    """The list that shows exactly what was counted."""
    return f"{_LISTS[count.list]}?{urlencode(count.where)}"


def _waiting(waiting: tuple[Count, ...]) -> Iterator[Item]:
    """Approvals first: nobody else can give them."""
    for count in waiting:
        if count.value:
            ra = count.where["ra"]
            yield Item(
                "checklist",
                f"Decide what waits at {ra}",
                "You are in its approval group",
                _url(count),
                "warn",
                count.text,
            )


def _point(point: Point) -> Item:
    url = _PLACES.get(point.kind, "/console/audit")
    if point.about:
        room = "keys" if point.kind == "key" else "authorities"
        url = f"/console/{room}/{point.about}"
    tone = "bad" if point.urgency is Urgency.NOW else "warn"
    return Item("alert-triangle", point.text, point.remedy, url, tone, at=point.at)


_PLACES: Final = {"backup": "/console/backups", "key": "/console/keys/_calendar"}


def _proposals(visit: Visit) -> Iterator[Item]:
    """Backups and their keys that somebody else proposed, and that count with one's own word."""
    if not visit.may(Permission.BACKUP_MANAGE):
        return
    backups, who = visit.services.backups, visit.principal
    every: list[BackupOrder | BackupKey] = [*backups.orders(who), *backups.keys(who)]
    proposed = [
        one.proposed_by
        for one in every
        if one.state is Consent.PROPOSED and one.proposed_by not in who.people
    ]
    if proposed:
        by = ", ".join(sorted(set(proposed)))
        yield Item(
            "archive",
            "Agree to backups or their keys",
            f"Proposed by {by}; it takes two",
            "/console/backups",
            "warn",
            str(len(proposed)),
        )


_ERRANDS: Final = {
    ErrandKind.AGREE: ("Agree to what others ask for about key {}", "checklist", "_agreements"),
    ErrandKind.PERFORM: ("Others agreed: carry it out on key {}", "check", "_agreements"),
    ErrandKind.BRING: ("Bring a component of key {}", "key", "_components"),
    ErrandKind.TAKE: ("Take your component of key {}, once", "key", "_components"),
    ErrandKind.FINISH: ("All components of key {} are in: make it", "key", "_components"),
}


def _errands(visit: Visit) -> Iterator[Item]:
    """What waits about keys for this person; more than a few of a kind are one line."""
    found = visit.services.keys.errands.of(visit.principal)
    for kind, (words, icon, room) in _ERRANDS.items():
        some = [one for one in found if one.kind is kind]
        place = f"/console/keys/{room}"
        if len(some) > _SINGLY:
            names = ", ".join(sorted({one.key for one in some})[:_SINGLY])
            title = words.replace(" key {}", " keys").replace("{}", "keys")
            yield Item(icon, title, f"{names} ...", place, "warn", str(len(some)))
            continue
        for one in some:
            until = f"{place}/{one.about}"
            yield Item(icon, words.format(one.key), "", until, "warn", at=one.until)


def _vaults(visit: Visit) -> list[VaultStanding] | CAError | None:
    """Every vault; why none answers; None for who has nothing to do with them."""
    if not visit.may(Permission.AUTHORITY_MANAGE):
        return None
    try:
        return [view.standing for view in visit.services.vaults.all(visit.principal)]
    except CAError as error:  # the signer itself is away
        return error


def _vaults_down(vaults: list[VaultStanding] | CAError | None) -> Iterator[Item]:
    """Vaults that do not work: nothing that is in them can be used."""
    if isinstance(vaults, CAError):
        yield Item("alert-triangle", "No vault answers", str(vaults), "/console/vaults", "bad")
        return
    for one in vaults or ():
        if one.state is not VaultState.UP:
            title = f"Vault {one.name} is {one.state.value.replace('-', ' ')}"
            url = f"/console/vaults/{one.name}"
            yield Item("alert-triangle", title, one.reason or "", url, "bad", at=one.since)


def _vault_stat(vaults: list[VaultStanding] | CAError | None) -> Iterator[Stat]:
    if isinstance(vaults, list):
        up = sum(one.state is VaultState.UP for one in vaults)
        tone = "" if up == len(vaults) else "bad"
        yield Stat("Vaults up", f"{up} of {len(vaults)}", "/console/vaults", tone)


def _backup_stats(visit: Visit) -> Iterator[Stat]:
    """How old the last backup is, and the last proof that one can be restored."""
    if not visit.may(Permission.BACKUP_READ):
        return
    standing = visit.services.backups.standing(visit.principal)
    for title, at in (
        ("Last backup", standing.last.started_at if standing.last else None),
        ("Last good drill", standing.last_drill.done_at if standing.last_drill else None),
    ):
        yield Stat(title, "none yet", "/console/backups", "" if at else "warn", at)


def _others(counts: dict[str, Count], own: Count) -> Iterator[Item]:
    for name, (words, icon) in _WORDS.items():
        count = counts.get(name)
        if count is not None and count.value:
            tone = _TONES.get(name, "bad")
            yield Item(icon, words, "", _url(count), tone, count.text)
    if own.value:
        yield Item("send", "Your requests wait for a decision", "", _url(own), "info", own.text)
