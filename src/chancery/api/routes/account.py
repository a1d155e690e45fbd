"""What one signs in with: one's own password, second factors and sessions; those of others."""

from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Done, In, Out
from chancery.api.routes.session import TokenOut, token_out
from chancery.api.routes.sign_in import Code, From, Secret, keep
from chancery.api.routing import Door, Who
from chancery.domain.errors import BadRequest
from chancery.domain.identity import AuthMethod, Permission
from chancery.domain.web_session import Factors, Proof, WebSession
from chancery.wire import documents

door = Door("/account", "account")
others = Door("/users/{name}", "users")

PasskeyLabel = Annotated[str, Field(min_length=1, max_length=60)]


class PasskeyOut(Out):
    id: str
    label: str
    synced: bool = Field(description="Its owner's other devices have it, too.")
    created_at: int
    last_used_at: int | None


class FactorsOut(Out):
    """What an account signs in with besides its password; no secret is ever told."""

    totp: bool
    passkeys: list[PasskeyOut]
    recovery_codes: int = Field(description="How many are left.")


class SessionEntry(Out):
    id: str
    user: str
    partner: str | None
    state: str
    methods: list[Proof]
    origin: str
    agent: str
    created_at: int
    seen_at: int
    ends_at: int
    current: bool = Field(description="The one that asks.")


class ChangeOwn(In):
    current: Secret | None = None
    password: Secret


class Proven(In):
    """*password* beside a token or a certificate, which alone may not change credentials."""

    password: Secret | None = None


class CodeIn(In):
    code: Code


class TotpOut(Out):
    """Shown this once; it counts from the first code on."""

    secret: str
    uri: str
    picture: str = Field(description="The URI as a QR code: an SVG element.")


class NewPasskey(In):
    answer: dict[str, Any] = Field(description="of navigator.credentials.create, as JSON")
    label: PasskeyLabel


class LabelIn(In):
    label: PasskeyLabel


class CodesOut(Out):
    codes: list[str] = Field(description="Shown this once; each is good once.")


@door.route("POST", "/password", Permission.AUTHENTICATED)
async def change_password(
    who: Who, using: Using, browser: From, response: Response, body: ChangeOwn
) -> Done:
    """Set one's own password, by knowing the current one."""
    identity = using.identity
    if who.method is AuthMethod.SESSION:
        if body.current is None:
            raise BadRequest(
                "the current password is missing", field="current", rule="password.current"
            )
        opened = await browser.queued(
            identity.sessions.change_password,
            browser.cookie,
            body.current,
            body.password,
            browser.origin,
        )
        keep(response, opened)
    else:
        await browser.queued(
            identity.users.set_password, who, who.name, body.password, body.current
        )
    return Done()


@door.route("GET", "/factors", Permission.AUTHENTICATED)
def factors(who: Who, using: Using) -> FactorsOut:
    """Show one's second factors."""
    return _factors_out(using.identity.factors.of(who))


@door.route("POST", "/totp", Permission.AUTHENTICATED)
def start_totp(who: Who, using: Using, body: Proven | None = None) -> TotpOut:
    """Make the secret of an authenticator app; a first code takes it into use."""
    made = using.identity.factors.start_totp(who, body.password if body else None)
    return TotpOut(secret=made.secret, uri=made.uri, picture=made.picture)


@door.route("POST", "/totp/confirmation", Permission.AUTHENTICATED)
def confirm_totp(who: Who, using: Using, body: CodeIn) -> FactorsOut:
    """Take the app into use by its first code."""
    return _factors_out(using.identity.factors.confirm_totp(who, body.code))


@door.route("POST", "/totp/removal", Permission.AUTHENTICATED)
def remove_totp(who: Who, using: Using, body: Proven | None = None) -> FactorsOut:
    """Take the app out of use."""
    given = body.password if body else None
    return _factors_out(using.identity.factors.remove_totp(who, given))


@door.route("POST", "/passkeys/options", Permission.AUTHENTICATED)
def passkey_options(who: Who, using: Using, browser: From) -> dict[str, Any]:
    """Return what ``navigator.credentials.create`` takes; in a browser's session only."""
    return using.identity.passkeys.options(who, browser.must_have_session())


@door.route("POST", "/passkeys", Permission.AUTHENTICATED, status=201)
def add_passkey(who: Who, using: Using, browser: From, body: NewPasskey) -> PasskeyOut:
    """Register a passkey; in a browser's session only."""
    answer = documents.encode(body.answer).decode()
    made = using.identity.passkeys.add(who, browser.must_have_session(), answer, body.label)
    return PasskeyOut.model_validate(made, from_attributes=True)


