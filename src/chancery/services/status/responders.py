"""Delegated OCSP responders: a key and a short-lived certificate for each CA key, made by itself.

A responder's certificate is signed by the very key whose certificates it
answers for (RFC 6960 §4.2.2.2), carries id-pkix-ocsp-nocheck because it is
short-lived, and is renewed at half its life.  It goes the way of every other
certificate: lint, intent, signature, record.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from chancery.domain.algorithms import (
    SignatureAlgorithm,
)
from chancery.domain.authority import Authority
from chancery.domain.certificate import CertificateStatus, Intent
from chancery.domain.errors import AlreadyExists, CAError, LintFailed
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.profile import ProfileVersion
from chancery.domain.vaults import SOFTWARE
from chancery.ports import CertificateFilter, Clock, Entropy, KeyVault, Page, Session, Store
from chancery.services.abandonment import abandon
from chancery.services.audit import event
from chancery.services.issuers import CaKey, algorithm_of, decode
from chancery.services.own_certificates import order_of, own_record
from chancery.services.status.responder import (
    ResponderStanding,
    SigningResponder,
    renewal_of,
    signing_responder,
)
from chancery.services.status.responder_content import (
    PROFILE,
    REQUEST_PREFIX,
    algorithm_for,
    subject_for,
)
from chancery.wire import ca_certificate
from chancery.wire.tbs import IssuerContext, assemble, certificate, compile_profile
from chancery.wire.twin import twin_signature

Lint = Callable[[bytes], Sequence[str]]
"""Findings on a certificate, empty when clean."""

_log = logging.getLogger(__name__)

_UNDER_WAY_S = 120
"""How long the making of a responder certificate may take, in seconds."""


class Responders:
    """Finds, makes and renews responders.  Safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        entropy: Entropy,
        *,
        profile: Callable[[], ProfileVersion],
        lint: Callable[[ProfileVersion], Lint],
        http: str,
        key_vault: str = SOFTWARE,
    ) -> None:
        """*key_vault* names where new responder keys are made."""
        self._store = store
        self._vault = vault
        self._key_vault = key_vault
        self._clock = clock
        self._entropy = entropy
        self._profile = profile
        self._lint = lint
        self._http = http
        self._lock = threading.Lock()
        self._ready: dict[bytes, SigningResponder] = {}

    def responder(self, authority: Authority, key: CaKey) -> SigningResponder:
        """The responder for certificates that *key* signed, made or renewed if need be."""
        ready = self._ready.get(key.certificate.key_identifier)
        if ready is not None and not self._ageing(ready):
            return ready
        with self._lock:
            ready = self._recorded(authority, key)
            if ready is None or self._ageing(ready):
                try:
                    ready = self._make(authority, key, renewed=ready is not None)
                except CAError:
                    # Half its life is left: answer with it and try again later.
                    if ready is None or ready.certificate.not_after <= self._clock.s():
                        raise
            self._ready[key.certificate.key_identifier] = ready
            return ready

    def at_hand(self, key: CaKey) -> SigningResponder | None:
        ready = self._ready.get(key.certificate.key_identifier)
        return ready if ready is not None and not self._ageing(ready) else None

    def recover(self) -> None:
        """After a crash: record responder certificates that the vault signed, give up the rest.

        One that is younger than *_UNDER_WAY_S* may be another node's, under way.
        """
        with self._store.read() as session:
            authorities = {a.name: a for a in session.authorities.all()}
            intents = [
                intent
                for intent in session.certificates.intents()
                if intent.request_id.startswith(REQUEST_PREFIX)
            ]
        for intent in intents:
            signed = self._vault.signatures(intent.key_id, [intent.serial]).get(intent.serial)
            try:
                if signed is not None:
                    algorithm = ca_certificate.fields(intent.tbs)[0]
                    der = certificate(intent.tbs, algorithm, signed.signature)
                    self._record(authorities[intent.authority], intent, der)
                elif intent.created_at < self._clock.s() - _UNDER_WAY_S:
                    self._abandon(intent, "the service stopped before it was signed")
            except CAError as error:
                which = f"{intent.authority}/{intent.serial}"
                _log.warning("responder %s stays open: %s", which, error)

    def _abandon(self, intent: Intent, why: str) -> None:
        now = self._clock.ms()
        self._store.write(lambda session: abandon(session, intent, why, now))

    def _ageing(self, responder: SigningResponder) -> bool:
        return self._clock.s() >= renewal_of(responder.certificate)

    def standing(self, authority: Authority, key: CaKey) -> ResponderStanding:
        """Who answers for *key*, by the record; nothing is made."""
        return ResponderStanding.of(key, authority.name, self._recorded(authority, key))

    def _recorded(self, authority: Authority, key: CaKey) -> SigningResponder | None:
        """The youngest responder certificate on record that this key signed."""
        where = CertificateFilter(
            authority=authority.name,
            profile=PROFILE,
            status=CertificateStatus.VALID,
            expires_after=self._clock.s(),
        )
        with self._store.read() as session:
            for record in session.certificates.find(where, Page(limit=100)):
                found = decode(record.der)
                if (
                    record.request_id.startswith(REQUEST_PREFIX)
                    and found.authority_key_identifier == key.certificate.key_identifier
                ):
                    return signing_responder(
                        record.request_id.removeprefix(REQUEST_PREFIX), found, authority
                    )
        return None

    def _make(self, authority: Authority, key: CaKey, *, renewed: bool) -> SigningResponder:
        assert key.key_id is not None
        info = self._responder_key(authority, key, renewed=renewed)
        version = self._profile()
        algorithm = algorithm_of(authority, key)
        compiled = compile_profile(version, self._context(key, algorithm))
        serial = int.from_bytes(self._entropy(16)) | 1 << 126
        draft = compiled.build(
            serial=serial,
            subject=subject_for(authority, key),
            spki=info.spki,
            names=(),
            extensions=(),
            lasting_s=version.profile.validity_s,
        )
        now = self._clock.ms()
        validity = draft.validity.starting(now // 1000)
        tbs = assemble(draft, *validity)
        if findings := self._lint(version)(certificate(tbs, algorithm, twin_signature(algorithm))):
            raise LintFailed(f"OCSP responder: {'; '.join(findings)}", rule="lint")
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
        der = self._sign(intent, algorithm)
        self._record(authority, intent, der)
        return signing_responder(info.key_id, decode(der), authority)

    def _context(self, key: CaKey, algorithm: SignatureAlgorithm) -> IssuerContext:
        return IssuerContext(
            name=key.label,
            subject_der=key.certificate.subject_der,
            key_identifier=key.certificate.key_identifier,
            signature_algorithm=algorithm,
            not_after=key.certificate.not_after,
            http=self._http,
        )

    def _responder_key(self, authority: Authority, key: CaKey, *, renewed: bool) -> KeyInfo:
        """One OCSP key per CA key: a renewed certificate keeps it."""
        key_id = f"{key.key_id}-ocsp"
        if renewed:  # the signer's log should not tell of a refusal in a day like any other
            return self._vault.key(key_id)
        try:
            return self._vault.generate(
                key_id, algorithm_for(authority), KeyPurpose.OCSP, vault=self._key_vault
            )
        except AlreadyExists:
            return self._vault.key(key_id)

    def _sign(self, intent: Intent, algorithm: SignatureAlgorithm) -> bytes:
        (answer,) = self._vault.sign_certificates([order_of(intent, algorithm)])
        if isinstance(answer, CAError):
            self._abandon(intent, f"the signer refused: {answer}")
            raise answer
        return certificate(intent.tbs, algorithm, answer)

    def _record(self, authority: Authority, intent: Intent, der: bytes) -> None:
        record = own_record(intent, der, PROFILE)
        issued = event(
            SYSTEM,
            "certificate.issued",
            f"{authority.name}/{intent.serial}",
            authority=authority.name,
            serial=intent.serial,
            sha256=record.sha256,
            profile=PROFILE,
        )
        current = authority.key_id == intent.key_id

        def unit(session: Session) -> None:
            session.certificates.issue([record], [intent.id])
            latest = session.authorities.get(authority.name)
            if current and latest is not None:
                key_id = intent.request_id.removeprefix(REQUEST_PREFIX)
                session.authorities.update(
                    replace(latest, ocsp_key_id=key_id, ocsp_certificate=der)
                )
            session.audit.append([issued], self._clock.ms())

        self._store.write(unit)
