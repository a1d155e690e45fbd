"""What every operation on authorities needs: ownership, parents, keys, plans."""

from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import (
    LEVELS,
    Authority,
    AuthorityCertificateKind,
    AuthorityState,
)
from chancery.domain.errors import (
    NotFound,
    NotPermitted,
    WrongState,
)
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.ids import new_id
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.vaults import VaultChoice
from chancery.ports import Clock, Entropy, KeyVault, Session, Store
from chancery.services.access import demand
from chancery.services.authority import templates
from chancery.services.authority.certification import Certification
from chancery.services.authority.limits import check_days, check_extensions
from chancery.services.authority.plan import Lint, Plan
from chancery.services.authority.specification import (
    ROOT_DAYS,
    SUBORDINATE_DAYS,
    Extensions,
    child_path_length,
)
from chancery.services.indirect import listed_by, listing
from chancery.services.issuers import CaKey, decode, find, issuer_context, signing_key
from chancery.services.status import StatusService
from chancery.wire.names import encode_name
from chancery.wire.tbs import IssuerContext, key_identifier


@dataclass(frozen=True, slots=True)
class Parent:
    """An authority of ours that is to sign: with which key, and as what."""

    authority: Authority
    key: CaKey
    context: IssuerContext


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
        lint: Lint,
        vaults: VaultChoice | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._status = status
        self._http = http
        self.vaults: Final = vaults or VaultChoice()
        """Where the key of an authority can be."""
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

    def _parent(self, session: Session, principal: Principal, name: str) -> Parent:
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
        return Parent(
            parent,
            signing_key(parent, certificates),
            issuer_context(
                parent,
                certificates,
                self._http,
                listed_by(session, listing(session.authorities.all(), name), self._http),
            ),
        )

    def vault_of(self, authority: Authority) -> str | None:
        """The name of the vault that has its key; None where no key of it is here."""
        if authority.key_id is None or authority.offline:
            return None
        return self._vault.key(authority.key_id).vault

    def _generate(
        self, authority: Authority, vault: str, key: KeyAlgorithm | None = None
    ) -> KeyInfo:
        return self._vault.generate(
            self._key_id(authority.name),
            key or authority.key_algorithm,
            KeyPurpose.AUTHORITY,
            ca_approvals=LEVELS[authority.security_level].ca_approvals,
            vault=vault,
        )

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
        parent: Parent | None,
        *,
        usual_days: int | None = None,
    ) -> Plan:
        """What is to be signed.  Without days in *extensions* it lasts *usual_days*, or less."""
        now = self._clock.s()
        identifier = _identifier(authority, key)
        if parent is None:
            version = templates.root(
                extensions, now, principal.name, usual_days=usual_days or ROOT_DAYS
            )
            return Plan(
                issuer=authority,
                issuer_key_id=key.key_id,
                context=self._own_context(authority, key, version.profile.validity_s),
                kind=AuthorityCertificateKind.SELF_SIGNED,
                subject=authority.subject,
                spki=key.spki,
                version=version,
                authority=authority.name,
                key_id=key.key_id,
                identifier=identifier,
            )
        issuer = parent.authority
        length = child_path_length(parent.key.certificate.path_length, extensions.path_length)
        assert parent.key.key_id is not None
        return Plan(
            issuer=issuer,
            issuer_key_id=parent.key.key_id,
            context=parent.context,
            kind=AuthorityCertificateKind.SUBORDINATE,
            subject=authority.subject,
            spki=key.spki,
            version=templates.subordinate(
                extensions,
                length,
                now,
                principal.name,
                online=not issuer.offline,
                usual_days=usual_days or SUBORDINATE_DAYS,
            ),
            authority=authority.name,
            key_id=key.key_id,
            identifier=identifier,
        )

    def _check(self, extensions: Extensions, parent: Parent | None) -> None:
        """Everything about *extensions* that can be known before there is a key."""
        check_extensions(extensions)
        if parent is not None:
            above = parent.key.certificate
            child_path_length(above.path_length, extensions.path_length)
            name, now = parent.authority.name, self._clock.s()
            check_days(extensions.days, name, above.not_after, now)

    def _own_context(self, authority: Authority, key: KeyInfo, lasting_s: int) -> IssuerContext:
        """A root is its own issuer: nothing above limits its validity."""
        return IssuerContext(
            name=authority.name,
            subject_der=encode_name(authority.subject),
            key_identifier=key_identifier(key.spki),
            signature_algorithm=authority.signature_algorithm,
            not_after=self._clock.s() + lasting_s,
            http=self._http,
        )

    def _fresh(self, name: str) -> Authority:
        """The authority as it stands on record now."""
        with self._store.read() as session:
            return find(session, name)


def _identifier(authority: Authority, key: KeyInfo) -> bytes | None:
    """What the certificates below call this key, if it has signed any."""
    if authority.certificate is None:
        return None
    former = decode(authority.certificate)
    return former.key_identifier if former.spki == key.spki else None
