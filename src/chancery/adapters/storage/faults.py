"""What a database says when it refuses or is away, in the words of a CA.  No SQL leaves here."""

import logging
import re
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chancery.domain.errors import AlreadyExists, BadRequest, CAError, Conflict, Unavailable

_log = logging.getLogger(__name__)

_NOUNS: Final = {
    "authority": "authority of this name",
    "authority_certificate": "CA certificate of this issuer and serial",
    "certificate": "certificate of this serial, hash or id",
    "client_certificate": "binding of this client certificate",
    "container": "container of this name",
    "idempotency": "request with this idempotency key",
    "intent": "intent for this serial",
    "job": "job of this id",
    "profile_version": "profile version of this number",
    "request": "request of this id",
    "user_account": "account of this name",
    "user_group": "group of this name",
}
_UNIQUE: Final = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"}
_DANGLING: Final = {"SQLITE_CONSTRAINT_FOREIGNKEY", "23503"}
_CHECK: Final = {"SQLITE_CONSTRAINT_CHECK", "23514"}
_GUARD: Final = {"SQLITE_CONSTRAINT_TRIGGER", "23001"}
_FULL: Final = {"SQLITE_FULL", "53100"}
_AWAY_CLASSES: Final = {"08", "25", "40", "53", "54", "55", "57", "58", "XX"}  # SQLSTATE classes


def _code(error: DBAPIError) -> str:
    """SQLite's symbolic result code, or PostgreSQL's SQLSTATE; "" if there is none."""
    origin = error.orig
    code = getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None)
    return str(code or "")


def _table(error: DBAPIError) -> str:
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.table_name or "")
    found = re.search(r"failed: (\w+)\.", str(error.orig))
    return found.group(1) if found else ""


def _refusal(error: IntegrityError) -> CAError:
    code, table = _code(error), _table(error)
    if code in _UNIQUE and table == "approval":
        return AlreadyExists(
            "you approved this content already; another officer must approve",
            field="id",
            rule="approval.once",
            remedy="ask another officer; `chancery request show` tells how many are missing",
        )
    if code in _UNIQUE:
        noun = _NOUNS.get(table, "record")
        article = "an" if noun[0] in "aeiou" else "a"
        return AlreadyExists(
            f"there is already {article} {noun}", rule=f"unique.{table or 'record'}"
        )
    if code in _GUARD:
        return Conflict("this record may not be changed or removed", rule="record.immutable")
    if code in _DANGLING:
        return Conflict(
            "the record refers to something that is not there, or is referred to itself",
            rule="record.reference",
        )
    if code in _CHECK:
        return Conflict("the record contradicts a rule of the database", rule="record.check")
    return Conflict("the database refused the record", rule="record.refused")


def unavailable(error: DBAPIError | None = None) -> Unavailable:
    """What a requester hears of an outage; the log hears what the database said."""
    if error is not None and _code(error) in _FULL:
        return Unavailable(
            "the disk of the database is full; nothing was done",
            rule="storage.full",
            remedy="free some space there: the service goes on by itself",
        )
    return Unavailable(
        "the database is away",
        rule="storage.unavailable",
        remedy="try again; if it persists, look at the server's log",
    )


def translate(error: Exception) -> Exception:
    """Say *error* in domain terms; a bug of ours (bad SQL) comes back unchanged."""
    if isinstance(error, DataError | OverflowError | UnicodeEncodeError):
        return BadRequest("a value cannot be stored", rule="record.value")
    if isinstance(error, IntegrityError):
        return _refusal(error)
    if isinstance(error, PoolTimeout):
        return unavailable()
    if isinstance(error, DBAPIError) and _is_outage(error):
        _log.error("database: %s: %s", _code(error) or "no answer", error.orig)
        return unavailable(error)
    return error


def _is_outage(error: DBAPIError) -> bool:
    code = _code(error)
    if not code:  # psycopg: no server answered, so there is no SQLSTATE
        return error.connection_invalidated or isinstance(error, OperationalError)
    if code.startswith("SQLITE_"):  # BUSY, FULL, IOERR, READONLY, CORRUPT, CANTOPEN, ...
        return code not in {"SQLITE_ERROR", "SQLITE_MISUSE"}
    return error.connection_invalidated or code[:2] in _AWAY_CLASSES
