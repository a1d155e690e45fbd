"""Certification authorities, their containers and their CRLs."""

from contextlib import suppress
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from chancery.api.bodies import RawBody, Using, object_of, schema_of
from chancery.api.models import In, Name, Out, Text
from chancery.api.routes.files import file_of
from chancery.api.routing import Door, Who
from chancery.api.submission import octets
from chancery.domain.authority import Authority, AuthorityCertificate, Container, CrlRecord
from chancery.domain.errors import NotFound
from chancery.domain.identity import Permission
from chancery.services.authority import AuthorityChange, NewAuthority
from chancery.wire import ca_certificate, crl, documents, pem

_MAX_CRL = 1_000_000
"""Characters of a CRL brought here: an offline CA revokes few."""

door = Door("/authorities", "authorities")
containers = Door("/containers", "authorities")


class AuthorityOut(Out):
    """A certification authority."""

    name: str
    container: str
    parent: str | None
    subject: str
    state: str
    offline: bool
    key_algorithm: str
    signature_algorithm: str
    security_level: str
    silo: str
    region: str
    certificate: str | None = Field(description="PEM of the current certificate.")
    serial: str | None = Field(description="Of the current certificate, as what follows.")
    not_before: int | None
    not_after: int | None
    path_length: int | None = Field(description="CAs allowed below; null: unlimited.")
    csr_waiting: bool = Field(description="A CSR waits to be certified elsewhere: see /csr.")
    chain: list[str] = Field(description="PEM certificates above it, nearest first.")
    created_at: int
    crl_lifetime_s: int
    crl_every_s: int
    crl_idp: str = Field(description="none, or full: CRLs say where they are found.")
    crl_urls: list[str] = Field(description="URL templates of its CRLs.")
    crl_delta_every_s: int = Field(description="0: no deltas.")
    crl_on_revocation: str = Field(description="What a revocation brings at once: all, or delta.")
    crl_jitter_s: int = Field(description="nextUpdate comes up to so much earlier.")
    crl_shards: int = Field(description="Shards for certificates to come; 0: none.")
    crl_ca_list: bool = Field(description="Whether there is a CRL of CA certificates alone.")
    crl_keep_expired: bool = Field(description="Whether expired certificates stay listed.")
    crl_indirect: list[str] = Field(description="CAs whose certificates it lists, too.")


class AuthorityCertificateOut(Out):
    """One of the certificates an authority has or had."""

    kind: str
    serial: str
    issuer: str
    not_before: int
    not_after: int
    created_at: int
    current: bool
    coming: bool = Field(description="Its key takes over when it begins.")
    certificate: str = Field(description="PEM")


class ContainerOut(Out):
    """A tree of authorities; only members of *owner_group* act on what stands in it."""

    name: str
    owner_group: str | None
    description: str


class ContainerIn(In):
    name: Name
    owner_group: Name | None = None
    description: Text = ""


class CrlIn(In):
    crl: Annotated[str, Field(max_length=_MAX_CRL, description="PEM, or base64 of DER.")]


class CrlListOut(Out):
    """One of the CRLs in force."""

    name: str = Field(description="Of its URL: web, web/delta, web/ca, web/3 ...")
    number: int
    this_update: int
    next_update: int
    entries: int
    size: int = Field(description="Octets.")
    sha256: str
    base: int | None = Field(description="Number of the full CRL that a delta adds to.")


class CrlOut(Out):
    """A CRL.  *number* only rises."""

    authority: str
    number: int
    this_update: int
    next_update: int
    entries: int


def pem_of(der: bytes, label: str = "CERTIFICATE") -> str:
    return pem.encode(label, der)


def authority_out(authority: Authority) -> AuthorityOut:
    current = ca_certificate.decode(authority.certificate) if authority.certificate else None
    return AuthorityOut(
        name=authority.name,
        container=authority.container,
        parent=authority.parent,
        subject=authority.subject.text,
        state=authority.state.value,
        offline=authority.offline,
        key_algorithm=authority.key_algorithm.value,
        signature_algorithm=authority.signature_algorithm.value,
        security_level=authority.security_level.value,
        silo=authority.silo,
        region=authority.region,
        certificate=pem_of(authority.certificate) if authority.certificate else None,
        serial=None if current is None else current.serial,
        not_before=None if current is None else current.not_before,
        not_after=None if current is None else current.not_after,
        path_length=None if current is None else current.path_length,
        csr_waiting=authority.csr is not None,
        chain=[pem_of(der) for der in authority.chain],
        created_at=authority.created_at,
        crl_lifetime_s=authority.crl_lifetime_s,
        crl_every_s=authority.crl_every_s,
        crl_idp=authority.crl_idp.value,
        crl_urls=list(authority.crl_urls),
        crl_delta_every_s=authority.crl_delta_every_s,
        crl_on_revocation=authority.crl_on_revocation.value,
        crl_jitter_s=authority.crl_jitter_s,
        crl_shards=authority.crl_shards[-1] if authority.crl_shards else 0,
        crl_ca_list=authority.crl_ca_list,
        crl_keep_expired=authority.crl_keep_expired,
        crl_indirect=list(authority.crl_indirect),
    )


def _certificate_out(one: AuthorityCertificate) -> AuthorityCertificateOut:
    names = ("serial", "issuer", "not_before", "not_after", "created_at", "current", "coming")
    return AuthorityCertificateOut(
        **{name: getattr(one, name) for name in names},
        kind=one.kind.value,
        certificate=pem_of(one.der),
    )


def _container_out(container: Container) -> ContainerOut:
    return ContainerOut.model_validate(container, from_attributes=True)


