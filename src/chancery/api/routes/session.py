"""One's own identity and tokens."""

from typing import Annotated, Any

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import In, Out
from chancery.api.routing import Door, Who
from chancery.domain.errors import BadRequest
from chancery.domain.identity import ApiToken, Permission

door = Door("", "session")


class MeOut(Out):
    """Who you are here, and what you may do."""

    name: str
    roles: list[str]
    groups: list[str]
    permissions: list[str]
    method: str
    partner: str | None = Field(description="Who is signed in together with you.")


class TokenOut(Out):
    """A token; its secret is not kept."""

    id: str
    label: str
    scopes: list[str] | None = Field(description="null: all of the owner's permissions")
    created_at: int
    expires_at: int
    last_used_at: int | None
    revoked: bool


class NewTokenOut(TokenOut):
    token: str = Field(description="The secret, shown this once.", examples=["chy_..."])


class TokenIn(In):
    label: Annotated[str, Field(max_length=100)] = ""
    days: Annotated[int, Field(ge=1, le=3650)] = 30
    scopes: Annotated[list[str], Field(max_length=64)] | None = Field(
        default=None, examples=[["request.submit", "certificate.read"]]
    )


@door.route("GET", "/me", Permission.AUTHENTICATED)
def me(who: Who) -> MeOut:
    """Say who the credential belongs to and what it may do."""
    return MeOut(
        name=who.name,
        roles=sorted(who.roles),
        groups=sorted(who.groups),
        permissions=sorted(who.permissions),
        method=who.method.value,
        partner=who.partner or None,
    )


@door.route("POST", "/session/token", Permission.TOKEN_OWN, status=201)
def create_token(who: Who, using: Using, body: TokenIn | None = None) -> NewTokenOut:
    """Make an API token, at most as powerful as the credential that asks for it."""
    body = body or TokenIn()
    scopes = None if body.scopes is None else permissions(body.scopes)
    token, secret = using.identity.tokens.create(
        who, label=body.label, days=body.days, scopes=scopes
    )
    return NewTokenOut(**_fields(token), token=secret)


@door.route("GET", "/tokens", Permission.TOKEN_OWN)
def list_tokens(who: Who, using: Using) -> list[TokenOut]:
    """List one's own tokens, newest first."""
    return [token_out(token) for token in using.identity.tokens.mine(who)]


@door.route("DELETE", "/tokens/{token_id}", Permission.TOKEN_OWN, status=204)
def revoke_token(who: Who, using: Using, token_id: str) -> None:
    """End one of one's own tokens."""
    using.identity.tokens.revoke(who, token_id)


def token_out(token: ApiToken) -> TokenOut:
    return TokenOut(**_fields(token))


def permissions(names: list[str]) -> list[Permission]:
    """Return the permissions of these names; BadRequest for one that does not exist."""
    known = {permission.value for permission in Permission}
    for name in names:
        if name not in known:
            raise BadRequest(
                f"no permission {name[:40]!r}",
                field="scopes",
                rule="permission.known",
                remedy="one of: " + ", ".join(sorted(known)),
            )
    return [Permission(name) for name in names]


def _fields(token: ApiToken) -> dict[str, Any]:
    scopes = None if token.scopes is None else sorted(token.scopes)
    names = ("id", "label", "created_at", "expires_at", "last_used_at", "revoked")
    return {name: getattr(token, name) for name in names} | {"scopes": scopes}
