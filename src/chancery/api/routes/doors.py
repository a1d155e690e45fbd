"""Doors for devices and servers, and the credentials with which these enrol by themselves."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Cursor, In, Limit, Out, PageOut
from chancery.api.paging import decode, paged
from chancery.api.routing import Door as Routes
from chancery.api.routing import Who
from chancery.domain.door import Door, DoorProtocol, Seen
from chancery.domain.enrolment import Binding, Credential, CredentialKind, CredentialState
from chancery.domain.identity import Permission
from chancery.services.enrolment import NewCredential
from chancery.wire import general_names

door = Routes("/doors", "doors")
credentials = Routes("/credentials", "doors")

_TEXT = 4000
Names = Annotated[list[str], Field(max_length=200)]


class DoorIn(In):
    ra: str = Field(max_length=63)
    profile: str = Field(max_length=63, description="What is issued unless another is asked for.")
    profiles: list[str] = Field(default=[], max_length=100, description="What may be asked for.")
    authority: str | None = Field(default=None, max_length=63, description="null: the RA's first.")
    approvals: int | None = Field(default=0, description="null: as many as the RA asks for.")
    renewal_approvals: int | None = Field(default=None, description="null: as for a first request.")
    renew_in_window: bool = Field(default=False, description="Refuse renewals that come too early.")
    enabled: bool = True
    description: str = Field(default="", max_length=_TEXT)
    settings: dict[str, object] = Field(default={}, description="The protocol's own.")


class DoorOut(Out):
    """One protocol, opened for one registration authority."""

    name: str
    protocol: DoorProtocol
    label: str
    url: str = Field(description="What devices are given.")
    ra: str
    profile: str
    profiles: list[str]
    authority: str | None
    approvals: int | None
    renewal_approvals: int | None
    renew_in_window: bool
    enabled: bool
    description: str
    settings: dict[str, object]


class SeenOut(Out):
    """One message."""

    at: int
    operation: str
    outcome: str = Field(description="ok, pending, or the rule that it broke.")
    who: str
    origin: str
    detail: str


class BindingIn(In):
    """Whom the credential is for; what is left out the profile alone decides."""

    subject: str | None = Field(default=None, max_length=_TEXT, description="CN=device-1,O=Example")
    subject_pattern: str | None = Field(default=None, max_length=256)
    names: Names | None = Field(default=None, description="The exact set: dns:host.example.org")
    name_patterns: Names = Field(default=[], description="Names, or suffixes: .example.org")
    profile: str | None = Field(default=None, max_length=63)
    key_algorithms: list[str] = Field(default=[], max_length=20)


class CredentialIn(In):
    door: str = Field(max_length=80, description="scep/main")
    kind: Annotated[CredentialKind, Field(strict=False)]
    binding: BindingIn = BindingIn()
    reference: str | None = Field(default=None, max_length=200, description="null: one is made.")
    secret: str | None = Field(default=None, max_length=1024, description="null: one is made.")
    uses: int | None = Field(default=1, description="null: any number.")
    expires_s: int | None = Field(default=7 * 86_400, description="From now; null: never.")
    max_failures: int = Field(default=10, ge=1, le=1000)
    recoverable: bool = Field(default=False, description="Keep a user's secret, for digests.")
    note: str = Field(default="", max_length=_TEXT)


class BindingOut(Out):
    subject: str | None
    subject_pattern: str | None
    names: list[str] | None
    name_patterns: list[str]
    profile: str | None
    key_algorithms: list[str]


class CredentialOut(Out):
    """A credential; its secret is never shown again."""

    id: str
    door: str
    kind: CredentialKind
    reference: str | None
    binding: BindingOut
    state: CredentialState
    uses_left: int | None
    failures: int
    max_failures: int
    created_by: str
    created_at: int
    expires_at: int | None
    spent_at: int | None
    note: str


class IssuedOut(CredentialOut):
    secret: str = Field(description="Shown this once.")


def _door(using: Using, one: Door) -> DoorOut:
    names = set(DoorOut.model_fields) - {"url"}
    values = {name: getattr(one, name) for name in names}
    more = {"profiles": list(one.profiles), "url": using.doors.url(one)}
    return DoorOut.model_validate(values | more)


def _credential(one: Credential) -> dict[str, object]:
    binding = one.binding
    names = None if binding.names is None else [name.text for name in binding.names]
    values = {name: getattr(one, name) for name in CredentialOut.model_fields}
    return values | {
        "reference": None if one.kind is CredentialKind.ONE_TIME else one.reference,
        "binding": BindingOut(
            subject=binding.subject,
            subject_pattern=binding.subject_pattern,
            names=names,
            name_patterns=list(binding.name_patterns),
            profile=binding.profile,
            key_algorithms=list(binding.key_algorithms),
        ),
    }


def binding_of(given: BindingIn) -> Binding:
    """The domain's word for it; BadRequest for a name that is none."""
    names = None if given.names is None else tuple(map(general_names.parse, given.names))
    return Binding(
        subject=given.subject,
        subject_pattern=given.subject_pattern,
        names=names,
        name_patterns=tuple(given.name_patterns),
        profile=given.profile,
        key_algorithms=tuple(given.key_algorithms),
    )