@door.route("PATCH", "/passkeys/{passkey_id}", Permission.AUTHENTICATED)
def rename_passkey(who: Who, using: Using, passkey_id: str, body: LabelIn) -> Done:
    """Name a passkey."""
    using.identity.passkeys.rename(who, passkey_id, body.label)
    return Done()


@door.route("POST", "/passkeys/{passkey_id}/removal", Permission.AUTHENTICATED)
def remove_passkey(
    who: Who, using: Using, passkey_id: str, body: Proven | None = None
) -> FactorsOut:
    """Take a passkey out of use."""
    given = body.password if body else None
    return _factors_out(using.identity.passkeys.remove(who, passkey_id, given))


@door.route("POST", "/recovery-codes", Permission.AUTHENTICATED)
def recovery_codes(who: Who, using: Using, body: Proven | None = None) -> CodesOut:
    """Make ten recovery codes; former ones are void."""
    given = body.password if body else None
    return CodesOut(codes=list(using.identity.factors.new_recovery_codes(who, given)))


@door.route("GET", "/sessions", Permission.AUTHENTICATED)
def sessions(who: Who, using: Using, browser: From) -> list[SessionEntry]:
    """List one's own sessions, newest first."""
    current = _current(using, browser)
    return [_entry(web, current) for web in using.identity.sessions.of(who)]


@door.route("DELETE", "/sessions", Permission.AUTHENTICATED, status=204)
def end_sessions(who: Who, using: Using, browser: From) -> None:
    """End one's own sessions, but not the one that asks."""
    using.identity.sessions.end_all(who, keep=_current(using, browser))


@door.route("DELETE", "/sessions/{session_id}", Permission.AUTHENTICATED, status=204)
def end_session(who: Who, using: Using, session_id: str) -> None:
    """End one of one's own sessions; a joint one ends for both."""
    using.identity.sessions.end_one(who, session_id)


@others.route("GET", "/factors", Permission.AUTHENTICATED)
def factors_of(who: Who, using: Using, name: str) -> FactorsOut:
    """Show an account's second factors: one's own, or any with identity.read."""
    return _factors_out(using.identity.factors.of(who, name))


@others.route("DELETE", "/factors", Permission.IDENTITY_MANAGE, status=204)
def reset_factors(who: Who, using: Using, name: str) -> None:
    """Forget all second factors of somebody who lost them; their sessions end."""
    using.identity.factors.reset(who, name)


@others.route("GET", "/sessions", Permission.IDENTITY_MANAGE)
def sessions_of(who: Who, using: Using, browser: From, name: str) -> list[SessionEntry]:
    """List an account's sessions, newest first."""
    current = _current(using, browser)
    return [_entry(web, current) for web in using.identity.sessions.of(who, name)]


@others.route("DELETE", "/sessions", Permission.IDENTITY_MANAGE, status=204)
def end_sessions_of(who: Who, using: Using, name: str) -> None:
    """End every session of an account."""
    using.identity.sessions.end_all(who, name)


@others.route("DELETE", "/sessions/{session_id}", Permission.IDENTITY_MANAGE, status=204)
def end_session_of(who: Who, using: Using, name: str, session_id: str) -> None:
    """End one session of an account."""
    using.identity.sessions.end_one(who, session_id, name)


@others.route("GET", "/tokens", Permission.IDENTITY_READ)
def tokens_of(who: Who, using: Using, name: str) -> list[TokenOut]:
    """List an account's API tokens, newest first; what they hold is not on record."""
    return [token_out(token) for token in using.identity.tokens.of(who, name)]


@others.route("DELETE", "/tokens/{token_id}", Permission.IDENTITY_MANAGE, status=204)
def revoke_token_of(who: Who, using: Using, name: str, token_id: str) -> None:
    """End an API token of an account."""
    using.identity.tokens.revoke(who, token_id, name)


def _current(using: Using, browser: From) -> str:
    """Id of the session that asks, "" where it is none."""
    resumed = (
        using.identity.sessions.resume(browser.cookie, browser.origin) if browser.cookie else None
    )
    return resumed.session.id if resumed is not None else ""


def _factors_out(found: Factors) -> FactorsOut:
    return FactorsOut(
        totp=found.totp,
        passkeys=[PasskeyOut.model_validate(one, from_attributes=True) for one in found.passkeys],
        recovery_codes=found.recovery_codes,
    )


def _entry(web: WebSession, current: str) -> SessionEntry:
    return SessionEntry(
        id=web.id,
        user=web.user,
        partner=web.partner or None,
        state=web.state.value,
        methods=list(web.methods),
        origin=web.origin,
        agent=web.agent,
        created_at=web.created_at,
        seen_at=web.seen_at,
        ends_at=web.ends_at,
        current=web.id == current,
    )
