"""When to renew (RFC 9773): what the CA suggests, and how it moves clients early."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from chancery.domain.acme import Account, EarlyRenewal, Identifier
from chancery.domain.certificate import CertificateRecord, CertificateStatus
from chancery.domain.door import Door
from chancery.domain.errors import AlreadyExists, BadRequest, NotFound, NotPermitted
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.wire.jwk import from_b64url

_SHORT_S: Final = 10 * 86_400
"""Certificates that live shorter are renewed at half of their life, others at two thirds."""
_MARGIN: Final = 50  # a window is one fiftieth of the life to both sides
_LONGEST_S: Final = 366 * 86_400
_MAX_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Window:
    """Clients pick a moment from *start* to *end*, Unix seconds."""

    start: int
    end: int
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class NewEarlyRenewal:
    """What is to be renewed early: None leaves a condition out; one must be given."""

    authority: str | None = None
    profile: str | None = None
    serial: str | None = None
    issued_before: int | None = None
    start: int | None = None  # None: now
    lasting_s: int = 86_400
    explanation: str = ""
    note: str = ""


class RenewalService:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    def window(self, door: Door, certificate: str) -> Window:
        """For the certificate of that identifier; NotFound unless the door's RA had it issued."""
        with self._store.read() as session:
            record = _named(session, door, certificate)
            early = next(
                (
                    one
                    for one in session.acme.earlies()
                    if one.fits(record.authority, record.profile, record.serial, record.issued_at)
                ),
                None,
            )
        now = self._clock.s()
        if record.status is not CertificateStatus.VALID:
            return Window(now - 3_600, now - 60)  # RFC 9773 §4.2: in the past means at once
        usual = _usual(record)
        if early is None or early.start_at > usual.start:
            return usual
        return Window(early.start_at, early.end_at, early.explanation or None)

    def check_replaced(
        self, door: Door, account: Account, certificate: str, identifiers: Sequence[Identifier]
    ) -> None:
        """RFC 9773 §5: one of the account's own, with a name in common, not replaced before."""
        with self._store.read() as session:
            record = _named(session, door, certificate)
            order = session.acme.order_of_certificate(record.id)
            other = session.acme.order_replacing(certificate)
        if order is None or order.account != account.id:
            raise NotPermitted(
                "the certificate to replace is of another account",
                field="replaces",
                rule="acme.replaces.account",
            )
        if not {one.name for one in identifiers} & set(record.names):
            raise BadRequest(
                "the certificate to replace has none of these names",
                field="replaces",
                rule="acme.replaces.names",
            )
        live = other is not None and (
            other.certificate_id is not None or other.expires_at > self._clock.s()
        )
        if live:
            raise AlreadyExists(
                "another order replaces this certificate already",
                field="replaces",
                rule="acme.replaces.once",
                remedy="order without it",
            )

    # For people

    def renew_early(self, principal: Principal, new: NewEarlyRenewal) -> EarlyRenewal:
        """Suggest to every client whose certificate fits to renew in a window of its own."""
        demand(principal, Permission.RA_MANAGE)
        _check(new)
        now = self._clock.ms()
        start = now // 1000 if new.start is None else new.start
        early = EarlyRenewal(
            id=new_id(now, self._entropy(10)),
            authority=new.authority,
            profile=new.profile,
            serial=new.serial.lower().lstrip("0") if new.serial is not None else None,
            issued_before=new.issued_before,
            start_at=start,
            end_at=start + new.lasting_s,
            explanation=new.explanation,
            created_by=principal.name,
            created_at=now // 1000,
            note=new.note,
        )
        said = event(
            principal,
            "acme-renewal.moved",
            early.id,
            authority=early.authority,
            profile=early.profile,
            serial=early.serial,
            issued_before=early.issued_before,
            start=early.start_at,
            end=early.end_at,
            note=early.note,
        )

        def unit(session: Session) -> EarlyRenewal:
            if early.authority is not None and session.authorities.get(early.authority) is None:
                raise NotFound(
                    f"no authority {early.authority[:80]!r}",
                    field="authority",
                    rule="authority.known",
                    remedy="`chancery ca list` shows those there are",
                )
            session.acme.add_early(early)
            session.audit.append([said], now)
            return early

        return self._store.write(unit)

    def early(self, principal: Principal) -> list[EarlyRenewal]:
        """Newest first: the first that fits a certificate counts."""
        demand(principal, Permission.RA_READ)
        with self._store.read() as session:
            return session.acme.earlies()

    def drop(self, principal: Principal, early_id: str) -> None:
        """From now on it moves nobody."""
        demand(principal, Permission.RA_MANAGE)
        now = self._clock.ms()

        def unit(session: Session) -> None:
            session.acme.drop_early(early_id)
            session.audit.append([event(principal, "acme-renewal.dropped", early_id)], now)

        self._store.write(unit)


def _usual(record: CertificateRecord) -> Window:
    life = record.not_after - record.not_before
    left = life // 2 if life < _SHORT_S else life // 3
    ideal, margin = record.not_after - left, life // _MARGIN
    return Window(ideal - margin, ideal + margin)


def _named(session: Session, door: Door, certificate: str) -> CertificateRecord:
    """The certificate that ``base64url(AKI).base64url(serial)`` names (RFC 9773 §4.1)."""
    first, dot, second = certificate.partition(".")
    key, serial = from_b64url(first, most=_MAX_ID), from_b64url(second, most=_MAX_ID)
    if not dot or not key or not serial:
        raise BadRequest(
            "this is no identifier of a certificate",
            field="certificate",
            rule="acme.certificate-id",
            remedy="RFC 9773 §4.1 says how it is made",
        )
    for record in session.certificates.by_serial(f"{int.from_bytes(serial):x}"):
        request = session.requests.get(record.request_id)
        if request is not None and request.ra == door.ra and _authority_key(record) == key:
            return record
    raise NotFound("no such certificate", field="certificate", rule="certificate.known")


def _authority_key(record: CertificateRecord) -> bytes | None:
    if not record.der:
        return None
    extensions = x509.load_der_x509_certificate(record.der).extensions
    try:
        return extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None


def _check(new: NewEarlyRenewal) -> None:
    if (new.authority, new.profile, new.serial, new.issued_before) == (None,) * 4:
        raise BadRequest(
            "say which certificates",
            field="authority",
            rule="acme.early.which",
            remedy="name an authority, a profile, a serial, or a time of issue",
        )
    if not 0 < new.lasting_s <= _LONGEST_S:
        raise BadRequest(
            "a window lasts more than nothing and at most a year",
            field="lasting",
            rule="acme.early.window",
            remedy="give a duration like 48h",
        )
    if new.explanation and not new.explanation.startswith(("https://", "http://")):
        raise BadRequest(
            "the explanation is a URL",
            field="explanation",
            rule="acme.early.explanation",
            remedy="begin with https://",
        )
