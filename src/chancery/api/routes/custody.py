"""Custodians and their sets of shares; bundles that go to offline CAs and come back."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Out, PageOut
from chancery.api.paging import decode, paged
from chancery.api.routing import Door, Who
from chancery.domain.custody import (
    BundleState,
    CustodyPurpose,
    RecordedSet,
    RegisteredCustodian,
    ShareSet,
    SigningBundle,
)
from chancery.domain.identity import Permission
from chancery.services.custody import CrlWanted

door = Door("/custody", "custody")

MANAGE = Permission.AUTHORITY_MANAGE
READ = (Permission.AUTHORITY_MANAGE, Permission.AUDIT_READ)
_MAX_ANSWER = 131_072  # characters: a signed note


class CustodianIn(In):
    full_name: str = Field(default="", max_length=128)
    recipient: str = Field(
        default="",
        max_length=4096,
        description="age1..., an SSH public key or an RSA key in PEM; empty: shares are printed.",
    )


class CustodianOut(Out):
    """A person who may hold shares."""

    name: str
    full_name: str
    recipient: str
    created_at: int
    retired_at: int | None


class HolderOut(Out):
    """Who holds which share; the commitment is a hash by which the share is known."""

    name: str
    number: int
    commitment: str
    recipient: str


class SetOut(Out):
    """A set of shares: `threshold` of its holders open what it is for."""

    digest: str
    set: str
    purpose: CustodyPurpose
    threshold: int
    holders: list[HolderOut]
    made_at: int
    retired_at: int | None


class SetIn(In):
    document: str = Field(max_length=65_536, description="The set.json; it holds no share.")


class SealOut(Out):
    """What opens the vault of this machine at its next start."""

    kind: str = Field(description="key-file, passphrase, custodians; none: no vault is here.")
    set: str | None
    threshold: int | None
    custodians: list[str]


class CrlIn(In):
    authority: str = Field(max_length=128)
    revoke: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        default=[], max_length=64, description="Serial in hex and reason, of each to revoke first."
    )


class BundleIn(In):
    authorities: list[str] = Field(
        default=[], max_length=64, description="CAs whose CSR waits; none and no crls: all."
    )
    crls: list[CrlIn] = Field(default=[], max_length=64)


class AnswerIn(In):
    answer: str = Field(max_length=_MAX_ANSWER, description="The file that the ceremony wrote.")
    key: str = Field(
        default="", max_length=1024, description="The offline store's .vkey, to check that, too."
    )


class BundleOut(Out):
    """A bundle that was exported."""

    id: str
    state: BundleState
    sha256: str = Field(description="Of the request; the audit log holds it at audit_seq.")
    items: int
    audit_seq: int
    created_by: str
    created_at: int
    closed_by: str | None
    closed_at: int | None


def _custodian(one: RegisteredCustodian) -> CustodianOut:
    return CustodianOut.model_validate(one, from_attributes=True)


def set_out(digest: str, one: ShareSet, retired_at: int | None) -> SetOut:
    return SetOut(
        digest=digest,
        set=one.id,
        purpose=one.purpose,
        threshold=one.threshold,
        holders=[HolderOut.model_validate(h, from_attributes=True) for h in one.holders],
        made_at=one.made_at,
        retired_at=retired_at,
    )


def _set(one: RecordedSet) -> SetOut:
    return set_out(one.digest, one.share_set, one.retired_at)


def _bundle(one: SigningBundle) -> BundleOut:
    return BundleOut.model_validate(one, from_attributes=True)


@door.route("GET", "/seal", *READ)
def show_seal(who: Who, using: Using) -> SealOut:
    """Show what opens the vault of this machine, and whose shares."""
    seal = using.custody.seal(who)
    if seal is None:
        return SealOut(kind="none", set=None, threshold=None, custodians=[])
    held = seal.share_set
    return SealOut(
        kind=seal.kind,
        set=held.id if held else None,
        threshold=held.threshold if held else None,
        custodians=[one.name for one in held.holders] if held else [],
    )


@door.route("GET", "/custodians", *READ)
def list_custodians(who: Who, using: Using) -> PageOut[CustodianOut]:
    """List the custodians, those retired too."""
    return PageOut(items=[_custodian(one) for one in using.custody.custodians(who)], next=None)


@door.route("PUT", "/custodians/{name}", MANAGE)
def put_custodian(who: Who, using: Using, name: str, body: CustodianIn) -> CustodianOut:
    """Put a custodian on record, or change name and key."""
    return _custodian(using.custody.put(who, name, body.full_name, body.recipient))


@door.route("POST", "/custodians/{name}/retire", MANAGE)
def retire_custodian(who: Who, using: Using, name: str) -> CustodianOut:
    """Say that somebody is no custodian any more; their shares need a change of their own."""
    return _custodian(using.custody.retire(who, name))


@door.route("GET", "/sets", *READ)
def list_sets(who: Who, using: Using) -> PageOut[SetOut]:
    """List the sets of shares, newest first."""
    return PageOut(items=[_set(one) for one in using.custody.sets(who)], next=None)


@door.route("POST", "/sets", MANAGE, status=201)
def record_set(who: Who, using: Using, body: SetIn) -> SetOut:
    """Put a set on record that a ceremony or a backup made; those before it are retired."""
    return _set(using.custody.record(who, body.document))


@door.route("GET", "/bundles", *READ)
def list_bundles(
    who: Who,
    using: Using,
    state: Annotated[BundleState | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[BundleOut]:
    """List signing bundles, newest first."""
    found = using.bundles.find(who, state, decode(cursor), limit + 1)
    return paged(found, limit, lambda one: one.id, _bundle)


@door.route("POST", "/bundles", MANAGE, status=201)
def export_bundle(who: Who, using: Using, body: BundleIn) -> BundleOut:
    """Ask an offline CA for certificates and CRLs: a bundle, to be fetched as a file."""
    crls = [CrlWanted(one.authority, tuple((n, why) for n, why in one.revoke)) for one in body.crls]
    return _bundle(using.bundles.export(who, body.authorities, crls))


@door.route("POST", "/bundles/import", MANAGE)
def import_bundle(who: Who, using: Using, body: AnswerIn) -> BundleOut:
    """Take in what the ceremony made: whole, and only what was asked for."""
    return _bundle(using.bundles.import_(who, body.answer.encode(), body.key))


@door.route("GET", "/bundles/{id}", *READ)
def show_bundle(who: Who, using: Using, id: str) -> BundleOut:  # noqa: A002
    """Show a bundle."""
    return _bundle(using.bundles.show(who, id))


@door.route("GET", "/bundles/{id}/file", *READ, response_class=Response)
def bundle_file(who: Who, using: Using, id: str) -> Response:  # noqa: A002
    """Fetch the bundle with its proof; 409 until a checkpoint covers it, a second or two."""
    return Response(using.bundles.file(who, id), media_type="application/json")


@door.route("DELETE", "/bundles/{id}", MANAGE, status=204)
def withdraw_bundle(who: Who, using: Using, id: str) -> None:  # noqa: A002
    """Take a bundle back: an answer to it is refused from now on."""
    using.bundles.withdraw(who, id)