@door.route("GET", "", Permission.RA_READ)
def list_doors(
    who: Who, using: Using, ra: Annotated[str | None, Query(max_length=63)] = None
) -> list[DoorOut]:
    """List the doors by which devices and servers enrol."""
    return [_door(using, one) for one in using.doors.all(who, ra)]


@door.route("GET", "/{protocol}/{label}", Permission.RA_READ)
def show_door(who: Who, using: Using, protocol: DoorProtocol, label: str) -> DoorOut:
    """Show a door."""
    return _door(using, using.doors.show(who, f"{protocol.value}/{label}"))


@door.route("PUT", "/{protocol}/{label}", Permission.RA_MANAGE)
def put_door(who: Who, using: Using, protocol: DoorProtocol, label: str, given: DoorIn) -> DoorOut:
    """Open a door, or change it."""
    values = given.model_dump() | {"profiles": tuple(given.profiles)}
    return _door(using, using.doors.put(who, Door(protocol, label, **values)))


@door.route("DELETE", "/{protocol}/{label}", Permission.RA_MANAGE, status=204)
def delete_door(who: Who, using: Using, protocol: DoorProtocol, label: str) -> Response:
    """Close a door for good: its credentials go with it, what was issued stays."""
    using.doors.delete(who, f"{protocol.value}/{label}")
    return Response(status_code=204)


@door.route("GET", "/{protocol}/{label}/traffic", Permission.CREDENTIAL_READ)
def door_traffic(who: Who, using: Using, protocol: DoorProtocol, label: str) -> list[SeenOut]:
    """List the newest messages, at most 200."""
    found = using.doors.traffic(who, f"{protocol.value}/{label}")
    return [_seen(one) for one in found]


def _seen(one: Seen) -> SeenOut:
    return SeenOut.model_validate({name: getattr(one, name) for name in SeenOut.model_fields})


@credentials.route("GET", "", Permission.CREDENTIAL_READ)
def list_credentials(
    who: Who,
    using: Using,
    door: Annotated[str | None, Query(max_length=80)] = None,
    state: CredentialState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageOut[CredentialOut]:
    """List credentials, newest first."""
    found = using.credentials.find(who, door, state, decode(cursor), limit + 1)
    return paged(
        found, limit, lambda one: one.id, lambda one: CredentialOut.model_validate(_credential(one))
    )


@credentials.route("POST", "", Permission.CREDENTIAL_ISSUE, status=201)
def issue_credential(who: Who, using: Using, given: CredentialIn) -> IssuedOut:
    """Make a credential; its secret is in this answer and nowhere else."""
    values = given.model_dump(exclude={"door", "binding"})
    wanted = replace(NewCredential(given.kind), **values, binding=binding_of(given.binding))
    made = using.credentials.issue(who, given.door, wanted)
    return IssuedOut.model_validate(_credential(made.credential) | {"secret": made.secret})


@credentials.route("GET", "/{id}", Permission.CREDENTIAL_READ)
def show_credential(who: Who, using: Using, id: str) -> CredentialOut:  # noqa: A002
    """Show a credential."""
    return CredentialOut.model_validate(_credential(using.credentials.show(who, id)))


@credentials.route("POST", "/{id}/revoke", Permission.CREDENTIAL_ISSUE)
def revoke_credential(who: Who, using: Using, id: str) -> CredentialOut:  # noqa: A002
    """Let nobody enrol with it any more; what was issued stays valid."""
    return CredentialOut.model_validate(_credential(using.credentials.revoke(who, id)))


@credentials.route("DELETE", "/{id}", Permission.CREDENTIAL_ISSUE, status=204)
def delete_credential(who: Who, using: Using, id: str) -> Response:  # noqa: A002
    """Forget a credential that is closed, so that its name is free."""
    using.credentials.delete(who, id)
    return Response(status_code=204)
