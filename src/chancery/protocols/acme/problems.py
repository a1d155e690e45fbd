"""CAError -> RFC 8555 problem document.  The only place that knows both."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from chancery.domain import errors
from chancery.domain.acme import Fault, Identifier, Several
from chancery.domain.errors import CAError
from chancery.protocols.acme.jws import ALGORITHMS

_log = logging.getLogger(__name__)

Problem = dict[str, Any]

MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:ietf:params:acme:error:"
_RETRY_S: Final = 30
"""Seconds after which to try again when a part of ours is away."""

RULES: Final[Mapping[str, tuple[str, int]]] = {
    # What has a word of its own in ACME, by the rule that was broken.
    "acme.account.known": ("accountDoesNotExist", 400),
    "acme.account.valid": ("unauthorized", 401),
    "acme.algorithm": ("badSignatureAlgorithm", 400),
    "acme.binding": ("unauthorized", 403),
    "acme.binding.required": ("externalAccountRequired", 403),
    "acme.caa": ("caa", 403),
    "acme.contact": ("invalidContact", 400),
    "acme.contact.kind": ("unsupportedContact", 400),
    "acme.identifier.kind": ("unsupportedIdentifier", 400),
    "acme.identifier.refused": ("rejectedIdentifier", 403),
    "acme.method": ("malformed", 405),
    "acme.media-type": ("malformed", 415),
    "acme.nonce": ("badNonce", 400),
    "acme.order.ready": ("orderNotReady", 403),
    "acme.profile": ("invalidProfile", 400),
    "acme.reason": ("badRevocationReason", 400),
    "acme.replaces.once": ("alreadyReplaced", 409),
    "acme.terms": ("userActionRequired", 403),
    "acme.url": ("unauthorized", 401),
}
PROBLEMS: Final[tuple[tuple[type[CAError], str, int], ...]] = (
    # Most specific class first: the first isinstance() match wins.
    (errors.BadCSR, "badCSR", 400),
    (errors.BadKey, "badPublicKey", 400),
    (errors.BadName, "rejectedIdentifier", 400),
    (errors.TooLarge, "malformed", 413),
    (errors.BadRequest, "malformed", 400),
    (errors.NotAuthenticated, "unauthorized", 401),
    (errors.NotPermitted, "unauthorized", 403),
    (errors.LockedOut, "unauthorized", 403),
    (errors.TooOften, "rateLimited", 429),
    (errors.NotFound, "malformed", 404),
    (errors.AlreadyRevoked, "alreadyRevoked", 400),
    (errors.AlreadyExists, "malformed", 409),
    (errors.WrongState, "malformed", 409),
    (errors.Conflict, "malformed", 409),
    (errors.Unavailable, "serverInternal", 503),
    (errors.SignerRefused, "serverInternal", 500),
    (errors.LintFailed, "serverInternal", 500),
    (errors.CAError, "serverInternal", 500),
)


def problem(error: Exception) -> tuple[int, Problem]:
    """Return the HTTP status and body that tell a client about *error*."""
    if not isinstance(error, CAError):
        _log.error("ACME request failed", exc_info=error)
        return 500, _document("serverInternal", "internal error", 500)
    if isinstance(error, Several):
        return _several(error)
    word, status = _word(error)
    found = _document(word, _detail(error), status)
    if word == "badSignatureAlgorithm":
        found["algorithms"] = list(ALGORITHMS)
    return status, found


def retry_after(error: Exception) -> int | None:
    """Seconds for a Retry-After header; None where trying again is of no use."""
    if isinstance(error, errors.TooOften):
        return error.retry_after_s
    return _RETRY_S if isinstance(error, errors.Unavailable) else None


def of_fault(fault: Fault) -> Problem:
    """Why a validation failed, for the challenge; or an order, for its ``error``."""
    return {"type": _URN + fault.kind, "detail": fault.detail, "status": 403}


def shown(identifier: Identifier) -> dict[str, str]:
    """An identifier object as an order lists it (RFC 8555 §7.1.3)."""
    return {"type": identifier.kind.value, "value": identifier.value}


def _several(error: Several) -> tuple[int, Problem]:
    """RFC 8555 §6.7.1: one type where all agree, else ``compound``."""
    subproblems, words, statuses = [], set(), set()
    for identifier, part in error.parts:
        word, status = _word(part)
        words.add(word)
        statuses.add(status)
        found = _document(word, _detail(part), status)
        if identifier is not None:
            found["identifier"] = shown(identifier)
        subproblems.append(found)
    status = statuses.pop() if len(statuses) == 1 else 400
    found = _document(words.pop() if len(words) == 1 else "compound", str(error), status)
    if len(subproblems) > 1 or "identifier" in subproblems[0]:
        found["subproblems"] = subproblems
    return status, found


def _word(error: CAError) -> tuple[str, int]:
    if (own := RULES.get(error.rule or "")) is not None:
        return own
    return next((word, status) for kind, word, status in PROBLEMS if isinstance(error, kind))


def _detail(error: CAError) -> str:
    text = f"{error}: {error.remedy}" if error.remedy else str(error)
    return text[:1_000]


def _document(word: str, detail: str, status: int) -> Problem:
    return {"type": _URN + word, "detail": detail, "status": status}
