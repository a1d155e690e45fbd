"""What needs a person now: status that is late, CAs that end, a log that waits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chancery.domain.authority import Authority, AuthorityState
from chancery.domain.errors import CAError
from chancery.domain.identity import Permission, Principal
from chancery.domain.key_notices import KeyNotice, NoticeKind
from chancery.domain.publication import Publication, Sight, Sighting
from chancery.ports import CertificateFilter, Clock, Page, Session, Store
from chancery.services.access import demand
from chancery.services.backup.standing import Concern
from chancery.services.lateness import crl_late_at
from chancery.services.status.crl_watch import alarming
from chancery.services.status.responder_content import PROFILE, REQUEST_PREFIX

_DAY_S: Final = 86_400
CA_SOON_S: Final = 90 * _DAY_S
_CA_NOW_S: Final = 14 * _DAY_S
_OWN_SOON_S: Final = 14 * _DAY_S
_RESPONDERS: Final = 20
"""Certificates looked at to find the one of the responder: others of its profile are few."""
_LOG_LATE_MS: Final = 120_000


class Urgency(StrEnum):
    NOW = "now"
    SOON = "soon"


@dataclass(frozen=True, slots=True)
class Point:
    """*about* is the CA it concerns, "" for the service itself; *remedy* says what to do."""

    kind: str
    urgency: Urgency
    about: str
    text: str
    remedy: str
    at: int  # Unix seconds: when it ends, or since when it is late


_SINGLY: Final = 3
"""Keys named one by one; more of a kind are one line."""


class AttentionService:
    """Looks at a few rows of each CA: cheap however many certificates there are."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        own_certificate: Callable[[], int | None],
        log_waiting_ms: Callable[[], int],
        backups: Callable[[], Sequence[Concern]] = tuple,
        keys: Callable[[Principal], Sequence[KeyNotice]] = lambda _: (),
    ) -> None:
        """*own_certificate* gives the end of the service's own TLS certificate."""
        self._store = store
        self._clock = clock
        self._own = own_certificate
        self._log_waiting_ms = log_waiting_ms
        self._backups = backups
        self._keys = keys

    def points(self, principal: Principal) -> list[Point]:
        """Everything that needs somebody, the most urgent first."""
        demand(principal, Permission.AUTHORITY_READ)
        now = self._clock.s()
        with self._store.read() as session:
            found = [
                point
                for authority in session.authorities.all()
                if authority.state is not AuthorityState.AWAITING_CERTIFICATE
                for point in _of_authority(session, authority, now)
            ]
            found += [
                _of_url(one) for one in session.publications.sightings() if alarming(one, now)
            ]
            found += _of_publishers(session.publications.all(), now)
        found += self._of_service(now)
        if Permission.BACKUP_READ in principal.permissions:
            found += [
                Point(
                    "backup",
                    Urgency.NOW if one.now else Urgency.SOON,
                    "",
                    one.text,
                    one.remedy,
                    one.at,
                )
                for one in self._backups()
            ]
        if Permission.KEY_READ in principal.permissions:
            found += _of_keys(self._keys(principal))
        return sorted(found, key=lambda point: (point.urgency is Urgency.SOON, point.at))

    def _of_service(self, now: int) -> Iterator[Point]:
        ends = self._own()
        if ends is not None and ends - now < _OWN_SOON_S:
            yield Point(
                "own-certificate",
                Urgency.NOW if ends <= now + _DAY_S else Urgency.SOON,
                "",
                "The certificate of this service ends soon: renewing it by itself has failed.",
                "Look for own-certificate in the log of the jobs process.",
                ends,
            )
        try:
            waiting_ms = self._log_waiting_ms()
        except CAError as error:
            yield Point(
                "audit", Urgency.NOW, "", f"The audit log: {error}", error.remedy or "", now
            )
            return
        if waiting_ms > _LOG_LATE_MS:
            yield Point(
                "audit",
                Urgency.NOW,
                "",
                "Records wait for a checkpoint of the audit log.",
                "Look whether the jobs process and the signer run.",
                now - waiting_ms // 1000,
            )


def _of_keys(found: Sequence[KeyNotice]) -> Iterator[Point]:
    """What is late one by one; what is to come in one line where it is much."""
    for kind in NoticeKind:
        for late in (True, False):
            some = [one for one in found if one.kind is kind and one.late is late]
            words, remedy = _KEY_WORDS[kind, late]
            urgency = Urgency.NOW if late else Urgency.SOON
            if len(some) > _SINGLY:
                text = f"{len(some)} keys {words[1]}."
                yield Point("key", urgency, "", text, remedy, some[0].at)
                continue
            for one in some:
                text = f"Key {one.key.name} {words[0]}."
                yield Point("key", urgency, one.key.name, text, remedy, one.at)


