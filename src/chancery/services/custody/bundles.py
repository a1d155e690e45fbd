"""Signing bundles: what an offline CA is asked for, and an answer that holds only that."""

from collections.abc import Sequence
from dataclasses import dataclass

from chancery.domain.authority import Authority
from chancery.domain.certificate import RevocationReason
from chancery.domain.custody import BundleState, SigningBundle
from chancery.domain.errors import BadRequest, Conflict, NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.ids import new_id
from chancery.ports import Clock, Entropy, Session, Store
from chancery.services.access import demand
from chancery.services.audit import AuditService
from chancery.services.audit.events import event
from chancery.services.authority import AuthorityService
from chancery.services.custody.answers import Judged, judged
from chancery.services.custody.service import may_read
from chancery.services.issuers import decode, find
from chancery.services.status import StatusService
from chancery.wire import pem, pkcs10, signing_bundle
from chancery.wire.note import VerifierKey
from chancery.wire.signing_bundle import Request, Wish


@dataclass(frozen=True, slots=True)
class CrlWanted:
    """A CRL of an offline CA, with certificates to revoke first: (serial in hex, reason)."""

    authority: str
    revoke: tuple[tuple[str, str], ...] = ()


class BundleService:
    """Exports what waits for an offline CA, and takes in what comes back."""

    def __init__(
        self,
        store: Store,
        authorities: AuthorityService,
        status: StatusService,
        audit: AuditService,
        clock: Clock,
        entropy: Entropy,
        *,
        origin: str,
    ) -> None:
        """*origin* names this server in its bundles: that of its audit log."""
        self._store = store
        self._authorities = authorities
        self._status = status
        self._audit = audit
        self._clock = clock
        self._entropy = entropy
        self._origin = origin

    def waiting(self, principal: Principal) -> list[Authority]:
        """CAs whose CSR waits to be certified elsewhere."""
        may_read(principal)
        with self._store.read() as session:
            return [one for one in session.authorities.all() if one.csr is not None]

    def find(
        self, principal: Principal, state: BundleState | None, cursor: str | None, limit: int
    ) -> list[SigningBundle]:
        may_read(principal)
        with self._store.read() as session:
            return session.custody.bundles(state, cursor, limit)

    def show(self, principal: Principal, bundle_id: str) -> SigningBundle:
        may_read(principal)
        with self._store.read() as session:
            found = session.custody.bundle(bundle_id)
        if found is None:
            raise _unknown(bundle_id)
        return found

    def file(self, principal: Principal, bundle_id: str) -> bytes:
        """The bundle with the proof that the audit log holds its hash.

        WrongState while no checkpoint covers that: within a second or two.
        """
        found = self.show(principal, bundle_id)
        with self._store.read() as session:
            (record,) = session.audit.records(found.audit_seq, found.audit_seq + 1)
        return signing_bundle.seal_request(found.text, self._audit.prove(record))

    def export(
        self,
        principal: Principal,
        authorities: Sequence[str] = (),
        crls: Sequence[CrlWanted] = (),
    ) -> SigningBundle:
        """Ask for the certificates of *authorities*, or of all that wait, and for CRLs.

        Nothing else is taken from an answer.
        """
        demand(principal, Permission.AUTHORITY_MANAGE)
        with self._store.read() as session:
            items = self._wishes(session, authorities, crls)
        now = self._clock.s()
        bundle_id = new_id(self._clock.ms(), self._entropy(10))
        request = Request(
            signing_bundle.REQUEST, bundle_id, self._origin, now, principal.name, tuple(items)
        )
        text = signing_bundle.write(request)
        digest = signing_bundle.sha256(text)
        leaf = event(
            principal,
            signing_bundle.EXPORTED,
            bundle_id,
            sha256=digest,
            items=[f"{one.kind} {one.authority}" for one in items],
        )

        def unit(session: Session) -> SigningBundle:
            seq = session.audit.append([leaf], self._clock.ms())
            made = SigningBundle(
                bundle_id,
                BundleState.OPEN,
                text,
                digest,
                len(items),
                seq,
                principal.name,
                now,
            )
            session.custody.add_bundle(made)
            return made

        return self._store.write(unit)

    def _wishes(
        self, session: Session, authorities: Sequence[str], crls: Sequence[CrlWanted]
    ) -> list[Wish]:
        waiting = {one.name: one for one in session.authorities.all() if one.csr is not None}
        names = list(dict.fromkeys(authorities)) or ([] if crls else sorted(waiting))
        found: list[Wish] = []
        for name in names:
            if name not in waiting:
                find(session, name)  # NotFound says so better
                raise WrongState(
                    f"{name} waits for no certificate",
                    field="authorities",
                    rule="authority.csr",
                    remedy="renew it to get a new CSR",
                )
            found.append(_certificate_wish(str(len(found) + 1), waiting[name]))
        for wanted in crls:
            found.append(_crl_wish(session, str(len(found) + 1), wanted))
        if not found:
            raise WrongState(
                "nothing waits for an offline CA",
                field="authorities",
                rule="bundle.empty",
                remedy="make a CA with --external, or name an offline CA whose CRL is due",
            )
        return found

    def withdraw(self, principal: Principal, bundle_id: str) -> None:
        """Take a bundle back: an answer to it is refused from now on."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        found = self.show(principal, bundle_id)

        def unit(session: Session) -> None:
            session.custody.close_bundle(
                found.id, BundleState.WITHDRAWN, by=principal.name, at=self._clock.s()
            )
            leaf = event(principal, "bundle.withdrawn", found.id)
            session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)

    def import_(self, principal: Principal, data: bytes, key: str = "") -> SigningBundle:
        """Take in an answer: everything in it is judged before anything is taken.

        *key* is the ``.vkey`` of the offline store, if its signature is to be
        checked too; certificates and CRLs prove themselves in any case.  What
        was not asked for, or was left out, is named and nothing changes.
        """
        demand(principal, Permission.AUTHORITY_MANAGE)
        demand(principal, Permission.CRL_ISSUE)
        verifier = VerifierKey.parse(key.strip()) if key.strip() else None
        answer = signing_bundle.open_answer(data, verifier)
        with self._store.read() as session:
            bundle = session.custody.bundle(answer.request)
            if bundle is None:
                raise _unknown(answer.request)
            if bundle.state is not BundleState.OPEN:
                raise WrongState(
                    f"bundle {bundle.id} is {bundle.state}",
                    field="bundle",
                    rule="bundle.open",
                    remedy="export what is still wanted anew",
                )
            items = judged(session, bundle, answer)
        for item in items:
            self._take(principal, item)

        def unit(session: Session) -> None:
            session.custody.close_bundle(
                bundle.id, BundleState.ANSWERED, by=principal.name, at=self._clock.s()
            )
            leaf = event(
                principal,
                "bundle.imported",
                bundle.id,
                ceremony=answer.ceremony[:128],
                items=[f"{item.wish.kind} {item.wish.authority}" for item in items],
                signed_by=verifier.name if verifier else None,
            )
            session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)
        return self.show(principal, bundle.id)

    def _take(self, principal: Principal, item: Judged) -> None:
        """Install one; what an interrupted import had installed is left as it is."""
        name = item.wish.authority
        if item.wish.kind == "crl":
            if not item.known:
                self._status.accept_crl(principal, name, item.ders[0])
        elif not item.known:
            text = "".join(pem.encode("CERTIFICATE", der) for der in item.ders)
            self._authorities.upload_certificate(principal, name, text.encode())


def _certificate_wish(number: str, authority: Authority) -> Wish:
    assert authority.csr is not None
    csr = pkcs10.decode(authority.csr)
    return Wish(
        id=number,
        kind="certificate",
        authority=authority.name,
        subject=csr.subject.text,
        csr=signing_bundle.encode(authority.csr),
    )


def _crl_wish(session: Session, number: str, wanted: CrlWanted) -> Wish:
    authority = find(session, wanted.authority)
    if authority.key_id is not None or authority.certificate is None:
        raise Conflict(
            f"{authority.name} signs its CRLs here",
            field="crls",
            rule="crl.online",
            remedy="`chancery crl issue` makes a new one",
        )
    for serial, reason in wanted.revoke:
        if reason not in RevocationReason.__members__ or not _is_hex(serial):
            raise BadRequest(
                f"{serial} {reason}: not a serial number in hex and a reason",
                field="crls",
                rule="revocation.reason",
                remedy="reasons are " + ", ".join(RevocationReason.__members__),
            )
    latest = session.crls.latest(authority.name)
    return Wish(
        id=number,
        kind="crl",
        authority=authority.name,
        subject=authority.subject.text,
        issuer=decode(authority.certificate).sha256,
        above=latest.number if latest else 0,
        revoke=wanted.revoke,
    )


def _is_hex(text: str) -> bool:
    return 0 < len(text) <= 40 and all(c in "0123456789abcdef" for c in text)


def _unknown(bundle_id: str) -> NotFound:
    return NotFound(
        f"no bundle {bundle_id[:64]!r} was exported here",
        field="bundle",
        rule="bundle.known",
        remedy="`chancery bundle list` shows those that were",
    )
