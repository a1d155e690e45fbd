"""The CA tree: making authorities, renewing, cross-signing, disabling and showing them."""

import re
from collections.abc import Sequence
from dataclasses import replace

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import (
    LEVELS,
    Authority,
    AuthorityCertificate,
    AuthorityCertificateKind,
    AuthorityState,
    Container,
)
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import (
    AlreadyExists,
    BadName,
    BadRequest,
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import SYSTEM, AuthMethod, Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.names import DistinguishedName
from chancery.ports import Clock, Entropy, KeyVault, Session, Store
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.authority import templates
from chancery.services.authority.certification import (
    Certification,
    Lint,
    PendingCertificate,
    Plan,
)
from chancery.services.authority.specification import (
    Extensions,
    NewAuthority,
    check_level,
    check_schedule,
    child_path_length,
    signature_for,
)
from chancery.services.issuers import CaKey, find, issuer_context, signing_key
from chancery.services.status import StatusService
from chancery.wire.names import encode_name, parse_text
from chancery.wire.tbs import IssuerContext, key_identifier

_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class AuthorityBase:
    """What every operation on authorities needs."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        entropy: Entropy,
        status: StatusService,
        *,
        http: str,
        vault_kind: str,
        lint: Lint,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._status = status
        self._http = http
        self._vault_kind = vault_kind
        self._certification = Certification(store, vault, clock, entropy, lint)

    def _owned(self, session: Session, principal: Principal, container: str) -> None:
        """Raise unless *principal* may act in that container."""
        found = session.authorities.container(container)
        if found is None:
            raise NotFound(
                f"no container {container!r}",
                field="container",
                rule="container.known",
                remedy="create it first: `chancery container create`",
            )
        if principal.method is AuthMethod.SYSTEM or found.owner_group is None:
            return
        if found.owner_group not in principal.groups:
            raise NotPermitted(
                f"container {container} belongs to group {found.owner_group}",
                field="container",
                rule="container.owner",
                remedy="ask a member of that group",
            )

    def _managed(self, principal: Principal, name: str) -> Authority:
        """The authority, if *principal* may manage it."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        with self._store.read() as session:
            authority = find(session, name)
            self._owned(session, principal, authority.container)
        return authority

    def _key_id(self, name: str) -> str:
        return f"ca-{name}-{new_id(self._clock.ms(), self._entropy(10))}"

    def _audited(self, principal: Principal, action: str, authority: Authority) -> None:
        """Write the authority as it is now, and who changed it."""

        def unit(session: Session) -> None:
            session.authorities.update(authority)
            leaf = event(principal, action, authority.name, state=authority.state.value)
            session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)