_KEY_WORDS: Final = {
    (NoticeKind.ROTATION, True): (
        ("was not renewed when it should have been", "were not renewed when they should have been"),
        "Somebody stopped it, or its vault is away: resume it, rotate it by hand, or end it.",
    ),
    (NoticeKind.ROTATION, False): (
        ("gets a new version soon", "get new versions soon"),
        "It happens by itself; whoever keeps a copy of it must get the new one.",
    ),
    (NoticeKind.END, True): (
        ("protects nothing new any more", "protect nothing new any more"),
        "Rotate it, or deactivate it for good.",
    ),
    (NoticeKind.END, False): (
        ("ends soon, and nothing renews it", "end soon, and nothing renews them"),
        "Rotate it in time.",
    ),
}

_WORDS: Final = {
    Sight.LATE: "is late where it is published",
    Sight.EXPIRED: "has expired where it is published",
    Sight.WRONG: "is not what should be published",
    Sight.AWAY: "cannot be fetched",
}
_TRIES: Final = 3  # of a publisher, before somebody is called


def _of_url(one: Sighting) -> Point:
    return Point(
        "publication",
        Urgency.SOON if one.state is Sight.AWAY else Urgency.NOW,
        one.authority,
        f"The CRL {one.name} {_WORDS[one.state]}: {one.url}",
        f"The watchdog says: {one.said}. Look at Publication, and at the log of the jobs process.",
        one.since,
    )


def _of_publishers(rows: Sequence[Publication], now: int) -> list[Point]:
    failing: dict[str, Publication] = {}
    for row in rows:
        if row.attempts >= _TRIES:
            failing.setdefault(row.publisher, row)
    return [
        Point(
            "publisher",
            Urgency.SOON,
            "",
            f"Publisher {name} does not take files.",
            row.error or "",
            row.published_at or now,
        )
        for name, row in sorted(failing.items())
    ]


def _of_authority(session: Session, authority: Authority, now: int) -> Iterator[Point]:
    yield from _ends(session, authority, now)
    yield from _ocsp(session, authority, now)
    crl = session.crls.latest(authority.name)
    late_at = crl_late_at(authority, crl) if crl is not None else None
    if crl is not None and late_at is not None and now >= late_at:
        expired = now >= crl.next_update
        by_itself = not authority.offline and authority.key_id is not None
        yield Point(
            "crl",
            Urgency.NOW if expired or by_itself else Urgency.SOON,
            authority.name,
            f"CRL {crl.number} of {authority.name} {'has expired' if expired else 'is late'}.",
            "Issue one by hand, and look at the log of the jobs process."
            if by_itself
            else "Make one where the key is, and hand it in.",
            crl.next_update if expired else late_at,
        )


def _ocsp(session: Session, authority: Authority, now: int) -> Iterator[Point]:
    """A responder's certificate is renewed at half its life; at three quarters that failed."""
    if authority.offline or authority.key_id is None:
        return
    where = CertificateFilter(authority=authority.name, profile=PROFILE)
    made = session.certificates.find(where, Page(limit=_RESPONDERS))
    youngest = next((one for one in made if one.request_id.startswith(REQUEST_PREFIX)), None)
    if youngest is None:
        return
    late_at = youngest.not_after - (youngest.not_after - youngest.not_before) // 4
    if now >= late_at:
        over = now >= youngest.not_after
        yield Point(
            "ocsp",
            Urgency.NOW,
            authority.name,
            f"OCSP of {authority.name} {'cannot answer' if over else 'will end'}: the certificate"
            " of its responder was not renewed.",
            "Look at the log of the jobs process, and whether the signer runs.",
            youngest.not_after,
        )


def _ends(session: Session, authority: Authority, now: int) -> Iterator[Point]:
    current = next((c for c in session.authorities.certificates(authority.name) if c.current), None)
    if current is None or current.not_after - now >= CA_SOON_S:
        return
    over = current.not_after <= now
    yield Point(
        "ca",
        Urgency.NOW if current.not_after - now < _CA_NOW_S else Urgency.SOON,
        authority.name,
        f"The certificate of {authority.name} {'has expired' if over else 'expires'}.",
        "Renew the CA, with the same key or a new one.",
        current.not_after,
    )
