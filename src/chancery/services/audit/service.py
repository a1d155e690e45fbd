"""Checkpoints of the audit log, and answers to auditors."""

import threading
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain import merkle
from chancery.domain.audit import AuditRecord
from chancery.domain.errors import BadRequest, NotFound, SignerRefused, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.merkle import ROW
from chancery.ports import Clock, KeyVault, Publisher, Store
from chancery.services.access import demand
from chancery.services.audit.integration import TiledLog, tampered
from chancery.wire import note, tiles
from chancery.wire.note import Checkpoint, VerifierKey
from chancery.wire.tiles import TileReader

_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the signed tree is behind the record.

    *waiting_ms* is the age of the oldest record no checkpoint covers, 0 if none.
    """

    recorded: int
    covered: int
    waiting_ms: int


class AuditService:
    """Signs the log's tree and shows it; the services write the records themselves.

    *publisher* holds the log as a tlog-tiles directory.  *origin* names log and
    key in every checkpoint, and must never change while the log lives.
    """

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        key_id: str,
        origin: str,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._store, self._vault, self._publisher, self._clock = store, vault, publisher, clock
        self._key_id, self._origin = key_id, origin
        self._signing = threading.Lock()
        self._log: TiledLog | None = None
        self._key: VerifierKey | None = None

    def verifier_key(self) -> VerifierKey:
        """What auditors verify with: keep it away from the host of the log (``audit.vkey``)."""
        if self._key is None:
            spki = self._vault.key(self._key_id).spki
            self._key = VerifierKey.from_spki(self._origin, spki)
        return self._key

    def checkpoint(self) -> Checkpoint:
        """Cover every record by a signed checkpoint; return the one that stands.

        The order is what makes a crash at any point harmless: tiles are
        durable before the checkpoint that names them, and a tile once written
        is only ever written again with the same bytes.  AuditTampered, and
        nothing is signed, if the database or the tiles contradict the last
        checkpoint; that one is read anew each time, because it alone binds.
        """
        with self._signing:
            standing = self._standing_checkpoint()
            try:
                log, self._log = self._take_up(standing), None
                grown = self._grow(log)
                if standing is None or grown.size > standing.size:
                    self._prove_growth(standing, grown)
                    self._sign(grown)
            except BadRequest as error:  # a tile is missing or malformed, or proves nothing
                raise tampered("audit.tiles", str(error)) from error
            self._log = log
            return grown

    def standing(self) -> Standing:
        """For health checks: a log that falls behind should stop the office before it surprises."""
        checkpoint = self._standing_checkpoint()
        covered = checkpoint.size if checkpoint else 0
        with self._store.read() as session:
            recorded = session.audit.size()
            if recorded < covered:
                raise tampered(
                    "audit.rolled-back",
                    f"the database holds {recorded} records, {covered} were signed",
                )
            newest = session.audit.records(covered - 1, covered) if covered else []
            oldest = session.audit.records(covered, min(covered + 1, recorded))
        if newest and newest[0].hash != self._signed_leaf(covered):
            raise tampered(
                "audit.rolled-back",
                f"record {covered - 1} in the database is not the one that was signed",
            )
        waiting = max(self._clock.ms() - oldest[0].time_ms, 0) if oldest else 0
        return Standing(recorded, covered, waiting)

    def _signed_leaf(self, covered: int) -> bytes:
        """The hash of the last leaf that the standing checkpoint covers, from its tile."""
        try:
            return TileReader(self._publisher.published, covered).hashes(0, (covered - 1) // ROW)[
                -1
            ]
        except BadRequest as error:
            raise tampered("audit.tiles", str(error)) from error

    def search(
        self,
        principal: Principal,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        before_seq: int | None = None,
        limit: int = 100,
    ) -> list[AuditRecord]:
        """Records that meet every condition, newest first; *before_seq* turns the page."""
        demand(principal, Permission.AUDIT_READ)
        if not 1 <= limit <= 1000:
            raise BadRequest("a page holds 1 to 1000 records", field="limit", rule="page.limit")
        with self._store.read() as session:
            return session.audit.find(
                actor=actor,
                action=action,
                subject_id=subject_id,
                since_ms=since_ms,
                until_ms=until_ms,
                before_seq=before_seq,
                limit=limit,
            )

    def record(self, principal: Principal, seq: int) -> AuditRecord:
        demand(principal, Permission.AUDIT_READ)
        with self._store.read() as session:
            # A number no database column holds is no record either.
            found = session.audit.records(seq, seq + 1) if 0 <= seq < note.MAX_SIZE - 1 else []
        if not found:
            raise NotFound(
                f"no audit record {seq}",
                field="seq",
                rule="audit.known",
                remedy="`chancery audit list` shows the newest; the first is 0",
            )
        return found[0]

    def inclusion(self, principal: Principal, seq: int) -> dict[str, object]:
        """Prove that the checkpoint covers a record: all an auditor needs but the public key.

        Hashes in the answer are hex; ``checkpoint`` is the signed note.
        WrongState while no checkpoint covers the record yet.
        """
        return self.prove(self.record(principal, seq))

    def prove(self, record: AuditRecord) -> dict[str, object]:
        """The same for a record that the caller may show."""
        seq = record.seq
        signed = self._publisher.published(tiles.CHECKPOINT)
        checkpoint = self._open(signed) if signed is not None else None
        if signed is None or checkpoint is None or seq >= checkpoint.size:
            raise WrongState(
                f"no checkpoint covers record {seq} yet",
                field="seq",
                rule="audit.uncovered",
                remedy="ask again in a moment: checkpoints follow within seconds",
            )
        try:
            proof = TileReader(self._publisher.published, checkpoint.size).inclusion_proof(seq)
            merkle.verify_inclusion(record.hash, seq, checkpoint.size, proof, checkpoint.root)
        except BadRequest as error:
            raise tampered("audit.inclusion", f"record {seq}: {error}") from error
        return {
            "seq": seq,
            "leaf": record.leaf.decode(),
            "leaf_hash": record.hash.hex(),
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "proof": [node.hex() for node in proof],
            "checkpoint": signed.decode(),
        }

    def published_checkpoint(self) -> bytes:
        """The standing checkpoint as a signed note; NotFound before the first."""
        signed = self._publisher.published(tiles.CHECKPOINT)
        if signed is None:
            raise NotFound(
                "no checkpoint has been signed yet",
                field="checkpoint",
                rule="checkpoint.known",
                remedy="wait a few seconds: one is signed soon after start",
            )
        return signed

    def seal(self, line: str) -> bytes:
        """Sign the standing checkpoint once more, with *line* as an extension; a signed note.

        So the log's key vouches for something that is no record: the manifest
        of a backup, say.
        """
        with self._signing:
            for left in reversed(range(_TRIES)):
                standing = self._standing_checkpoint() or Checkpoint(
                    self._origin, 0, merkle.EMPTY_ROOT
                )
                text = replace(standing, extensions=(line,)).text()
                try:
                    signature = self._vault.sign_checkpoint(self._key_id, text.encode())
                except SignerRefused:  # another machine has just signed a larger tree
                    if not left:
                        raise
                    continue
                signed = note.sign_note(text, self.verifier_key(), signature)
                self._open(signed)
                return signed
        raise AssertionError("unreachable: the last try returns or raises")

    def _standing_checkpoint(self) -> Checkpoint | None:
        signed = self._publisher.published(tiles.CHECKPOINT)
        return None if signed is None else self._open(signed)

    def _open(self, signed: bytes) -> Checkpoint:
        try:
            checkpoint = note.parse_checkpoint(note.open_note(signed, self.verifier_key()))
        except BadRequest as error:
            raise tampered("audit.checkpoint", str(error)) from error
        if checkpoint.origin != self._origin:
            raise tampered("audit.checkpoint", f"it is the one of {checkpoint.origin}")
        return checkpoint

    def _take_up(self, standing: Checkpoint | None) -> TiledLog:
        log = self._log
        size, root = _tree(standing)
        if log is None or (log.size, log.root()) != (size, root):
            log = TiledLog(self._publisher, standing)
        return log

    def _grow(self, log: TiledLog) -> Checkpoint:
        with self._store.read() as session:
            size = session.audit.size()
        if size < log.size:
            raise tampered(
                "audit.rolled-back", f"the database holds {size} records, {log.size} were signed"
            )
        log.integrate(self._records, size)
        return Checkpoint(self._origin, size, log.root())

    def _records(self, first: int, end: int) -> list[AuditRecord]:
        # One read each: records never change, and a long snapshot burdens the database.
        with self._store.read() as session:
            return session.audit.records(first, end)

    def _prove_growth(self, standing: Checkpoint | None, grown: Checkpoint) -> None:
        """A last look at what is on show: do the files prove that the log only grew?"""
        size, root = _tree(standing)
        proof = TileReader(self._publisher.published, grown.size).consistency_proof(size)
        merkle.verify_consistency(size, grown.size, root, grown.root, proof)

    def _sign(self, checkpoint: Checkpoint) -> None:
        text = checkpoint.text()
        signature = self._vault.sign_checkpoint(self._key_id, text.encode())
        signed = note.sign_note(text, self.verifier_key(), signature)
        self._open(signed)  # what does not verify is not published
        self._publisher.publish(tiles.CHECKPOINT, signed)


def _tree(checkpoint: Checkpoint | None) -> tuple[int, bytes]:
    return (checkpoint.size, checkpoint.root) if checkpoint else (0, merkle.EMPTY_ROOT)
