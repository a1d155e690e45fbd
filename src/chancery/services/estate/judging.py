"""What is to become of each certificate of an import: whose it is, and whether it is known."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.authority import Authority
from chancery.domain.certificate import CertificateRecord, CertificateStatus
from chancery.domain.errors import BadRequest
from chancery.domain.estate import ENTRY, FOREIGN, PROFILE, EstateRow, Issuer, Outcome
from chancery.domain.identity import AuthMethod, Principal
from chancery.ports import Session
from chancery.services.estate.reading import Item
from chancery.services.issuers import find
from chancery.wire import foreign_certificate
from chancery.wire.foreign_certificate import ForeignCertificate

_COMMON_NAME = re.compile(r"(?:^|[,+])CN=((?:[^,+\\]|\\.)+)")
_V, _H, _R = CertificateStatus.VALID, CertificateStatus.HELD, CertificateStatus.REVOKED
MOVES: Final = frozenset({(_V, _H), (_V, _R), (_H, _R), (_H, _V)})
"""How the status of an imported certificate may change when its list is read again."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A CA on record, with every certificate it had.  *closed*: why these may not be touched."""

    authority: Authority
    certificates: tuple[ForeignCertificate, ...]
    kind: Issuer
    closed: str | None


class Judge:
    """Holds items against the record as one session sees it."""

    def __init__(self, session: Session, principal: Principal, given: str | None) -> None:
        """*given* names the authority of entries without issuer; NotFound if there is none."""
        self._session = session
        self._known = [_known(session, principal, one) for one in session.authorities.all()]
        self._given = None if given is None else self._named(find(session, given).name)
        self._own = {one.sha256 for known in self._known for one in known.certificates}
        self._seen: dict[tuple[str, str], str] = {}

    def rows(self, items: Iterable[Item]) -> Iterator[tuple[EstateRow, bytes]]:
        """Each item as a row, and its certificate where that is still needed."""
        for number, item in enumerate(items, start=1):
            row = EstateRow(number, item.file, item.line, Outcome.PROBLEM, note=item.note)
            try:
                if item.error is not None:
                    raise item.error
                row = self._judged(self._described(row, item))
            except BadRequest as error:
                row = _refused(replace(row, serial=item.serial, subject=item.subject), error)
            needed = item.certificate is not None and row.outcome is Outcome.NEW
            yield row, item.certificate.der if needed and item.certificate else b""

    def _described(self, row: EstateRow, item: Item) -> EstateRow:
        """Everything that is known of it, and whose it is."""
        if not item.serial:
            raise _bad("it has no serial number", "import.serial", "add the column that has it")
        if item.not_after is None:
            raise _bad("nobody says when it ends", "import.not-after", "add that column")
        certificate = item.certificate
        kind, authority = self._issuer(item)
        return replace(
            row,
            issuer_kind=kind,
            authority=authority,
            issuer=item.issuer,
            serial=item.serial,
            subject=item.subject,
            names=tuple(name.text for name in item.names),
            not_before=item.not_before,
            not_after=item.not_after,
            tells_status=item.tells,
            status=item.status.value,
            revoked_at=item.revoked_at,
            reason=None if item.reason is None else item.reason.value,
            invalidity_date=item.invalidity_date,
            sha256=certificate.sha256 if certificate else f"{ENTRY}{authority}/{item.serial}",
            key_sha256=certificate.key_sha256 if certificate else "",
        )

    def _issuer(self, item: Item) -> tuple[Issuer, str]:
        known = self._signer(item.certificate) if item.certificate else self._named_in(item)
        if known is None:
            return Issuer.FOREIGN, mark_of(item.issuer)
        if known.closed is not None:
            raise _bad(known.closed, "container.owner", "ask a member of that group")
        if known.kind is Issuer.OWN and item.certificate is None and item.status is _V:
            raise _bad(
                f"{known.authority.name} would vouch for a certificate that nobody has seen",
                "import.entry-alone",
                "import the certificate itself: `openssl ca` keeps it as newcerts/SERIAL.pem",
            )
        return known.kind, known.authority.name

    def _signer(self, certificate: ForeignCertificate) -> _Known | None:
        namesakes = [
            known
            for known in self._known
            if any(one.subject_der == certificate.issuer_der for one in known.certificates)
        ]
        for known in namesakes:
            if any(certificate.signed_by(one) for one in known.certificates):
                return known
        if namesakes:
            raise _bad(
                f"it names {namesakes[0].authority.name} as its issuer,"
                " and no key on record of that CA made its signature",
                "import.signature",
                "find out who signed it; a former key of that CA must be on record first",
            )
        return None

    def _named_in(self, item: Item) -> _Known | None:
        if not item.issuer:
            if self._given is None:
                raise _bad(
                    "nobody says which CA issued it",
                    "import.issuer",
                    "name the CA (--ca), or add its certificate or the column of issuers",
                )
            return self._given
        for known in self._known:
            if any(one.subject == item.issuer for one in known.certificates):
                return known
        return None

    def _named(self, name: str) -> _Known:
        return next(known for known in self._known if known.authority.name == name)

    def _judged(self, row: EstateRow) -> EstateRow:
        place = f"{row.file}, line {row.line}" if row.line else row.file
        if row.sha256 in self._own:
            return replace(row, outcome=Outcome.KNOWN, note="a certificate of a CA on record")
        if (other := self._seen.get((row.authority, row.serial))) is not None:
            return replace(row, outcome=Outcome.KNOWN, note=f"also in {other}")
        self._seen[row.authority, row.serial] = place
        return standing(self._session, row)