def _crl_out(crl: CrlRecord) -> CrlOut:
    return CrlOut.model_validate(crl, from_attributes=True)


@containers.route("GET", "", Permission.AUTHORITY_READ)
def list_containers(who: Who, using: Using) -> list[ContainerOut]:
    """List the containers."""
    return [_container_out(one) for one in using.authorities.containers(who)]


@containers.route("POST", "", Permission.AUTHORITY_MANAGE, status=201)
def create_container(who: Who, using: Using, body: ContainerIn) -> ContainerOut:
    """Make a container."""
    return _container_out(
        using.authorities.create_container(who, body.name, body.owner_group, body.description)
    )


@door.route("GET", "", Permission.AUTHORITY_READ)
def list_authorities(who: Who, using: Using) -> list[AuthorityOut]:
    """List the authorities."""
    return [authority_out(one) for one in using.authorities.list(who)]


@door.route(
    "POST", "", Permission.AUTHORITY_MANAGE, status=201, openapi_extra=schema_of(NewAuthority)
)
def create_authority(who: Who, using: Using, body: RawBody) -> AuthorityOut:
    """Make an authority: a root, a subordinate, or one that another CA will certify."""
    new = documents.decode(NewAuthority, object_of(body), "authority")
    return authority_out(using.authorities.create(who, new))


@door.route("GET", "/{name}", Permission.AUTHORITY_READ)
def show_authority(who: Who, using: Using, name: str) -> AuthorityOut:
    """Show an authority."""
    return authority_out(using.authorities.show(who, name))


@door.route(
    "PATCH", "/{name}", Permission.AUTHORITY_MANAGE, openapi_extra=schema_of(AuthorityChange)
)
def edit_authority(who: Who, using: Using, name: str, body: RawBody) -> AuthorityOut:
    """Change labels, and what its CRLs say and how often they come."""
    change = documents.decode(AuthorityChange, object_of(body), "authority")
    return authority_out(using.authorities.edit(who, name, change))


@door.route("DELETE", "/{name}", Permission.AUTHORITY_MANAGE, status=204)
def delete_authority(who: Who, using: Using, name: str) -> None:
    """Forget an authority that never had a certificate."""
    using.authorities.remove(who, name)


@door.route("GET", "/{name}/certificates", Permission.AUTHORITY_READ)
def list_authority_certificates(who: Who, using: Using, name: str) -> list[AuthorityCertificateOut]:
    """List every certificate the authority ever had, oldest first."""
    return [_certificate_out(one) for one in using.authorities.certificates(who, name)]


@door.route("POST", "/{name}/disable", Permission.AUTHORITY_MANAGE)
def disable_authority(who: Who, using: Using, name: str) -> AuthorityOut:
    """Stop issuance; CRL and OCSP go on for what was issued."""
    return authority_out(using.authorities.disable(who, name))


@door.route("POST", "/{name}/enable", Permission.AUTHORITY_MANAGE)
def enable_authority(who: Who, using: Using, name: str) -> AuthorityOut:
    """Let a disabled authority issue again."""
    return authority_out(using.authorities.enable(who, name))


@door.route("GET", "/{name}/csr", Permission.AUTHORITY_READ, response_class=Response)
def authority_csr(who: Who, using: Using, name: str) -> Response:
    """Fetch the CSR of an authority that waits for its certificate, as PEM."""
    csr = using.authorities.show(who, name).csr
    if csr is None:
        raise NotFound(f"{name} waits for no certificate", field="name", rule="authority.csr")
    return Response(pem_of(csr, "CERTIFICATE REQUEST"), media_type="application/x-pem-file")


@door.route("GET", "/{name}/export", Permission.PUBLIC, response_class=Response)
def export_authority(
    using: Using,
    name: str,
    format: Annotated[str, Query(description="pem, der, p7 or chain")] = "pem",  # noqa: A002
) -> Response:
    """Fetch an authority's certificate as a file."""
    return file_of(using.authorities.export(name, format))


@door.route("GET", "/{name}/crl", Permission.AUTHORITY_READ)
def show_crl(who: Who, using: Using, name: str) -> CrlOut:
    """Show the CRL in force."""
    with suppress(StopIteration):  # read anew where the record does not know it
        known = next(one for one in using.status.crls(who, name) if one.name == name)
        return CrlOut.model_validate(known, from_attributes=True)
    found = crl.decode(using.status.latest_crl(name))
    return CrlOut(
        authority=name,
        number=found.number,
        this_update=found.this_update,
        next_update=found.next_update,
        entries=found.entries,
    )


@door.route("GET", "/{name}/crls", Permission.AUTHORITY_READ)
def list_crls(who: Who, using: Using, name: str) -> list[CrlListOut]:
    """List the CRLs in force: full, delta, shards and the others, of every key."""
    return [
        CrlListOut.model_validate(one, from_attributes=True) for one in using.status.crls(who, name)
    ]


@door.route("POST", "/{name}/crl/upload", Permission.CRL_ISSUE, status=201)
def upload_crl(who: Who, using: Using, name: str, body: CrlIn) -> CrlOut:
    """Publish a CRL that an offline authority signed in its ceremony."""
    der = octets(body.crl, "crl")
    if not pem.is_der(der):
        _, der = pem.decode(der, ("X509 CRL",), _MAX_CRL)
    return _crl_out(using.status.accept_crl(who, name, der))


@door.route("POST", "/{name}/crl", Permission.CRL_ISSUE, status=201)
def issue_crl(who: Who, using: Using, name: str) -> CrlOut:
    """Issue a CRL now."""
    return _crl_out(using.status.issue_crl(who, name))
