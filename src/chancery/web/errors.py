"""CAError -> status and title of a page.  The only place that knows both."""

from typing import Final

from chancery.domain import errors

# 401 would ask for a header field that only programs answer (RFC 9110 §15.5.2).
# Most specific class first: the first isinstance() match wins.
PAGES: Final[tuple[tuple[type[errors.CAError], int, str], ...]] = (
    (errors.BadCSR, 422, "The certification request is not acceptable"),
    (errors.BadKey, 422, "The key is not acceptable"),
    (errors.BadName, 422, "A name is not acceptable"),
    (errors.TooLarge, 413, "That was too much at once"),
    (errors.BadRequest, 422, "Something in it is not right"),
    (errors.NotAuthenticated, 422, "Please sign in"),
    (errors.NotPermitted, 403, "You may not do this"),
    (errors.TooOften, 429, "Too often"),
    (errors.LockedOut, 423, "Locked out for a while"),
    (errors.NotFound, 404, "Not found"),
    (errors.AlreadyExists, 409, "It exists already"),
    (errors.AlreadyRevoked, 409, "It is revoked already"),
    (errors.WrongState, 409, "This is not possible now"),
    (errors.Conflict, 409, "This contradicts what has already happened"),
    (errors.Unavailable, 503, "A part of the service is away"),
    (errors.SignerRefused, 500, "The signer refused"),
    (errors.LintFailed, 500, "The certificate would have been faulty"),
)
HTTP: Final[dict[int, tuple[str, str]]] = {
    404: ("Not found", "There is no page at this address."),
    405: ("Not possible", "This page cannot be used that way."),
    500: ("Something broke here", "It is noted in the log of this server, and nothing was done."),
}
"""What HTTP itself finds, and what no words fit: title and text."""


def page_of(error: errors.CAError) -> tuple[int, str]:
    """Return the status and the title of the page that reports *error*."""
    for kind, status, title in PAGES:
        if isinstance(error, kind):
            return status, title
    return 500, HTTP[500][0]
