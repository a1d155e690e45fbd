"""Keys of doors: what clients encrypt to, and what signs the answers of SCEP and CMP.

A door has one key, which its certificates keep: a client that still holds the
certificate before last is understood.  The certificate is issued by the
door's CA by the profile ``door-ra``, is renewed at half its life, and goes the
way of every other: lint, intent, signature, record.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import LEVELS, Authority
from chancery.domain.certificate import CertificateRecord, CertificateStatus, Intent
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import AlreadyExists, CAError, LintFailed
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.names import ATTRIBUTES, Attribute, DistinguishedName
from chancery.domain.profile import ProfileVersion
from chancery.ports import CertificateFilter, Clock, Entropy, KeyVault, Page, Session, Store
from chancery.services.abandonment import abandon
from chancery.services.audit import event
from chancery.services.issuers import algorithm_of, decode, issuer_context, signing_key
from chancery.services.own_certificates import order_of, own_record
from chancery.services.status.responders import Lint
from chancery.wire import ca_certificate
from chancery.wire.tbs import assemble, certificate, compile_profile
from chancery.wire.twin import twin_signature

PROFILE: Final = "door-ra"
REQUEST_PREFIX: Final = "door:"
"""``request_id`` of the certificates of doors: no request was made for them."""
WITH_KEYS: Final = frozenset({DoorProtocol.SCEP, DoorProtocol.CMP})
_FORMER: Final = 8  # certificates before the current one that clients may still hold
_UNDER_WAY_S: Final = 120
_MOST_BITS: Final = 3072  # a message waits for it; no client needs more

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorKey:
    """An RSA key in the vault with its certificate (DER); *former* ones certify the same key."""

    key_id: str
    certificate: bytes
    not_before: int
    not_after: int
    former: tuple[bytes, ...] = ()

    def ageing(self, now: int) -> bool:
        """Whether a new certificate is due."""
        return now >= (self.not_before + self.not_after) // 2


class DoorKeys:
    """Finds, makes and renews them.  Safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        entropy: Entropy,
        *,
        authority: Callable[[Door], Authority],
        profile: Callable[[], ProfileVersion],
        lint: Callable[[ProfileVersion], Lint],
        http: str,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._authority = authority
        self._profile = profile
        self._lint = lint
        self._http = http
        self._lock = threading.Lock()
        self._ready: dict[tuple[str, bytes], DoorKey] = {}

    def of(self, door: Door) -> DoorKey:
        """The key of *door*, made on first use, its certificate renewed if need be."""
        authority = self._authority(door)
        place = (door.name, authority.certificate or b"")
        ready = self._ready.get(place)
        if ready is not None and not ready.ageing(self._clock.s()):
            return ready
        with self._lock:
            found = self._recorded(door, authority)
            ready = _current(found, authority)
            if ready is None or ready.ageing(self._clock.s()):
                try:
                    ready = self._make(door, authority, found)
                except CAError:
                    # Half its life is left: answer with it, and try again later.
                    if ready is None or ready.not_after <= self._clock.s():
                        raise
            self._ready[place] = ready
            return ready

    def run_due(self) -> int:
        """Make or renew what is due, and settle what a crash left; how many doors have a key."""
        with self._store.read() as session:
            doors = [d for d in session.doors.all() if d.enabled and d.protocol in WITH_KEYS]
        served = 0
        for door in doors:
            try:
                self.of(door)
                served += 1
            except CAError as error:
                _log.warning("no key for %s, it is tried again: %s", door.name, error)
        self._recover()
        return served

    def _recorded(self, door: Door, authority: Authority) -> list[CertificateRecord]:
        """Its certificates that are valid, the youngest first, whichever key of the CA signed."""
        where = CertificateFilter(
            authority=authority.name,
            profile=PROFILE,
            status=CertificateStatus.VALID,
            expires_after=self._clock.s(),
        )
        with self._store.read() as session:
            return [
                record
                for record in session.certificates.find(where, Page(limit=1000))
                if record.request_id == REQUEST_PREFIX + _key_id(door)
            ]

    def _make(self, door: Door, authority: Authority, before: list[CertificateRecord]) -> DoorKey:
        info = self._key(door, authority, renewed=bool(before))
        with self._store.read() as session:
            certificates = session.authorities.certificates(authority.name)
        key = signing_key(authority, certificates)
        assert key.key_id is not None
        algorithm = algorithm_of(authority, key)
        version = self._profile()
        compiled = compile_profile(version, issuer_context(authority, certificates, self._http))
        serial = int.from_bytes(self._entropy(16)) | 1 << 126
        draft = compiled.build(
            serial=serial,
            subject=_subject(authority, door),
            spki=info.spki,
            names=(),
            extensions=(),
            lasting_s=version.profile.validity_s,
        )
        now = self._clock.ms()
        tbs = assemble(draft, *draft.validity.starting(now // 1000))
        if findings := self._lint(version)(certificate(tbs, algorithm, twin_signature(algorithm))):
            raise LintFailed(f"key of a door: {'; '.join(findings)}", rule="lint")
        intent = Intent(
            id=new_id(now, self._entropy(10)),
            authority=authority.name,
            key_id=key.key_id,
            serial=f"{serial:x}",
            tbs=tbs,
            request_id=REQUEST_PREFIX + info.key_id,
            profile_sha256=version.sha256,
            content_sha256=hashlib.sha256(tbs).hexdigest(),
            created_at=now // 1000,
        )
        self._store.write(lambda session: session.certificates.intend([intent]))
        record = self._record(intent, self._sign(intent))
        return _door_key(record, before)

    def _key(self, door: Door, authority: Authority, *, renewed: bool) -> KeyInfo:
        """In the software vault: a token's errors would tell a wrong padding from a right one."""
        key_id = _key_id(door)
        if renewed:
            return self._vault.key(key_id)
        bits = min(LEVELS[authority.security_level].min_rsa_bits, _MOST_BITS)
        try:
            return self._vault.generate(key_id, KeyAlgorithm(f"rsa-{bits}"), KeyPurpose.DOOR)
        except AlreadyExists:
            return self._vault.key(key_id)

    def _sign(self, intent: Intent) -> bytes:
        algorithm = ca_certificate.fields(intent.tbs)[0]
        (answer,) = self._vault.sign_certificates([order_of(intent, algorithm)])
        if isinstance(answer, CAError):
            self._abandon(intent, f"the signer refused: {answer}")
            raise answer
        return certificate(intent.tbs, algorithm, answer)

    def _record(self, intent: Intent, der: bytes) -> CertificateRecord:
        record = own_record(intent, der, PROFILE)
        issued = event(
            SYSTEM,
            "certificate.issued",
            f"{intent.authority}/{intent.serial}",
            authority=intent.authority,
            serial=intent.serial,
            sha256=record.sha256,
            profile=PROFILE,
        )

        def unit(session: Session) -> None:
            session.certificates.issue([record], [intent.id])
            session.audit.append([issued], self._clock.ms())

        self._store.write(unit)
        return record

    def _recover(self) -> None:
        """After a crash: record what the vault signed, give up the rest, unless it is under way."""
        late = self._clock.s() - _UNDER_WAY_S
        with self._store.read() as session:
            left = [
                intent
                for intent in session.certificates.intents()
                if intent.request_id.startswith(REQUEST_PREFIX) and intent.created_at < late
            ]
        for intent in left:
            signed = self._vault.signatures(intent.key_id, [intent.serial]).get(intent.serial)
            try:
                if signed is None:
                    self._abandon(intent, "the service stopped before it was signed")
                else:
                    algorithm = ca_certificate.fields(intent.tbs)[0]
                    self._record(intent, certificate(intent.tbs, algorithm, signed.signature))
            except CAError as error:
                _log.warning("%s/%s stays open: %s", intent.authority, intent.serial, error)

    def _abandon(self, intent: Intent, why: str) -> None:
        now = self._clock.ms()
        self._store.write(lambda session: abandon(session, intent, why, now))


def _current(found: list[CertificateRecord], authority: Authority) -> DoorKey | None:
    """With the youngest that the CA's present key signed: a former one's chain ends elsewhere."""
    wanted = decode(authority.certificate).key_identifier if authority.certificate else None
    for record in found:
        if decode(record.der).authority_key_identifier == wanted:
            return _door_key(record, [other for other in found if other is not record])
    return None


def _door_key(record: CertificateRecord, others: list[CertificateRecord]) -> DoorKey:
    return DoorKey(
        key_id=record.request_id.removeprefix(REQUEST_PREFIX),
        certificate=record.der,
        not_before=record.not_before,
        not_after=record.not_after,
        former=tuple(one.der for one in others[:_FORMER]),
    )


def _key_id(door: Door) -> str:
    return f"door-{door.protocol.value}-{door.label}"


def _subject(authority: Authority, door: Door) -> DistinguishedName:
    """The CA's name with a CN that says what this is."""
    oid, syntax, longest = ATTRIBUTES["CN"]
    text = f"{authority.name} {door.protocol.value.upper()} RA {door.label}"
    others = tuple(rdn for rdn in authority.subject.rdns if all(one.oid != oid for one in rdn))
    return DistinguishedName((*others, (Attribute(oid, text[-longest:], syntax),)))
