"""What an authority's OCSP answers say."""

from typing import TypeVar

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import In, Out
from chancery.api.routing import Door, Who
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.status import OcspPolicy, SignedRequests, Unissued

door = Door("/ocsp", "ocsp")

_UNISSUED = Field(
    description="`revoked`: with the extended-revoke extension.", examples=["unknown", "revoked"]
)
_ARCHIVE = Field(
    description="Seconds for which a status can be asked for after its certificate's end, as "
    "answers say by archiveCutoff; null: they do not say.",
)


_REQUESTS = Field(
    description="Signatures on requests: `verify` refuses bad ones, `require` refuses to answer "
    "without.",
    examples=["ignore", "verify", "require"],
)


class OcspPolicyIn(In):
    unissued: str = _UNISSUED
    archive_s: int | None = _ARCHIVE
    requests: str = "ignore"


class OcspPolicyOut(Out):
    authority: str
    unissued: Unissued = _UNISSUED
    archive_s: int | None = _ARCHIVE
    requests: SignedRequests = _REQUESTS


class ResponderOut(Out):
    """Who answers for one key.  Unix seconds; null: nobody yet."""

    authority: str
    label: str = Field(description="Of the key: part of its URLs.")
    subject: str | None
    serial: str | None
    algorithm: str | None
    not_before: int | None
    not_after: int | None
    renewed_at: int | None = Field(description="When its certificate is renewed by itself.")


@door.route("GET", "", Permission.AUTHORITY_READ)
def list_responders(who: Who, using: Using) -> list[ResponderOut]:
    """List the OCSP responders of each key, with their dates."""
    found = using.status.responders(who)
    return [ResponderOut.model_validate(one, from_attributes=True) for one in found]


@door.route("GET", "/{name}", Permission.AUTHORITY_READ)
def show_ocsp(who: Who, using: Using, name: str) -> OcspPolicyOut:
    """What answers about an authority's certificates say beyond good and revoked."""
    return _out(name, using.status.ocsp_policies.get(who, name))


@door.route("PUT", "/{name}", Permission.AUTHORITY_MANAGE)
def edit_ocsp(who: Who, using: Using, name: str, body: OcspPolicyIn) -> OcspPolicyOut:
    """Change it; answers follow within two seconds."""
    requests = _one_of(SignedRequests, body.requests, "requests")
    wanted = OcspPolicy(_one_of(Unissued, body.unissued, "unissued"), body.archive_s, requests)
    return _out(name, using.status.ocsp_policies.put(who, name, wanted))


def _out(name: str, policy: OcspPolicy) -> OcspPolicyOut:
    return OcspPolicyOut(
        authority=name,
        unissued=policy.unissued,
        archive_s=policy.archive_s,
        requests=policy.requests,
    )


_C = TypeVar("_C", Unissued, SignedRequests)


def _one_of(choices: type[_C], text: str, field: str) -> _C:
    try:
        return choices(text)
    except ValueError:
        raise BadRequest(
            f"no such choice: {text[:40]}",
            field=field,
            rule=f"ocsp.{field}",
            remedy=f"one of: {', '.join(choices)}",
        ) from None
