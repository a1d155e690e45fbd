"""What an ID token must say before it is believed (OpenID Connect Core §3.1.3.7).

Its signature has been checked; here it is asked whom it is for, whom it is
about, and when it was made.  No I/O.
"""

import hmac
from collections.abc import Mapping
from typing import Any, Final

from chancery.domain.directory import Person, SignInFlow
from chancery.domain.errors import NotAuthenticated
from chancery.services.identity.sources import ProviderSource

_MAX_AGE_S: Final = 600  # a token comes with the code, and the code within minutes
_MAX_SUBJECT: Final = 255  # characters (§2)
_MAX_GROUPS: Final = 1000
_MAX_TEXT: Final = 1024


def person_of(
    claims: Mapping[str, Any], source: ProviderSource, flow: SignInFlow, now: int
) -> Person:
    """Whom the token is about; NotAuthenticated names the rule that it breaks."""
    _check_parties(claims, source)
    _check_times(claims, source, flow, now)
    nonce = claims.get("nonce")
    shown = nonce.encode("utf-8", "replace") if isinstance(nonce, str) else b""
    if not hmac.compare_digest(shown, flow.nonce.encode()):
        raise _broken(source, "nonce", "answers another sign-in")
    if source.acr_values and claims.get("acr") not in source.acr_values:
        raise _broken(source, "acr", "comes of too weak a proof of who you are")
    subject = claims.get("sub")
    # §2: ASCII, and so far nobody has asked for controls.
    if not (isinstance(subject, str) and subject.isascii() and subject.isprintable()):
        raise _broken(source, "sub", "names nobody")
    if not 0 < len(subject) <= _MAX_SUBJECT:
        raise _broken(source, "sub", "names nobody")
    verified = claims.get("email_verified") is not False
    login = _text(claims, source.login_claim) or subject
    return Person(
        subject=subject,
        login=login,
        display_name=_text(claims, "name") or login,
        email=_text(claims, "email") if verified else "",
        groups=_groups(claims, source),
    )


def _check_parties(claims: Mapping[str, Any], source: ProviderSource) -> None:
    if claims.get("iss") != source.issuer:
        raise _broken(source, "iss", "comes of another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    # One for others as well could have been taken from any of them.
    if audiences != [source.client_id]:
        raise _broken(source, "aud", "is for somebody else")
    if claims.get("azp", source.client_id) != source.client_id:
        raise _broken(source, "azp", "was made for somebody else")


def _check_times(
    claims: Mapping[str, Any], source: ProviderSource, flow: SignInFlow, now: int
) -> None:
    leeway = source.leeway_s
    expires, made = _instant(claims, source, "exp"), _instant(claims, source, "iat")
    if now >= expires + leeway:
        raise _broken(source, "exp", "has expired")
    if made > now + leeway:
        raise _broken(source, "iat", "comes from the future")
    if made < now - _MAX_AGE_S - leeway:
        raise _broken(source, "iat", "is too old")
    if "nbf" in claims and _instant(claims, source, "nbf") > now + leeway:
        raise _broken(source, "nbf", "is not good yet")
    if flow.purpose.fresh and _instant(claims, source, "auth_time") < flow.begun_at - leeway:
        raise _broken(source, "auth_time", "comes of an older sign-in")


def _instant(claims: Mapping[str, Any], source: ProviderSource, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise _broken(source, name, f"has no {name}")
    return value


def _groups(claims: Mapping[str, Any], source: ProviderSource) -> tuple[str, ...]:
    """The groups that the token lists; a claim within another is written with dots."""
    found: Any = claims.get(source.group_claim)
    if found is None and "." in source.group_claim:
        found = claims
        for part in source.group_claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    elsewhere = claims.get("_claim_names")
    if found is None and isinstance(elsewhere, dict) and source.group_claim in elsewhere:
        raise _broken(source, "groups", "does not list your groups, which are too many for it")
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list) or len(found) > _MAX_GROUPS:
        return ()
    return tuple(sorted({one for one in found if isinstance(one, str)}))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip()[:_MAX_TEXT] if isinstance(value, str) else ""


def _broken(source: ProviderSource, claim: str, what: str) -> NotAuthenticated:
    return NotAuthenticated(
        f"the word of {source.source.name} {what}",
        field="provider",
        rule=f"oidc.{claim}",
        remedy="sign in again from the start",
    )
