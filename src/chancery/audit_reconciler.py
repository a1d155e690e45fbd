"""The second half of ``audit_verifier.py``: are the books right?

Every certificate in the database has a record and a signature in the signer's
journal, every record and every signature has its certificate, and each status
and CRL is what the records say.  Stand-alone, like its other half; reads
SQLite, because the database of a PostgreSQL instance is not in its directory.
"""

import base64
import contextlib
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
BEGIN;
CREATE TABLE said (seq, action, authority, serial, value, at);
CREATE TABLE journal (seq, key_id, serial, tbs, signature, intent);
CREATE TABLE cert (authority, serial, sha256, tbs, signature);
CREATE TABLE ca_cert (authority, serial, tbs);
CREATE TABLE crl (authority, serial, sha256);
CREATE TABLE status (authority, serial, status, reason, at);
CREATE TABLE intent (id, authority, serial, abandoned);
CREATE VIEW told AS  -- the last word on each certificate; a release is as if nothing had been
    SELECT authority, serial, seq, status, reason, at FROM (
        SELECT authority, serial, max(seq) AS seq, substr(action, 13) AS status, value AS reason, at
        FROM said
        WHERE action IN ('certificate.revoked', 'certificate.held', 'certificate.released')
        GROUP BY authority, serial)
    WHERE status != 'released';
