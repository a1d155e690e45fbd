"""CA certificates on their way: written, linted, put on record, approved, signed, recorded.

The content is fixed before anyone approves, the start of its validity too: a
root ceremony is not in a hurry.  Approvals are leaves of the audit log that
name the hash of the exact TBSCertificate; the vault compares that hash and
counts the approvers again.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from chancery.domain.audit import AuditEvent
from chancery.domain.authority import (
    LEVELS,
    Authority,
    AuthorityCertificateKind,
    AuthorityState,
)
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.errors import CAError, Conflict, NotFound, SignerRefused
from chancery.domain.identity import Principal
from chancery.domain.keys import CaAuthorisation
from chancery.ports import Clock, Entropy, KeyVault, Session, Store
from chancery.services.abandonment import abandon
from chancery.services.audit.events import event
from chancery.services.authority.pending import APPROVED, approvers_of, people_behind
from chancery.services.authority.plan import Lint, Plan, intent_of
from chancery.services.authority.records import (
    REQUEST_PREFIX,
    algorithm_in,
    install,
    parts,
    record_of,
)
from chancery.services.issuers import decode, find
from chancery.wire import documents
from chancery.wire.tbs import certificate

_log = logging.getLogger(__name__)

_STALE_S = 86_400
"""An approved content older than this, in seconds, is signed only if people ask again."""


class Certification:
    """Makes CA certificates.  Safe for concurrent use."""

    def __init__(
        self, store: Store, vault: KeyVault, clock: Clock, entropy: Entropy, lint: Lint
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._lint = lint

    def propose(
        self, principal: Principal, plan: Plan, also: Callable[[Session], None]
    ) -> CertificateRecord | None:
        """Put the content on record, with *also* in the same unit; sign if one approval is enough.

        Whoever proposes approves with it.  None: others must approve too.
        """
        intent = intent_of(plan, self._lint, self._clock, self._entropy)
        tbs_sha256 = intent.content_sha256
        details: dict[str, Any] = {
            "issuer": plan.issuer.name,
            "authority": plan.authority,
            "kind": plan.kind.value,
            "serial": intent.serial,
            "subject": plan.subject.text,
            "tbs_sha256": tbs_sha256,
            "profile": documents.to_builtin(plan.version.profile),
        }

        def unit(session: Session) -> None:
            also(session)
            session.profiles.keep(plan.version)
            session.certificates.intend([intent])
            session.audit.append(
                [
                    event(principal, "authority.certificate-proposed", intent.id, **details),
                    event(principal, APPROVED, intent.id, tbs_sha256=tbs_sha256),
                ],
                self._clock.ms(),
            )

        self._store.write(unit)
        return self._sign_if_approved(principal, intent)

    def approve(
        self, principal: Principal, intent_id: str, tbs_sha256: str
    ) -> CertificateRecord | None:
        """One more person's yes, to exactly this content; signs with the last that was missing."""
        intent = self._find(intent_id)
        if tbs_sha256 != intent.content_sha256:
            raise Conflict(
                "this is not the content that is on record",
                field="tbs_sha256",
                rule="approval.content",
                remedy="look at the pending certificate again",
            )

        with self._store.read() as session:
            level = find(session, intent.authority).security_level
        needed = LEVELS[level].ca_approvals

        def unit(session: Session) -> None:
            approvers = approvers_of(session, intent)
            if len(approvers) >= needed:  # the signer was away when the last one approved
                return
            if again := principal.people & people_behind(session, intent):
                raise Conflict(
                    f"{' and '.join(sorted(again))} approved this before",
                    field="principal",
                    rule="approval.distinct",
                    remedy="somebody else must approve",
                )
            approval = event(principal, APPROVED, intent.id, tbs_sha256=tbs_sha256)
            session.audit.append([approval], self._clock.ms())

        self._store.write(unit)
        return self._sign_if_approved(principal, intent)

    def reject(self, principal: Principal, intent_id: str, reason: str) -> None:
        """Give the pending certificate up; Conflict if it has been signed already."""
        intent = self._find(intent_id)
        if self._signed(intent) is not None:
            raise Conflict(
                "it has been signed",
                field="id",
                rule="pending.signed",
                remedy="approve it once more to record it, and revoke it then",
            )
        leaf = event(principal, "authority.certificate-rejected", intent.id, reason=reason)
        self._give_up(principal, intent, f"rejected: {reason}", [leaf])

    def _give_up(
        self, principal: Principal, intent: Intent, why: str, leaves: Sequence[AuditEvent]
    ) -> None:
        """Close *intent* unsigned.  Its serial stays taken, a new authority's name does not."""

        def unit(session: Session) -> None:
            now = self._clock.ms()
            session.audit.append(list(leaves), now)
            abandon(session, intent, why, now)
            _, name, key_id = parts(intent)
            subject = session.authorities.get(name) if name else None
            if subject is None or subject.key_id != key_id or not _never_certified(subject):
                return
            session.authorities.remove(name)
            session.audit.append([event(principal, "authority.removed", name, why=why)], now)

        self._store.write(unit)

    def _signed(self, intent: Intent) -> bytes | None:
        """The signature, if the vault's journal has one."""
        found = self._vault.signatures(intent.key_id, [intent.serial]).get(intent.serial)
        return None if found is None else found.signature

    def _find(self, intent_id: str) -> Intent:
        with self._store.read() as session:
            for intent in session.certificates.intents():
                if intent.id == intent_id and intent.request_id.startswith(REQUEST_PREFIX):
                    return intent
        raise NotFound(
            f"no CA certificate waits under {intent_id!r}",
            field="id",
            rule="pending.known",
            remedy="list the pending CA certificates",
        )

    def _sign_if_approved(self, principal: Principal, intent: Intent) -> CertificateRecord | None:
        with self._store.read() as session:
            issuer = find(session, intent.authority)
            approvers = approvers_of(session, intent)
        if len(approvers) < LEVELS[issuer.security_level].ca_approvals:
            return None
        authorisation = CaAuthorisation(intent.content_sha256, approvers, intent.request_id)
        algorithm = algorithm_in(intent)
        try:
            signature = self._vault.sign_ca_certificate(
                intent.key_id, algorithm, intent.tbs, authorisation
            )
        except SignerRefused as refusal:
            # Somebody else's approval may have been the last one, a moment ago.
            found = self._signed(intent)
            if found is None:
                if refusal.rule != "signer.serial-reuse":  # else it is being signed right now
                    self._give_up(principal, intent, f"the signer refused: {refusal}", [])
                raise
            signature = found
        return self._complete(
            principal, intent, certificate(intent.tbs, algorithm, signature), approvers
        )

    def _complete(
        self, principal: Principal, intent: Intent, der: bytes, approvers: Sequence[str]
    ) -> CertificateRecord:
        """Record what was signed: certificate, authority and audit leaf in one unit."""
        decoded = decode(der)
        kind, name, key_id = parts(intent)
        record = record_of(intent, decoded, requester=approvers[0], issued_at=self._clock.s())

        def unit(session: Session) -> None:
            issuer = find(session, intent.authority)
            session.certificates.issue([record], [intent.id])
            if name:
                chain = () if decoded.self_issued else _above(issuer)
                install(session, name, kind, key_id, decoded, chain, self._clock.s())
            session.audit.append(
                [
                    event(
                        principal,
                        "certificate.issued",
                        f"{record.authority}/{record.serial}",
                        authority=record.authority,
                        serial=record.serial,
                        sha256=record.sha256,
                        profile=record.profile,
                        approvers=list(approvers),
                    )
                ],
                self._clock.ms(),
            )

        if key_id and kind is not AuthorityCertificateKind.CROSS:
            # First: whoever sees the authority active may ask its key for a CRL at once.
            self._vault.bind(key_id, der)
        self._store.write(unit)
        return record

    def recover(self, principal: Principal) -> int:
        """After a crash or an outage: finish what was approved, bind anew what is on record.

        What the vault's journal shows as signed is completed from it; what
        had all its approvals less than *_STALE_S* ago goes to the vault again
        (it never signs a serial twice).  The rest keeps waiting.  Returns how
        many certificates were completed.
        """
        with self._store.read() as session:
            intents = [
                intent
                for intent in session.certificates.intents()
                if intent.request_id.startswith(REQUEST_PREFIX)
            ]
            bound = [
                (a.key_id, a.certificate)
                for a in session.authorities.all()
                if a.key_id and a.certificate and not a.offline
            ]
        completed = sum(self._recovered(principal, intent) for intent in intents)
        for key_id, der in bound:
            self._vault.bind(key_id, der)
        return completed

    def _recovered(self, principal: Principal, intent: Intent) -> bool:
        try:
            signature = self._signed(intent)
            if signature is None:
                if intent.created_at < self._clock.s() - _STALE_S:
                    return False
                return self._sign_if_approved(principal, intent) is not None
            with self._store.read() as session:
                approvers = approvers_of(session, intent)
            der = certificate(intent.tbs, algorithm_in(intent), signature)
            self._complete(principal, intent, der, approvers)
        except CAError as error:
            # Another node may have been first; whatever it is, it must not stop the start.
            which = f"{intent.authority}/{intent.serial}"
            _log.warning("CA certificate %s stays open: %s", which, error)
            return False
        return True


def _never_certified(authority: Authority) -> bool:
    """Made together with the proposal for its first certificate, and nothing came of that."""
    waiting = authority.state is AuthorityState.AWAITING_CERTIFICATE
    return waiting and authority.certificate is None and authority.csr is None


def _above(issuer: Authority) -> tuple[bytes, ...]:
    assert issuer.certificate is not None
    return (issuer.certificate, *issuer.chain)
