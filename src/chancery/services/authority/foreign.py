"""Authorities certified or born elsewhere: CSRs that go out, certificates that come in, imports."""

from collections.abc import Sequence
from dataclasses import replace

from chancery.domain.authority import (
    LEVELS,
    Authority,
    AuthorityCertificateKind,
    AuthorityState,
)
from chancery.domain.errors import AlreadyExists, BadKey, BadRequest, NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.keys import KeyPurpose
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.authority.base import AuthorityBase
from chancery.services.authority.choices import check_choices
from chancery.services.authority.creation import slug
from chancery.services.authority.crl_choices import check_lists
from chancery.services.authority.kinship import adopt, check_new_key, parent_of
from chancery.services.authority.material import contents, spki_of
from chancery.services.authority.records import install, key_algorithm_of
from chancery.services.authority.specification import (
    ImportedAuthority,
    check_level,
    check_schedule,
    signature_for,
)
from chancery.services.issuers import decode, find
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.pkcs7 import certificates as read_certificates

_MAX_DEPTH = 16
"""CAs in one path; more is a mistake or an attack."""

_SKEW_S = 300
"""How far ahead of our clock another CA's may run, in seconds."""


class Foreign(AuthorityBase):
    """CSR, upload, import."""

    def csr(self, principal: Principal, name: str) -> bytes:
        """The DER CSR that waits for an external signature."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            authority = find(session, name)
        if authority.csr is None:
            raise NotFound(
                f"{name} waits for no certificate",
                field="authority",
                rule="authority.csr",
                remedy="renew it to get a new CSR",
            )
        return authority.csr

    def upload_certificate(
        self, principal: Principal, name: str, certificate: bytes, chain: bytes | None = None
    ) -> Authority:
        """Take in the certificate that was made from our CSR, or a renewed one of an offline CA.

        *certificate* may bring its chain along (PEM or PKCS#7).
        """
        authority = self._managed(principal, name)
        ders = read_certificates(certificate) + (read_certificates(chain) if chain else [])
        decoded, above = self._arrange(ders)
        if decoded.subject != authority.subject:
            raise BadRequest(
                f"it is for {decoded.subject.text!r}, not for {authority.subject.text!r}",
                field="certificate",
                rule="certificate.subject",
                remedy="ask the external CA to keep the subject of the CSR",
            )
        key_id = self._matching_key(authority, decoded)
        self._installed(
            principal, "authority.certificate-uploaded", authority, key_id, decoded, above
        )
        self._status.activated(principal, name)
        with self._store.read() as session:
            return find(session, name)

    def _matching_key(self, authority: Authority, decoded: CaCertificate) -> str | None:
        """The id of the key this certificate is for: the current, or that of the CSR."""
        if authority.offline:
            return None
        for key_id in self._keys_of(authority):
            if self._vault.key(key_id).spki == decoded.spki:
                return key_id
        raise BadRequest(
            "it certifies another key than the one in the CSR",
            field="certificate",
            rule="certificate.key",
            remedy="upload the certificate that was made from the CSR on record",
        )

    def _keys_of(self, authority: Authority) -> list[str]:
        """The key on record, and those that CSRs were made for since, from the audit log."""
        with self._store.read() as session:
            leaves = session.audit.find(action="authority.requested", subject_id=authority.name)
        requested = [str(leaf.event.details["key"]) for leaf in leaves]
        return list(dict.fromkeys([*([authority.key_id] if authority.key_id else []), *requested]))

    def _arrange(self, ders: Sequence[bytes]) -> tuple[CaCertificate, tuple[bytes, ...]]:
        """(the certificate, the chain above it, nearest first): every signature checked.

        Issuers may come along or be authorities of ours.
        """
        given = list({der: decode(der) for der in ders}.values())
        subject = _lowest(given)
        _usable(subject, self._clock.s())
        with self._store.read() as session:
            ours = [decode(a.certificate) for a in session.authorities.all() if a.certificate]
        chain: list[CaCertificate] = []
        child = subject
        while not child.self_issued and len(chain) < _MAX_DEPTH:
            issuer = next((c for c in (*given, *ours) if child.signed_by(c)), None)
            if issuer is None:
                break
            if not issuer.is_ca or not issuer.signs_certificates:
                raise _broken(f"{issuer.subject.text} is no CA", "chain.ca")
            chain.append(issuer)
            child = issuer
        if child.self_issued and not child.signed_by(child):
            raise _broken("the root's own signature does not verify", "chain.signature")
        if not subject.self_issued and not chain:
            raise _broken("the certificate that signed it is missing", "chain.missing")
        if unused := [c for c in given if c not in (subject, *chain)]:
            raise _broken(f"{unused[0].subject.text} is not part of it", "chain.unused")
        return subject, tuple(c.der for c in chain)

    def import_authority(self, principal: Principal, new: ImportedAuthority) -> Authority:
        """Take in an authority from elsewhere, with its key or without.

        The key passes through this process once, on its way into the vault;
        where that is not wanted, make the CA external instead.
        """
        demand(principal, Permission.AUTHORITY_MANAGE)
        slug(new.name, "name")
        check_schedule(new.crl_lifetime_s, new.crl_every_s)
        check_choices(new.crl_idp, new.crl_urls, offline=new.offline)
        with self._store.read() as session:
            self._owned(session, principal, new.container)
            if session.authorities.get(new.name) is not None:
                raise AlreadyExists(f"authority {new.name!r} exists", field="name")
        pkcs8, ders = contents(new)
        decoded, chain = self._arrange(ders)
        algorithm = key_algorithm_of(decoded)
        authority = Authority(
            name=new.name,
            container=new.container,
            parent=None,
            subject=decoded.subject,
            key_id=None,
            key_algorithm=algorithm,
            signature_algorithm=signature_for(algorithm, new.signature_algorithm),
            state=AuthorityState.AWAITING_CERTIFICATE,
            offline=new.offline,
            silo=new.silo,
            region=new.region,
            security_level=new.security_level,
            certificate=None,
            chain=(),
            created_at=self._clock.s(),
            **new.crl_fields(),
        )
        with self._store.read() as session:
            check_new_key(session, new.name, decoded)
            check_lists(session, authority)
        key_id = None
        if not new.offline:
            check_level(new.security_level, algorithm, self.vaults.kind(new.vault))
            key_id = self._imported_key(new, pkcs8, decoded)
        authority = replace(authority, key_id=key_id)
        self._installed(
            principal, "authority.imported", authority, key_id, decoded, chain, fresh=True
        )
        self._status.activated(principal, new.name)
        with self._store.read() as session:
            return find(session, new.name)

    def _imported_key(
        self, new: ImportedAuthority, pkcs8: bytes | None, decoded: CaCertificate
    ) -> str:
        approvals = LEVELS[new.security_level].ca_approvals
        key_id = self._key_id(new.name)
        if pkcs8 is None:
            assert new.token_label is not None
            found = self._vault.adopt(
                key_id,
                new.vault,
                new.token_label,
                new.token_id,
                KeyPurpose.AUTHORITY,
                ca_approvals=approvals,
            )
            if found.spki != decoded.spki:
                raise _foreign_key("token_label")
            return key_id
        if spki_of(pkcs8) != decoded.spki:
            raise _foreign_key("key")
        return self._vault.import_key(
            key_id, pkcs8, KeyPurpose.AUTHORITY, ca_approvals=approvals, vault=new.vault
        ).key_id

    def _installed(
        self,
        principal: Principal,
        action: str,
        authority: Authority,
        key_id: str | None,
        decoded: CaCertificate,
        chain: tuple[bytes, ...],
        *,
        fresh: bool = False,
    ) -> None:
        """Bind the key to the certificate; then record it and say so, in one unit."""

        def unit(session: Session) -> None:
            check_new_key(session, authority.name, decoded)
            if fresh:
                session.authorities.add(authority)
            elif any(
                known.der == decoded.der
                for known in session.authorities.certificates(authority.name)
            ):
                raise WrongState("this certificate is on record already", field="certificate")
            install(
                session,
                authority.name,
                AuthorityCertificateKind.IMPORTED,
                key_id or "",
                decoded,
                chain,
                self._clock.s(),
            )
            latest = find(session, authority.name)
            session.authorities.update(replace(latest, parent=parent_of(session, decoded)))
            adopt(session, authority.name, decoded)
            leaf = event(
                principal, action, authority.name, sha256=decoded.sha256, serial=decoded.serial
            )
            session.audit.append([leaf], self._clock.ms())

        if key_id is not None:
            # First: whoever sees the authority active may ask its key for a CRL at once.
            self._vault.bind(key_id, decoded.der)
        self._store.write(unit)


def _foreign_key(field: str) -> BadKey:
    return BadKey(
        "the key does not belong to the certificate",
        field=field,
        rule="import.key",
        remedy="import the pair that belongs together",
    )


def _lowest(given: Sequence[CaCertificate]) -> CaCertificate:
    """The one that signed none of the others: PKCS#7 keeps no order."""
    lowest = [c for c in given if not any(o is not c and o.signed_by(c) for o in given)]
    if len(lowest) != 1:
        raise _broken("these certificates do not form one chain", "chain.single")
    return lowest[0]


def _usable(subject: CaCertificate, now: int) -> None:
    """RFC 5280 §4.2.1.9 and §4.2.1.3, and a validity that has begun and not ended."""
    if not subject.is_ca or not subject.signs_certificates or not subject.signs_crls:
        raise BadRequest(
            "it is not a CA certificate that may sign certificates and CRLs",
            field="certificate",
            rule="certificate.ca",
            remedy="ask for basicConstraints CA:TRUE with keyCertSign and cRLSign",
        )
    if not subject.not_before <= now + _SKEW_S or subject.not_after <= now:
        raise BadRequest(
            "it is not valid now",
            field="certificate",
            rule="certificate.validity",
            remedy="upload a certificate that has begun and not expired",
        )


def _broken(why: str, rule: str) -> BadRequest:
    return BadRequest(
        why,
        field="chain",
        rule=rule,
        remedy="send the certificate with all that are above it, up to the root",
    )
