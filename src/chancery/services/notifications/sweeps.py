"""What happens by the passing of time: certificates and CAs that expire, CRLs that are late."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from chancery.domain.authority import Authority, CrlRecord
from chancery.domain.certificate import CertificateRecord
from chancery.domain.estate import PROFILE as IMPORTED
from chancery.domain.key_notices import KeyNotice, NoticeKind
from chancery.domain.notification import CA_EXPIRY_DAYS, EXPIRY_DAYS, Event
from chancery.ports import Clock, Session, Store
from chancery.services.backup.standing import concerns
from chancery.services.keys.notices import noticed
from chancery.services.lateness import crl_late_at
from chancery.services.notifications.announcer import Announcer, certificate_facts

_DAY_S: Final = 86_400
_DRILL_S: Final = 90 * _DAY_S
_BATCH: Final = 500  # certificates of one unit of work
_ALL: Final = 1_000_000
_IN_ONE: Final = 50  # certificates of one message


class Sweeps:
    """Idempotent: each event is told once, whoever runs it and how often."""

    def __init__(
        self, store: Store, announcer: Announcer, clock: Clock, drill_every_s: int = _DRILL_S
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._drill_every_s = drill_every_s

    def backups(self) -> None:
        """Tell of backups that are late or failed, and of restores that nobody tried."""
        if self._announcer.silent:
            return
        with self._store.read() as session:
            found = list(concerns(session, self._clock.s(), self._drill_every_s))
            marks = {f"backup/{one.kind}/{one.at}": one for one in found}
            told = session.notifications.marked(list(marks))
        due = {mark: one for mark, one in marks.items() if mark not in told}

        def unit(session: Session) -> None:
            for mark, one in due.items():
                data = {
                    "concern": {
                        "kind": one.kind,
                        "text": one.text,
                        "remedy": one.remedy,
                        "at": one.at,
                    }
                }
                self._announcer.tell(session, Event.BACKUP_CONCERN, one.kind, data, mark=mark)

        if due:
            self._store.write(unit)

    def expiring(self) -> int:
        """Tell owners and RAs of certificates that expire in 30, 14, 7 days and in one.

        A threshold is a line that moves along the certificates in the order of
        their expiry; each certificate is crossed once by each of them.  One
        that lives shorter than a threshold was issued behind that line.
        Return how many certificates were told of.
        """
        if self._announcer.silent:
            return 0
        return sum(self._cross(days, shorter) for days, shorter in _with_next(EXPIRY_DAYS))

    def _cross(self, days: int, shorter: int) -> int:
        told = 0
        while True:
            now = self._clock.s()
            line = now + days * _DAY_S
            step = partial(self._step, days=days, shorter=shorter, line=line, now=now)
            crossed, last = self._store.write(step)
            told += crossed
            if last:
                return told

    def _step(
        self, session: Session, days: int, shorter: int, line: int, now: int
    ) -> tuple[int, bool]:
        """Cross some certificates in one unit; whether those were all."""
        cursor = f"expiring-{days}"
        position = session.figures.position(cursor)
        if position is None:  # from now on: what is on record already was somebody else's to tell
            session.figures.advance(cursor, None, line)
            return 0, True
        taken = session.certificates.expiring(position, line, _BATCH)
        whole = len(taken) < _BATCH
        until = line
        if not whole:  # all that expire in the second of the last one come along
            until = taken[-1].not_after
            others = session.certificates.expiring(until - 1, until, _ALL)
            taken = [one for one in taken if one.not_after < until] + others
        if until > position:
            session.figures.advance(cursor, position, until)
        # What the next threshold has crossed as well (we were away) is told by that one.
        soonest = now + shorter * _DAY_S
        due = [one for one in taken if one.not_after > soonest and not _superseded(session, one)]
        self._tell(session, days, due)
        return len(due), whole

    def _tell(self, session: Session, days: int, due: Sequence[CertificateRecord]) -> None:
        groups: defaultdict[tuple[str, str], list[CertificateRecord]] = defaultdict(list)
        for record in due:
            request = session.requests.get(record.request_id)
            if request is not None:
                groups[request.ra, record.requester].append(record)
            elif record.profile == IMPORTED:  # no RA brought it: it is the CA operators' to know
                groups["", record.requester].append(record)
        for (ra, requester), records in sorted(groups.items()):
            for start in range(0, len(records), _IN_ONE):
                facts = [certificate_facts(one) for one in records[start : start + _IN_ONE]]
                data: dict[str, Any] = {"days": days, "requester": requester, "certificates": facts}
                about = f"{ra or IMPORTED}/{requester}"
                self._announcer.tell(
                    session, Event.CERTIFICATE_EXPIRING, about, data, ra=ra or None
                )

    def authorities(self) -> None:
        """Tell of CAs that expire in 90, 30 and 7 days, and of CRLs that should have come."""
        if self._announcer.silent:
            return
        now = self._clock.s()
        with self._store.read() as session:
            due = [
                one
                for authority in session.authorities.all()
                for one in (
                    *_ca_expiring(session, authority, now),
                    *_late(authority, session.crls.latest(authority.name), now),
                )
            ]
            told = session.notifications.marked([mark for *_, mark in due])
        due = [one for one in due if one[-1] not in told]
        if not due:
            return

        def unit(session: Session) -> None:
            for event, about, data, mark in due:
                self._announcer.tell(session, event, about, data, mark=mark)

        self._store.write(unit)

    def keys(self) -> None:
        """Tell of keys that get a new version soon, or whose time ends."""
        if self._announcer.silent:
            return
        now = self._clock.s()
        with self._store.read() as session:
            marks = {_mark(one): one for one in noticed(session, now)}
            told = session.notifications.marked(list(marks))
        due = {mark: one for mark, one in marks.items() if mark not in told}

        def unit(session: Session) -> None:
            for mark, one in due.items():
                event = _KEY_EVENTS[one.kind]
                self._announcer.tell(session, event, one.key.name, _key_facts(one, now), mark=mark)

        if due:
            self._store.write(unit)


_KEY_EVENTS: Final = {
    NoticeKind.ROTATION: Event.KEY_ROTATION_DUE,
    NoticeKind.END: Event.KEY_EXPIRING,
}


def _mark(one: KeyNotice) -> str:
    return f"key-{one.kind.value}/{one.key.id}/{one.version}/{one.at}"


def _key_facts(one: KeyNotice, now: int) -> dict[str, Any]:
    key = one.key
    return {
        "key": {
            "name": key.name,
            "version": one.version,
            "kind": key.kind.value,
            "group": key.group,
            "state": one.state.value,
            "custodian": key.custodian,
        },
        "due": one.at,
        "days": max(1, -(-(one.at - now) // _DAY_S)),
        "late": one.late,
        "overlap": key.rotation.overlap,
    }


def _with_next(days: Sequence[int]) -> list[tuple[int, int]]:
    """Each threshold and the next shorter one (0: the end itself)."""
    return list(zip(days, (*days[1:], 0), strict=True))


def _superseded(session: Session, record: CertificateRecord) -> bool:
    """Whether its renewal is on record and valid."""
    others = session.certificates.valid_subject(record.authority, record.subject, record.not_after)
    for other, _ in others:
        found = session.certificates.get(other) if other != record.id else None
        if found is not None and found.renewed_from == record.id:
            return True
    return False


_Due = tuple[Event, str, dict[str, Any], str]


def _ca_expiring(session: Session, authority: Authority, now: int) -> list[_Due]:
    """The nearest threshold that the current certificate has crossed."""
    current = next((c for c in session.authorities.certificates(authority.name) if c.current), None)
    if current is None or not now < current.not_after <= now + CA_EXPIRY_DAYS[0] * _DAY_S:
        return []
    days = min(days for days in CA_EXPIRY_DAYS if current.not_after <= now + days * _DAY_S)
    data = {
        "authority": authority.name,
        "subject": authority.subject.text,
        "serial": current.serial,
        "not_after": current.not_after,
        "days": days,
    }
    mark = f"ca-expiring/{authority.name}/{current.serial}/{days}"
    return [(Event.CA_EXPIRING, authority.name, data, mark)]


def _late(authority: Authority, crl: CrlRecord | None, now: int) -> list[_Due]:
    late_at = crl_late_at(authority, crl) if crl is not None else None
    if crl is None or late_at is None or now < late_at:
        return []
    expired = now >= crl.next_update
    data = {
        "authority": authority.name,
        "number": crl.number,
        "this_update": crl.this_update,
        "next_update": crl.next_update,
        "expired": expired,
        "found": "",
    }
    stage = "expired" if expired else "late"
    mark = f"crl-{stage}/{authority.name}/{crl.number}"
    return [(Event.CRL_LATE, authority.name, data, mark)]