class AuthorityService(AuthorityBase):
    """Authorities and their containers.  Safe for concurrent use."""

    def create_container(
        self, principal: Principal, name: str, owner_group: str | None, description: str = ""
    ) -> Container:
        """Make a container; only members of *owner_group* then act on what stands in it."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        container = Container(_slug(name, "name"), owner_group, description)

        def unit(session: Session) -> None:
            if session.authorities.container(name) is not None:
                raise AlreadyExists(f"container {name!r} exists", field="name")
            if owner_group is not None and session.identities.group(owner_group) is None:
                raise NotFound(
                    f"no group {owner_group!r}",
                    field="owner_group",
                    rule="group.known",
                    remedy="create the group first",
                )
            session.authorities.add_container(container)
            leaf = event(principal, "container.created", name, owner_group=owner_group)
            session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)
        return container

    def containers(self, principal: Principal) -> Sequence[Container]:
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return session.authorities.containers()

    def list(self, principal: Principal) -> Sequence[Authority]:
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return session.authorities.all()

    def show(self, principal: Principal, name: str) -> Authority:
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            return find(session, name)

    def certificates(self, principal: Principal, name: str) -> Sequence[AuthorityCertificate]:
        """Every certificate the authority ever had, oldest first."""
        demand(principal, Permission.AUTHORITY_READ)
        with self._store.read() as session:
            find(session, name)
            return session.authorities.certificates(name)

    def create(self, principal: Principal, new: NewAuthority) -> Authority:
        """Make an authority: key, certificate, first CRL, OCSP responder.

        The answer's state is AWAITING_CERTIFICATE where its CSR is out to be
        signed (``external``), or where its issuer's level wants more people
        to approve (``pending``).
        """
        demand(principal, Permission.AUTHORITY_MANAGE)
        authority = self._described(new)
        with self._store.read() as session:
            self._owned(session, principal, new.container)
            if session.authorities.get(new.name) is not None:
                raise AlreadyExists(f"authority {new.name!r} exists", field="name")
            parent = None if new.parent is None else self._parent(session, principal, new.parent)
        if parent is not None:
            child_path_length(parent[1].certificate.path_length, new.extensions.path_length)
        key = self._generate(authority)
        authority = replace(authority, key_id=key.key_id)
        if new.external:
            return self._await(principal, authority, key, new.extensions.path_length)
        plan = self._plan(principal, authority, key, new.extensions, parent)
        record = self._certification.propose(
            principal, plan, lambda session: session.authorities.add(authority)
        )
        if record is not None:
            self._status.activated(principal, authority.name)
        return self.show(SYSTEM, authority.name)

    def _described(self, new: NewAuthority) -> Authority:
        """The record to be, after every check that needs no look at the store."""
        check_level(new.security_level, new.key_algorithm, self._vault_kind)
        check_schedule(new.crl_lifetime_s, new.crl_every_s)
        if new.external and new.parent is not None:
            raise BadRequest(
                "an external CA signs the CSR, or a parent of ours signs: not both",
                field="external",
                rule="authority.issuer",
                remedy="leave one of parent and external out",
            )
        return Authority(
            name=_slug(new.name, "name"),
            container=new.container,
            parent=new.parent,
            subject=_subject(new.subject),
            key_id=None,
            key_algorithm=new.key_algorithm,
            signature_algorithm=signature_for(new.key_algorithm, new.signature_algorithm),
            state=AuthorityState.AWAITING_CERTIFICATE,
            offline=False,
            silo=new.silo,
            region=new.region,
            security_level=new.security_level,
            certificate=None,
            chain=(),
            created_at=self._clock.s(),
            crl_lifetime_s=new.crl_lifetime_s,
            crl_every_s=new.crl_every_s,
        )

    def _parent(
        self, session: Session, principal: Principal, name: str
    ) -> tuple[Authority, CaKey, IssuerContext]:
        """An authority of ours that is to sign a CA certificate."""
        parent = find(session, name)
        self._owned(session, principal, parent.container)
        if parent.state is not AuthorityState.ACTIVE:
            raise WrongState(
                f"{name} issues nothing: it is {parent.state}",
                field="parent",
                rule="authority.active",
                remedy="enable it, or choose another parent",
            )
        certificates = session.authorities.certificates(name)
        return (
            parent,
            signing_key(parent, certificates),
            issuer_context(parent, certificates, self._http),
        )

    def _generate(self, authority: Authority, key: KeyAlgorithm | None = None) -> KeyInfo:
        return self._vault.generate(
            self._key_id(authority.name),
            key or authority.key_algorithm,
            KeyPurpose.AUTHORITY,
            ca_approvals=LEVELS[authority.security_level].ca_approvals,
        )

    def _await(
        self, principal: Principal, authority: Authority, key: KeyInfo, path_length: int | None
    ) -> Authority:
        """Make the CSR and wait for somebody else's signature."""
        waiting = replace(authority, csr=self._csr(authority, key, path_length), key_id=key.key_id)

        def unit(session: Session) -> None:
            session.authorities.add(waiting)
            leaf = event(principal, "authority.requested", waiting.name, key=key.key_id)
            session.audit.append([leaf], self._clock.ms())

        self._store.write(unit)
        return waiting

    def _csr(self, authority: Authority, key: KeyInfo, path_length: int | None) -> bytes:
        info = templates.request_info(authority.subject, key.spki, path_length)
        algorithm = authority.signature_algorithm
        return templates.join_request(
            info, algorithm, self._vault.sign_csr(key.key_id, algorithm, info)
        )

    def _plan(
        self,
        principal: Principal,
        authority: Authority,
        key: KeyInfo,
        extensions: Extensions,
        parent: tuple[Authority, CaKey, IssuerContext] | None,
    ) -> Plan:
        now = self._clock.s()
        if parent is None:
            return Plan(
                issuer=authority,
                issuer_key_id=key.key_id,
                context=self._own_context(authority, key, extensions),
                kind=AuthorityCertificateKind.SELF_SIGNED,
                subject=authority.subject,
                spki=key.spki,
                version=templates.root(extensions, now, principal.name),
                authority=authority.name,
                key_id=key.key_id,
            )
        issuer, issuer_key, context = parent
        length = child_path_length(issuer_key.certificate.path_length, extensions.path_length)
        assert issuer_key.key_id is not None
        return Plan(
            issuer=issuer,
            issuer_key_id=issuer_key.key_id,
            context=context,
            kind=AuthorityCertificateKind.SUBORDINATE,
            subject=authority.subject,
            spki=key.spki,
            version=templates.subordinate(
                extensions, length, now, principal.name, online=not issuer.offline
            ),
            authority=authority.name,
            key_id=key.key_id,
        )

    def _own_context(
        self, authority: Authority, key: KeyInfo, extensions: Extensions
    ) -> IssuerContext:
        """A root is its own issuer: nothing above limits its validity."""
        return IssuerContext(
            name=authority.name,
            subject_der=encode_name(authority.subject),
            key_identifier=key_identifier(key.spki),
            signature_algorithm=authority.signature_algorithm,
            not_after=self._clock.s() + (extensions.days + 1) * 86_400,
            http=self._http,
        )

    def pending(self, principal: Principal) -> Sequence[PendingCertificate]:
        """CA certificates that wait for approvals."""
        demand(principal, Permission.AUTHORITY_READ)
        return self._certification.pending()

    def approve(
        self, principal: Principal, pending_id: str, tbs_sha256: str
    ) -> CertificateRecord | None:
        """Approve a pending CA certificate; the last approval that was missing signs it."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        waiting = {item.id: item for item in self._certification.pending()}
        with self._store.read() as session:
            if (item := waiting.get(pending_id)) is not None:
                self._owned(session, principal, find(session, item.issuer).container)
        record = self._certification.approve(principal, pending_id, tbs_sha256)
        if record is not None and item is not None and item.authority:
            self._status.activated(principal, item.authority)
        return record

    def reject(self, principal: Principal, pending_id: str, reason: str) -> None:
        """Give a pending CA certificate up."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        self._certification.reject(principal, pending_id, reason)

    def disable(self, principal: Principal, name: str) -> Authority:
        """Stop issuance; CRL and OCSP go on for what was issued."""
        return self._switch(principal, name, AuthorityState.ACTIVE, AuthorityState.DISABLED)

    def enable(self, principal: Principal, name: str) -> Authority:
        return self._switch(principal, name, AuthorityState.DISABLED, AuthorityState.ACTIVE)

    def _switch(
        self, principal: Principal, name: str, before: AuthorityState, after: AuthorityState
    ) -> Authority:
        authority = self._managed(principal, name)
        if authority.state is not before:
            raise WrongState(
                f"{name} is {authority.state}, not {before}",
                field="authority",
                rule="authority.state",
                remedy="look at its state again",
            )
        changed = replace(authority, state=after)
        verb = "disabled" if after is AuthorityState.DISABLED else "enabled"
        self._audited(principal, f"authority.{verb}", changed)
        return changed

    def recover(self) -> int:
        """At start-up: complete CA certificates that a crash left half done."""
        completed = self._certification.recover(SYSTEM)
        if completed:
            with self._store.read() as session:
                names = [a.name for a in session.authorities.all() if a.certificate]
            for name in names:
                self._status.activated(SYSTEM, name)
        return completed


def _slug(text: str, field: str) -> str:
    if not _SLUG.fullmatch(text):
        raise BadName(
            f"{text!r} is no name: lower-case letters, digits and hyphens, at most 63",
            field=field,
            rule="name.slug",
            remedy="a name becomes part of URLs: try something like issuing-ca-1",
        )
    return text


def _subject(text: str) -> DistinguishedName:
    subject = parse_text(text)
    if not subject.rdns:
        raise BadName(
            "a CA needs a subject",
            field="subject",
            rule="name.empty",
            remedy="give at least a common name: CN=Example Root CA,O=Example,C=DE",
        )
    return subject
