"""The figures an operator may set for accounts, and the rules a password must meet."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import CLASS_OF, Role, RoleClass

ACCOUNT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
RESERVED: Final = frozenset({"anonymous", "system", "unknown"})
"""Names that stand for nobody in the audit log, and so can never be somebody."""


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """Bounds; seconds unless named otherwise, lengths in characters.

    *token_cache_ms* is also how long a token stays good on **another** node
    after it was revoked or its owner disabled; on this node that is at once.
    """

    max_failures: int = 10
    lock_s: int = 15 * 60
    min_password: int = 14
    max_password: int = 1024
    token_cache_ms: int = 5_000
    max_token_days: int = 366
    max_tokens: int = 100
    session_idle_s: int = 30 * 60
    session_absolute_s: int = 12 * 3600
    step_up_s: int = 5 * 60
    half_open_s: int = 10 * 60  # from the password to the last step of signing in
    max_sessions: int = 20  # of one account; the oldest ends
    second_factor_required: bool = False


def normalised(password: str) -> str:
    """One form for the same characters however they were typed (NIST SP 800-63B §5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def is_unicode(text: str) -> bool:
    """Say whether *text* has a UTF-8 form: lone surrogates have none."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def check_password(policy: IdentityPolicy, name: str, password: str) -> str:
    """Return *password* normalised, or raise BadRequest with the rule it breaks."""
    text = normalised(password)
    if not is_unicode(text):
        raise BadRequest(
            "the password is not Unicode text", field="password", rule="password.unicode"
        )
    if not policy.min_password <= len(text) <= policy.max_password:
        raise BadRequest(
            f"a password has {policy.min_password} to {policy.max_password} characters",
            field="password",
            rule="password.length",
            remedy="use a passphrase of several words",
        )
    if len(set(text)) < 5 or (len(name) > 3 and name in text.lower()):
        raise BadRequest(
            "the password repeats itself, or holds the account's name",
            field="password",
            rule="password.guessable",
            remedy="use a passphrase of several words",
        )
    return text


def check_name(name: str, field: str = "name") -> str:
    """Return *name*, or raise BadRequest if no account or group may be called so."""
    if not ACCOUNT_NAME.fullmatch(name) or name in RESERVED:
        raise BadRequest(
            "a name has 1 to 64 characters of a-z 0-9 . _ @ - and begins with a letter or digit",
            field=field,
            rule="name.syntax",
            remedy="not one of: " + ", ".join(sorted(RESERVED)),
        )
    return name


def check_email(text: str) -> str:
    """Return *text*, empty or an e-mail address, or raise BadRequest."""
    if text:
        try:
            name_syntax.email(text)
        except BadRequest:
            raise BadRequest(
                f"{text[:80]!r} is not an e-mail address",
                field="email",
                rule="email.syntax",
                remedy="write it like alice@example.org, or leave it empty",
            ) from None
    return text


def class_of(roles: frozenset[Role], wanted: RoleClass | None, whose: str) -> RoleClass:
    """Return the one class of *roles*; raise Conflict if they are of several (FMT_SMR.2)."""
    classes = {CLASS_OF[role] for role in roles} | ({wanted} if wanted else set())
    if len(classes) > 1:
        raise mixing(whose)
    return classes.pop() if classes else RoleClass.GENERAL


def mixing(whose: str) -> Conflict:
    """The answer to every attempt at one identity of two classes."""
    return Conflict(
        f"{whose} would hold roles of two classes; auditors and CA operators hold no other",
        field="roles",
        rule="FMT_SMR.2",
        remedy="make a separate account for the other duty",
    )
