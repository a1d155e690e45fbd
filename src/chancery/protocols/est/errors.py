"""CAError -> HTTP status of an EST answer.  The only place that knows both.

RFC 7030 §4.2.3: a refusal is a 4xx or 5xx with text for a person.
"""

from typing import Final

from chancery.domain import errors

# Most specific class first: the first isinstance() match wins.
STATUSES: Final[tuple[tuple[type[errors.CAError], int], ...]] = (
    (errors.TooLarge, 413),
    (errors.BadCSR, 400),
    (errors.BadKey, 400),
    (errors.BadName, 400),
    (errors.BadRequest, 400),
    (errors.NotAuthenticated, 401),
    (errors.NotPermitted, 403),
    (errors.LockedOut, 403),
    (errors.TooOften, 429),
    (errors.NotFound, 404),
    (errors.AlreadyExists, 409),
    (errors.AlreadyRevoked, 409),
    (errors.WrongState, 409),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
    (errors.SignerRefused, 500),
    (errors.LintFailed, 500),
)

_UNAVAILABLE_S: Final = 5


def status_of(error: Exception) -> int:
    """The HTTP status that tells a client about *error*."""
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return status
    return 500


def text_of(error: Exception) -> str:
    """What a person reads: the message and the remedy; nothing of a bug."""
    if not isinstance(error, errors.CAError) or status_of(error) == 500:
        return "internal error"
    remedy = f": {error.remedy}" if error.remedy else ""
    return f"{error}{remedy}"


def retry_after(error: Exception) -> int | None:
    """Seconds from now at which trying again may help."""
    if isinstance(error, errors.TooOften):
        return error.retry_after_s
    return _UNAVAILABLE_S if isinstance(error, errors.Unavailable) else None