"""  # `tbs` is its SHA-256; `serial` of a CRL its number; `at` since when it is bad, in two ways
_VALUE = {
    "certificate.issued": "sha256",
    "certificate.imported": "sha256",
    "certificate.abandoned": "why",
    "certificate.revoked": "reason",
    "certificate.held": "reason",
    "certificate.released": "reason",
    "crl.issued": "sha256",
    "crl.accepted": "sha256",
}  # what is remembered of a leaf beside authority and serial (or CRL number)
_REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}  # RFC 5280 §5.3.1

# Finding code, what it means, and the query whose rows (authority, serial, detail) are findings.
_CHECKS = [
    ("certificate.missing", "its issuance is on record, it is not in the database", """
        SELECT authority, serial, 'record ' || seq
        FROM said LEFT JOIN cert USING (authority, serial)
        WHERE action IN ('certificate.issued', 'certificate.imported') AND cert.tbs IS NULL"""),
    ("certificate.unrecorded", "it is in the database, no record tells of its issuance", """
        SELECT authority, serial, sha256
        FROM cert LEFT JOIN
            (SELECT * FROM said WHERE action IN ('certificate.issued', 'certificate.imported'))
            USING (authority, serial)
        WHERE seq IS NULL"""),
    ("certificate.changed", "it is not the certificate whose issuance was recorded", """
        SELECT authority, serial, 'record ' || seq
        FROM said JOIN cert USING (authority, serial)
        WHERE action IN ('certificate.issued', 'certificate.imported') AND value != sha256"""),
    ("certificate.twice", "its issuance is on record more than once", """
        SELECT authority, serial, 'records ' || group_concat(seq)
        FROM said WHERE action IN ('certificate.issued', 'certificate.imported')
        GROUP BY authority, serial HAVING count(*) > 1"""),
    ("revocation.differs", "its status in the database is not what the records say", """
        SELECT authority, serial, 'record ' || told.seq || ', in the database: '
            || coalesce(status.status || ' ' || status.reason || ' ' || status.at, 'nothing')
        FROM told LEFT JOIN status USING (authority, serial)
        WHERE (told.status, told.reason, told.at)
            IS NOT (status.status, status.reason, status.at)"""),
    ("revocation.unrecorded", "the database says so, no record does", """
        SELECT authority, serial, status.status || ' ' || status.reason
        FROM status LEFT JOIN told USING (authority, serial) WHERE told.seq IS NULL"""),
    ("intent.differs", "records and database disagree on whether it was abandoned", """
        SELECT authority, serial, 'intent ' || id
        FROM intent LEFT JOIN
            (SELECT * FROM said WHERE action = 'certificate.abandoned') USING (authority, serial)
        WHERE abandoned != (seq IS NOT NULL)"""),
    ("crl.unrecorded", "no record tells of this CRL", """
        SELECT authority, serial, sha256
        FROM crl LEFT JOIN
            (SELECT * FROM said WHERE action IN ('crl.issued', 'crl.accepted'))
            USING (authority, serial)
        WHERE value IS NOT sha256"""),
]  # fmt: skip
_JOURNAL_CHECKS = [
    ("journal.unrecorded", "signed, but the database does not know it", """
        SELECT 'journal record ' || seq, j.serial, 'key ' || j.key_id
        FROM journal j LEFT JOIN cert USING (tbs) LEFT JOIN ca_cert USING (tbs)
            LEFT JOIN intent ON intent.id = j.intent
        WHERE cert.serial IS NULL AND ca_cert.serial IS NULL AND intent.id IS NULL"""),
    ("journal.abandoned", "on record as never signed, but it was", """
        SELECT authority, intent.serial, 'journal record ' || seq
        FROM journal j JOIN intent ON intent.id = j.intent WHERE abandoned"""),
    ("journal.signature", "its signature is not the one that the signer made", """
        SELECT authority, cert.serial, 'journal record ' || seq
        FROM journal j JOIN cert USING (tbs) WHERE j.signature != cert.signature"""),
]  # fmt: skip
_UNSIGNED = """
    SELECT authority, cert.serial, tbs FROM cert LEFT JOIN journal USING (tbs)
    WHERE seq IS NULL AND NOT EXISTS (SELECT 1 FROM said WHERE action = 'certificate.imported'
        AND said.authority = cert.authority AND said.serial = cert.serial)"""


@dataclass
class SignedCheckpoint:
    """A checkpoint that the journal says was signed."""

    origin: str
    size: int
    root: bytes
    where: str


class Reconciler:
    """Takes the journal, then what each leaf says, then the database."""

    def __init__(
        self,
        find: Callable[[str, str, str], None],
        counts: "Counter[str]",
        skipped: list[str],
        home: Path,
    ) -> None:
        self._find, self._counts, self._skipped = find, counts, skipped
        self._directory = home / "journal"
        self._facts = sqlite3.connect("", isolation_level=None)  # temporary; spills to disk
        self._facts.executescript(_SCHEMA)
        self._journal = any(self._directory.glob("*.journal"))
        if not self._journal:
            skipped.append("journal")

    def journal_checkpoints(self) -> list[SignedCheckpoint]:
        """Read the journal; return the checkpoints in it."""
        found: list[SignedCheckpoint] = []
        try:
            for record in journal_records(self._directory):
                seq, _, _, operation, key_id, serial, tbs, signature, intent, _, detail = record
                self._counts["journal records"] += 1
                if operation == "checkpoint.signed":
                    size, root, origin = detail["checkpoint"].split(" ", 2)
                    where = f"journal record {seq}"
                    signed = SignedCheckpoint(origin, int(size), base64.b64decode(root), where)
                    found.append(signed)
                elif operation in {"certificate.signed", "ca-certificate.signed"}:
                    row = (seq, key_id, serial, tbs, signature, intent)
                    self._facts.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", row)
        except Flaw as flaw:
            self._find("journal.broken", *flaw.args)
        except (ValueError, TypeError, KeyError, AttributeError, sqlite3.Error) as error:
            # The chain holds, the content makes no sense: written by something else.
            self._find("journal.broken", f"after {self._counts['journal records']}", repr(error))
        self._facts.execute("CREATE INDEX journal_tbs ON journal (tbs)")
        return found

    def told(self, seq: int, action: str, details: dict[str, Any]) -> None:
        """Remember what a leaf says of a certificate or CRL."""
        if action in _VALUE:
            number = "number" if action.startswith("crl.") else "serial"
            names = ("authority", number, _VALUE[action])
            values = [str(details.get(name)) for name in names]
            if "list" in details:  # a delta or shard: it has the number of its full CRL
                values[1] = f"{details['list']} {values[1]}"
            values.append(_since(details.get("revoked_at"), details.get("invalidity_date")))
            put = "INSERT INTO said VALUES (?, ?, ?, ?, ?, ?)"
            self._facts.execute(put, (seq, action, *values))

    def reconcile(self, database: sqlite3.Connection) -> None:
        """Report every disagreement.  *database* is open in one read transaction."""
        self._read_tables(database.execute)
        self._report(_CHECKS)
        if self._journal:
            self._report(_JOURNAL_CHECKS)
            self._report_unsigned()

    def _read_tables(self, read: Callable[[str], "sqlite3.Cursor"]) -> None:
        put = self._facts.execute
        for authority, serial, sha256, der in read(
            "SELECT authority, serial, sha256, der FROM certificate"
        ):
            self._counts["certificates"] += 1
            try:
                tbs, its_serial, signature = parts_of(der)
            except (IndexError, TypeError):
                tbs, its_serial, signature = b"", "", b""
            digest = hashlib.sha256(der if isinstance(der, bytes) else b"").hexdigest()
            if der == b"" and sha256 == f"entry:{authority}/{serial}":
                digest, its_serial = sha256, serial  # known by an entry in a list alone
            if (digest, its_serial) != (sha256, serial):
                what = "its DER does not have the hash and the serial that stand beside it"
                self._find("certificate.changed", f"{authority}/{serial}", what)
            row = (authority, serial, digest, hashlib.sha256(tbs).digest(), signature)
            put("INSERT INTO cert VALUES (?, ?, ?, ?, ?)", row)
        for authority, serial, der in read(
            "SELECT authority, serial, der FROM authority_certificate"
        ):
            tbs = hashlib.sha256(parts_of(der)[0]).digest()
            put("INSERT INTO ca_cert VALUES (?, ?, ?)", (authority, serial, tbs))
        for authority, number, der in read(
            "SELECT authority, number, der FROM crl WHERE length(der) > 0"  # the newest are below
            " UNION ALL SELECT authority,"
            " CASE WHEN instr(name, '/') > 0 THEN name || ' ' || number ELSE number END, der"
            " FROM crl_list"
        ):
            digest = hashlib.sha256(der).hexdigest()
            put("INSERT INTO crl VALUES (?, ?, ?)", (authority, str(number), digest))
        for authority, serial, status, reason, *since in read(
            "SELECT authority, serial, status, reason, revoked_at, invalidity_date FROM revocation"
        ):
            named = _REASONS.get(reason, str(reason))
            standing = (authority, serial, status, named, _since(*since))
            put("INSERT INTO status VALUES (?, ?, ?, ?, ?)", standing)
        for row in read("SELECT id, authority, serial, abandoned_at IS NOT NULL FROM intent"):
            self._counts["intents abandoned" if row[3] else "intents uncertain"] += 1
            put("INSERT INTO intent VALUES (?, ?, ?, ?)", row)
        for table in ("said", "cert", "status"):
            put(f"CREATE INDEX {table}_serial ON {table} (serial, authority)")
        put("CREATE INDEX cert_tbs ON cert (tbs)")
        put("CREATE INDEX intent_id ON intent (id)")

    def _report(self, checks: Sequence[tuple[str, str, str]]) -> None:
        for code, what, query in checks:
            for authority, serial, detail in self._facts.execute(query):
                self._find(code, f"{authority}/{serial}", f"{what} ({detail})")

    def _report_unsigned(self) -> None:
        """Is every certificate in the journal?  One signed since it was read may be in it now."""
        missing = {tbs: f"{ca}/{serial}" for ca, serial, tbs in self._facts.execute(_UNSIGNED)}
        if missing:
            with contextlib.suppress(Flaw):  # reported before
                for record in journal_records(self._directory):
                    missing.pop(record[6], None)
        for where in missing.values():
            self._find("certificate.unsigned", where, "the signer has no record of signing it")


def _since(revoked_at: object, invalidity_date: object) -> str:
    """When a certificate was revoked and since when it is bad, as the findings say it."""
    return f"at {revoked_at}, invalid since {invalidity_date}"


class Flaw(Exception):
    """Why a journal cannot be read on: (where, what)."""


_LONG: dict[int, tuple[type, int]] = {
    0xC4: (bytes, 1),
    0xC5: (bytes, 2),
    0xD9: (str, 1),
    0xDA: (str, 2),
    0xDC: (list, 2),
    0xDE: (dict, 2),
}  # octets of the length that follows the code


def unpack(data: bytes, at: int = 0) -> tuple[Any, int]:
    """One MessagePack value, of the kinds a record holds, and where it ends."""
    code, at = data[at], at + 1
    if code < 0x80:
        return code, at
    if 0xCC <= code <= 0xCF:  # unsigned, of 1, 2, 4 or 8 octets
        octets = 1 << (code - 0xCC)
        return int.from_bytes(data[at : at + octets]), at + octets
    if code in _LONG:
        kind, octets = _LONG[code]
        count, at = int.from_bytes(data[at : at + octets]), at + octets
    elif code < 0xC0:
        kind = dict if code < 0x90 else list if code < 0xA0 else str
        count = code & (0x1F if kind is str else 0x0F)
    else:
        raise ValueError("a MessagePack type that no record holds")
    if kind in {bytes, str}:
        value = data[at : at + count]
        return (value if kind is bytes else value.decode()), at + count
    items = []
    for _ in range(count if kind is list else 2 * count):
        item, at = unpack(data, at)
        items.append(item)
    return (items if kind is list else dict(zip(items[::2], items[1::2], strict=True))), at


def journal_records(directory: Path) -> Iterator[list[Any]]:
    """Every record, with the chain through them checked.  Raises Flaw.

    A record is its length (4 octets), a MessagePack array, and the SHA-256 of
    that array, whose second item is the SHA-256 of the record before.
    """
    seq, previous, time_ms = 0, bytes(32), 0
    for path in sorted(directory.glob("*.journal")):
        if path.name != f"{seq:020d}.journal":
            raise Flaw(path.name, f"it should begin with record {seq}: records are missing")
        data, at = path.read_bytes(), 0
        while at < len(data):
            where = f"{path.name} octet {at}"
            end = at + 36 + int.from_bytes(data[at : at + 4])
            if end > len(data):
                raise Flaw(where, "the record is incomplete: cut off, or a crash not yet repaired")
            payload, digest = data[at + 4 : end - 32], data[end - 32 : end]
            try:
                record, stop = unpack(payload)
                if hashlib.sha256(payload).digest() != digest or stop != len(payload):
                    raise ValueError("its digest does not fit")
                if record[:2] != [seq, previous] or record[2] < time_ms or len(record) != 11:
                    raise ValueError(f"it does not follow record {seq - 1}")
            except (ValueError, IndexError, TypeError, RecursionError) as error:
                raise Flaw(where, f"record {seq} was altered: {error}") from error
            yield record
            seq, previous, time_ms, at = seq + 1, digest, record[2], end


def parts_of(certificate: bytes) -> tuple[bytes, str, bytes]:
    """(TBSCertificate, serial in hex, signature) of a DER certificate (RFC 5280 §4.1)."""

    def content(at: int) -> tuple[int, int]:
        """Where the content of the element at *at* begins and ends."""
        length, start = certificate[at + 1], at + 2
        if length > 127:
            octets = length - 128
            length, start = int.from_bytes(certificate[start : start + octets]), start + octets
        return start, start + length

    tbs, _ = content(0)
    inside, tbs_end = content(tbs)
    if certificate[inside] == 0xA0:  # the version
        inside = content(inside)[1]
    serial, serial_end = content(inside)
    signature, end = content(content(tbs_end)[1])
    number = int.from_bytes(certificate[serial:serial_end], signed=True)
    return certificate[tbs:tbs_end], f"{number:x}", certificate[signature + 1 : end]
