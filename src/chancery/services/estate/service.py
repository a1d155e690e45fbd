"""Taking over certificates that exist: files in, a preview, and then onto the record.

A preview puts nothing on record.  An import goes on in steps, each one unit
of work, so that it can be watched, left and taken up again; what is on record
already is left alone, so that the same files may come as often as they like.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from chancery.domain.audit import AuditEvent
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.errors import NotFound
from chancery.domain.estate import (
    PENDING,
    PROFILE,
    EstateImport,
    EstateRow,
    ImportChoices,
    ImportState,
    Issuer,
    Outcome,
)
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.names import GeneralName, NameKind
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.estate.judging import Judge, standing
from chancery.services.estate.reading import ImportFile, read

STEP: Final = 250
"""Rows of one unit of work."""
_STAGED: Final = 1_000
_STALE_S: Final = 86_400
"""A preview that nobody went on with for so long is forgotten with the next one."""


class EstateService:
    """Imports of existing certificates.  Safe for concurrent use."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    def preview(
        self,
        principal: Principal,
        files: Sequence[ImportFile],
        choices: ImportChoices,
        passphrase: str | None = None,
    ) -> EstateImport:
        """Read *files* and say of each certificate what would become of it.

        *passphrase* opens PKCS#12 files; their keys are not kept.
        """
        demand(principal, Permission.CERTIFICATE_IMPORT)
        items = read(files, choices, passphrase)
        now = self._clock.s()
        with self._store.read() as session:
            judged = list(Judge(session, principal, choices.authority).rows(items))
        new = EstateImport(
            id=new_id(self._clock.ms(), self._entropy(10)),
            state=ImportState.PREVIEW,
            created_by=principal.name,
            created_at=now,
            finished_at=None,
            files=tuple(file.name for file in files),
            choices=choices,
            total=len(judged),
            position=0,
        )

        def begin(session: Session) -> None:
            for stale in session.estates.stale(now - _STALE_S):
                session.estates.delete(stale)
            session.estates.add(new)

        self._store.write(begin)
        for start in range(0, len(judged), _STAGED):
            self._store.write(partial(_stage, new.id, judged[start : start + _STAGED]))
        return self.show(principal, new.id)

    def find(
        self, principal: Principal, cursor: str | None = None, limit: int = 100
    ) -> list[EstateImport]:
        """Imports, newest first."""
        demand(principal, Permission.CERTIFICATE_IMPORT)
        with self._store.read() as session:
            return session.estates.find(cursor, limit)

    def show(self, principal: Principal, import_id: str) -> EstateImport:
        demand(principal, Permission.CERTIFICATE_IMPORT)
        with self._store.read() as session:
            return _found(session, import_id)

    def rows(
        self,
        principal: Principal,
        import_id: str,
        outcome: Outcome | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[EstateRow]:
        """Rows in the order of the files, with numbers above *after*."""
        demand(principal, Permission.CERTIFICATE_IMPORT)
        with self._store.read() as session:
            _found(session, import_id)
            return session.estates.rows(import_id, outcome, after, limit)

    def discard(self, principal: Principal, import_id: str) -> None:
        """Forget an import and its report; certificates that it brought stay."""
        demand(principal, Permission.CERTIFICATE_IMPORT)

        def unit(session: Session) -> None:
            gone = _found(session, import_id)
            session.estates.delete(import_id)
            if gone.state is not ImportState.PREVIEW:
                leaf = event(principal, "import.report-removed", import_id, position=gone.position)
                session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)

    def step(self, principal: Principal, import_id: str, limit: int = STEP) -> EstateImport:
        """Put the next rows on record; nothing where all are decided.

        Conflict if somebody else took this step at the same moment.
        """
        demand(principal, Permission.CERTIFICATE_IMPORT)

        def unit(session: Session) -> EstateImport:
            current = _found(session, import_id)
            if current.state is ImportState.DONE:
                return current
            taken = session.estates.pending(import_id, current.position, limit)
            decided, leaves = self._decided(session, principal, import_id, taken)
            session.estates.decide(import_id, decided)
            position = taken[-1][0].number if taken else current.total
            done = position >= current.total
            state = ImportState.DONE if done else ImportState.RUNNING
            finished = self._clock.s() if done else None
            session.estates.advance(import_id, current.position, position, state, finished)
            after = _found(session, import_id)
            if done:
                leaves.append(_finished(principal, after))
            session.audit.append(leaves, self._clock.ms())
            return after

        return self._store.write(unit)

    def _decided(
        self,
        session: Session,
        principal: Principal,
        import_id: str,
        taken: Sequence[tuple[EstateRow, bytes]],
    ) -> tuple[list[EstateRow], list[AuditEvent]]:
        """Put *taken* on record; (their outcome, what is to be told of them)."""
        # Time has passed since the preview: what was new then may be known now.
        rows = [
            (standing(session, row) if row.outcome in PENDING else row, der) for row, der in taken
        ]
        fresh = [
            self._record(principal, import_id, row, der)
            for row, der in rows
            if row.outcome is Outcome.NEW
        ]
        session.certificates.adopt(fresh)
        decided, leaves = [], []
        for row, _ in rows:
            match row.outcome:
                case Outcome.NEW:
                    leaves.append(_adopted(principal, import_id, row))
                    if row.status != CertificateStatus.VALID:
                        leaves.append(self._stand(session, principal, row))
                    decided.append(replace(row, outcome=Outcome.IMPORTED))
                case Outcome.UPDATE:
                    leaves.append(self._stand(session, principal, row))
                    decided.append(replace(row, outcome=Outcome.UPDATED))
                case _:
                    decided.append(row)
        return decided, leaves

    def _record(
        self, principal: Principal, import_id: str, row: EstateRow, der: bytes
    ) -> CertificateRecord:
        now_ms = self._clock.ms()
        assert row.not_after is not None  # a row without it is a problem
        began = row.not_before if row.not_before is not None else now_ms // 1000
        return CertificateRecord(
            # By the date it was issued: newest first then holds for all there are.
            id=new_id(min(began * 1000, now_ms), self._entropy(10)),
            authority=row.authority,
            serial=row.serial,
            subject=row.subject,
            names=tuple(map(_name, row.names)),
            not_before=began,
            not_after=row.not_after,
            key_sha256=row.key_sha256,
            sha256=row.sha256,
            profile=PROFILE,
            profile_sha256="",
            request_id=f"import:{import_id}",
            requester=principal.name,
            der=der,
            issued_at=min(began, now_ms // 1000),
        )

    def _stand(self, session: Session, principal: Principal, row: EstateRow) -> AuditEvent:
        """Record that a certificate is revoked, held or free again, as its list says."""
        now = self._clock.s()
        (record,) = session.certificates.by_serial(row.serial, row.authority)
        status = CertificateStatus(row.status)
        details: dict[str, Any] = {"authority": row.authority, "serial": row.serial}
        when = reason = None
        if status is not CertificateStatus.VALID:
            reason = RevocationReason(row.reason or 0)
            when = min(row.revoked_at or now, now)
            details |= {"reason": reason.name, "revoked_at": when}
            if row.invalidity_date is not None:
                details["invalidity_date"] = row.invalidity_date
        session.certificates.set_status(
            record.id,
            [record.status],
            status,
            revoked_at=when,
            reason=reason,
            invalidity_date=row.invalidity_date,
        )
        if row.issuer_kind is Issuer.OWN:
            session.crls.mark_due(row.authority, now)
        verb = {"revoked": "revoked", "held": "held", "valid": "released"}[status.value]
        return event(principal, f"certificate.{verb}", f"{row.authority}/{row.serial}", **details)


def _stage(import_id: str, part: Sequence[tuple[EstateRow, bytes]], session: Session) -> None:
    session.estates.add_rows(import_id, part)


def _finished(principal: Principal, done: EstateImport) -> AuditEvent:
    details: dict[str, Any] = {outcome.value: n for outcome, n in sorted(done.counts.items())}
    details["files"] = [name[:128] for name in done.files[:50]]
    return event(principal, "import.finished", done.id, **details)


def _adopted(principal: Principal, import_id: str, row: EstateRow) -> AuditEvent:
    details: dict[str, Any] = {
        "authority": row.authority,
        "serial": row.serial,
        "sha256": row.sha256,
        "issuer": row.issuer_kind.value,
        "import": import_id,
    }
    subject_id = f"{row.authority}/{row.serial}"
    return event(principal, "certificate.imported", subject_id, **details)


def _name(text: str) -> GeneralName:
    kind, _, value = text.partition(":")
    return GeneralName(NameKind(kind), value)


def _found(session: Session, import_id: str) -> EstateImport:
    found = session.estates.get(import_id)
    if found is None:
        raise NotFound(
            f"there is no import {import_id[:64]}",
            field="id",
            rule="import.known",
            remedy="a preview is forgotten after a day: send the files again",
        )
    return found
