"""Making containers and authorities."""

import re
from collections.abc import Sequence
from dataclasses import replace

from chancery.domain.authority import (
    Authority,
    AuthorityState,
    Container,
)
from chancery.domain.errors import (
    AlreadyExists,
    BadName,
    BadRequest,
    NotFound,
)
from chancery.domain.identity import Permission, Principal
from chancery.domain.keys import KeyInfo
from chancery.domain.names import DistinguishedName
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.audit.events import event
from chancery.services.authority.base import AuthorityBase
from chancery.services.authority.choices import check_choices
from chancery.services.authority.crl_choices import check_lists
from chancery.services.authority.specification import (
    NewAuthority,
    check_level,
    check_schedule,
    signature_for,
)
from chancery.wire.names import parse_text

_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Creation(AuthorityBase):
    """Containers and authorities, new."""

    def create_container(
        self, principal: Principal, name: str, owner_group: str | None, description: str = ""
    ) -> Container:
        """Make a container; only members of *owner_group* then act on what stands in it."""
        demand(principal, Permission.AUTHORITY_MANAGE)
        container = Container(slug(name, "name"), owner_group, description)

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
            check_lists(session, authority)
            parent = None if new.parent is None else self._parent(session, principal, new.parent)
        self._check(new.extensions, parent)
        key = self._generate(authority, new.vault)
        authority = replace(authority, key_id=key.key_id)
        if new.external:
            return self._await(principal, authority, key, new.extensions.path_length)
        plan = self._plan(principal, authority, key, new.extensions, parent)
        record = self._certification.propose(
            principal, plan, lambda session: session.authorities.add(authority)
        )
        if record is not None:
            self._status.activated(principal, authority.name)
        return self._fresh(authority.name)

    def _described(self, new: NewAuthority) -> Authority:
        """The record to be, after every check that needs no look at the store."""
        check_level(new.security_level, new.key_algorithm, self.vaults.kind(new.vault))
        check_schedule(new.crl_lifetime_s, new.crl_every_s)
        check_choices(new.crl_idp, new.crl_urls, offline=False)
        if new.external and new.parent is not None:
            raise BadRequest(
                "an external CA signs the CSR, or a parent of ours signs: not both",
                field="external",
                rule="authority.issuer",
                remedy="leave one of parent and external out",
            )
        return Authority(
            name=slug(new.name, "name"),
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
            **new.crl_fields(),
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


def slug(text: str, field: str) -> str:
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
