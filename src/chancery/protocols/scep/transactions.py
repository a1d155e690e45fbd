"""Transactions as clients number them, and how we tell two of one number apart.

Many clients derive the transactionID from the public key: who renews a
certificate and keeps its key, or enrols anew with that key, comes with the
number of before.  A renewal therefore is told by the certificate that it
renews as well, and a later enrolment gets a number of ours.  Another key
under a client's number stays a conflict.
"""

import hashlib
from typing import Final

from chancery.domain.certificate import CertificateRecord
from chancery.domain.door import Door
from chancery.domain.enrolment import Transaction
from chancery.domain.errors import Conflict, NotFound
from chancery.services.enrolment import EnrolmentDesk
from chancery.wire.pkcs10 import CertificationRequest

_MOST: Final = 16  # enrolments with one key and number, each with a credential of its own
_SIGN: Final = "·"  # a transactionID is ASCII


def begin(
    desk: EnrolmentDesk,
    door: Door,
    given: str,
    csr: CertificationRequest,
    renews: CertificateRecord | None,
) -> str:
    """Under which id *csr* goes on or begins.  Raises Conflict."""
    if renews is not None:
        return _renewal(given, renews)
    sha256 = hashlib.sha256(csr.der).hexdigest()
    known = _all(desk, door, given)
    for one in known:
        if one.request_sha256 == sha256 or one.key_sha256 != csr.key_sha256:
            return one.id  # a repetition; or another key, which the desk refuses
    if known and _pending(desk, door, known[-1]):
        return known[-1].id  # another request while people look at the first: refused, too
    if len(known) == _MOST:
        raise Conflict(
            "too many requests under one transactionID and key",
            field="transactionID",
            rule="scep.transactions",
            remedy="make a new key",
        )
    return _numbered(given, len(known) + 1)


def find(
    desk: EnrolmentDesk, door: Door, given: str, signed_with: CertificateRecord | None
) -> Transaction | None:
    """The one that a poll is about: a renewal of what signed it, or the newest enrolment."""
    if signed_with is not None:
        renewal = desk.transaction(door, _renewal(given, signed_with))
        if renewal is not None:
            return renewal
    known = _all(desk, door, given)
    return known[-1] if known else None


def _all(desk: EnrolmentDesk, door: Door, given: str) -> list[Transaction]:
    found: list[Transaction] = []
    while len(found) < _MOST:
        one = desk.transaction(door, _numbered(given, len(found) + 1))
        if one is None:
            break
        found.append(one)
    return found


def _numbered(given: str, number: int) -> str:
    return given if number == 1 else f"{given}{_SIGN}{number}"


def _renewal(given: str, record: CertificateRecord) -> str:
    return f"{given}{_SIGN}{record.id}"


def _pending(desk: EnrolmentDesk, door: Door, known: Transaction) -> bool:
    try:
        return desk.standing(door, known.id).pending
    except NotFound:  # its request was deleted
        return False
