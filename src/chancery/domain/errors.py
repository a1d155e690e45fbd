"""Every way a request can fail, in the words of a CA and of no protocol.

Raise the narrowest class.  Anything that is not a CAError is a bug or an
outage: edges report it as "internal" and keep its text out of the answer.
"""

from typing import Final


class CAError(Exception):
    """Base class.  The message is written for the requester and is safe to send.

    *field* names what is wrong as the requester wrote it (``csr``,
    ``profile``, ``subject.CN``), *rule* what it broke (``rsa.min-size``,
    ``name.suffix``), *remedy* what to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        rule: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.field: Final = field
        self.rule: Final = rule
        self.remedy: Final = remedy


class BadRequest(CAError):
    """The request is malformed, or contradicts itself."""


class BadCSR(BadRequest):
    """The certification request does not parse, or its signature does not verify."""


class BadKey(BadRequest):
    """The subject key is too weak, or of a kind the profile does not allow."""


class BadName(BadRequest):
    """A name in the subject or the SAN breaks a rule of its profile."""


class TooLarge(BadRequest):
    """The input is longer than the stated bound; it was not parsed."""


class NotAuthenticated(CAError):
    """No identity, or one that did not prove itself: wrong password, expired token."""


class NotPermitted(CAError):
    """The requester is known but may not have this."""


class LockedOut(CAError):
    """Too many failures; the account waits, whatever the password."""


class TooOften(CAError):
    """Too much from one source in too short a time; *retry_after_s* seconds from now it may."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: int = 60,
        field: str | None = None,
        rule: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, field=field, rule=rule, remedy=remedy)
        self.retry_after_s: Final = retry_after_s


class NotFound(CAError):
    """No such certificate, request, authority or account."""


class Conflict(CAError):
    """The request contradicts what has already happened."""


class AlreadyExists(Conflict):
    """The name, serial or key is taken."""


class AlreadyRevoked(Conflict):
    """The certificate was revoked before."""


class WrongState(Conflict):
    """The object's state does not allow this now (approve a denied request, say)."""


class Unavailable(CAError):
    """A part we depend on is away (signer, database, audit); nothing was done, try again."""


class SignerRefused(CAError):
    """The key boundary's own checks refused to sign: our policy above it let something through."""


class LintFailed(CAError):
    """Our own profile would have produced a bad certificate: it was not signed."""