def mark_of(issuer: str) -> str:
    """Under what the certificates of a stranger stand: readable, and one of a kind."""
    common = _COMMON_NAME.search(issuer)
    words = re.sub(r"[^a-z0-9]+", "-", (common[1] if common else issuer).lower()).strip("-")
    digest = hashlib.sha256(issuer.encode()).hexdigest()
    return f"{FOREIGN}{words[:40].strip('-') or 'issuer'}-{digest[:8]}"


def standing(session: Session, row: EstateRow) -> EstateRow:
    """The row held against the record: NEW, UPDATE, KNOWN or PROBLEM."""
    found = session.certificates.by_serial(row.serial, row.authority)
    if not found:
        if (same := session.certificates.by_hash(row.sha256)) is not None:
            return replace(row, outcome=Outcome.KNOWN, note=f"on record under {same.authority}")
        if session.certificates.status(row.authority, row.serial) is not None:
            return _refused(
                row,
                _bad(
                    "its serial was chosen here for a certificate that is not on record",
                    "import.intended",
                    "let the audit log tell what became of that: `chancery audit list`",
                ),
            )
        return replace(row, outcome=Outcome.NEW)
    (record,) = found
    if record.sha256 != row.sha256 and not (_entry(record.sha256) or _entry(row.sha256)):
        return _refused(
            row,
            _bad(
                "another certificate has this serial and this issuer",
                "import.serial-taken",
                f"compare it with `chancery certificate show {row.serial}`",
            ),
        )
    return _again(row, record)


def _entry(sha256: str) -> bool:
    return sha256.startswith(ENTRY)


def _again(row: EstateRow, record: CertificateRecord) -> EstateRow:
    """A certificate on record: its status may be news."""
    wanted = CertificateStatus(row.status)
    if wanted is record.status or not row.tells_status:
        return replace(row, outcome=Outcome.KNOWN, note=row.note or "on record")
    if record.profile == PROFILE and (record.status, wanted) in MOVES:
        return replace(row, outcome=Outcome.UPDATE)
    said = f"on record as {record.status.value}, in the file as {wanted.value}"
    return replace(row, outcome=Outcome.KNOWN, note=said)


def _known(session: Session, principal: Principal, authority: Authority) -> _Known:
    ders = [one.der for one in session.authorities.certificates(authority.name)]
    ours = authority.key_id is not None and not authority.offline
    return _Known(
        authority,
        tuple(foreign_certificate.decode(der) for der in ders),
        Issuer.OWN if ours else Issuer.EXTERNAL,
        _closed(session, principal, authority.container),
    )


def _closed(session: Session, principal: Principal, container: str) -> str | None:
    found = session.authorities.container(container)
    group = None if found is None else found.owner_group
    if group is None or principal.method is AuthMethod.SYSTEM or group in principal.groups:
        return None
    return f"its CA stands in container {container}, which belongs to group {group}"


def _refused(row: EstateRow, error: BadRequest) -> EstateRow:
    return replace(
        row, outcome=Outcome.PROBLEM, problem=str(error), rule=error.rule, remedy=error.remedy
    )


def _bad(why: str, rule: str, remedy: str) -> BadRequest:
    return BadRequest(why, field="row", rule=rule, remedy=remedy)
