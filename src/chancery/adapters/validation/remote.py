"""Validation from several places: what one network alone sees may be a lie told to it."""

import hmac
import http.client
import json
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from chancery.adapters.validation.local import LocalValidator
from chancery.domain.acme import ChallengeKind, Fault, identifier
from chancery.domain.acme_settings import AcmeSettings, Vantage
from chancery.domain.errors import BadRequest
from chancery.ports_acme import Question

_MOST: Final = 65_536
_AT_ONCE: Final = 16
_STEPS: Final = 6
"""A vantage point may take so many times what one step of a validation may."""


class SpreadValidator:
    """``ports_acme.Validator``: here first, then at the door's vantage points, all at once."""

    def __init__(self) -> None:
        self._here = LocalValidator()

    def check(self, question: Question, settings: AcmeSettings) -> Fault | None:
        fault = self._here.check(question, settings)
        if fault is not None or not settings.vantages:
            return fault
        places = settings.vantages
        with ThreadPoolExecutor(min(len(places), _AT_ONCE), "vantage") as pool:
            found = list(pool.map(lambda place: _ask(place, question, settings), places))
        faults = [one for one in found if one is not None]
        needed = len(places) - 1 if settings.quorum is None else settings.quorum
        if len(places) - len(faults) >= max(needed, 1 if settings.quorum is None else 0):
            return None
        first = faults[0]
        seen = f"proved from {len(places) - len(faults)} of {len(places)} other places"
        return Fault(first.kind, f"{seen}: {first.detail}"[:500])


def answer(
    body: bytes, authorization: str, token: str, settings: AcmeSettings
) -> tuple[int, bytes]:
    """What a vantage point says to a request; *settings* are its own networks and resolvers."""
    if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        return 401, b"{}"
    try:
        said = json.loads(body)
        question = Question(
            ChallengeKind(said["kind"]),
            identifier(said["identifier"]["type"], said["identifier"]["value"]),
            str(said["token"]),
            str(said["thumbprint"]),
        )
        ports = {name: said[name] for name in ("http_port", "tls_port", "timeout_s")}
        if not all(type(one) is int and 0 < one < 65_536 for one in ports.values()):
            raise ValueError("ports")
    except (ValueError, KeyError, TypeError, BadRequest, RecursionError):
        return 400, b"{}"
    fault = LocalValidator().check(question, replace(settings, **ports))
    found = None if fault is None else {"kind": fault.kind, "detail": fault.detail}
    return 200, json.dumps({"fault": found}).encode()


def _ask(place: Vantage, question: Question, settings: AcmeSettings) -> Fault | None:
    """Why that place does not see it; None: it does."""
    body = json.dumps(
        {
            "kind": question.kind.value,
            "identifier": {
                "type": question.identifier.kind.value,
                "value": question.identifier.value,
            },
            "token": question.token,
            "thumbprint": question.thumbprint,
            "http_port": settings.http_port,
            "tls_port": settings.tls_port,
            "timeout_s": settings.timeout_s,
        }
    )
    try:
        return _read(_post(place, body, settings.timeout_s * _STEPS))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        return Fault("connection", f"{place.url} cannot be asked: {said}")


def _post(place: Vantage, body: str, timeout_s: float) -> Mapping[str, Any]:
    parts = urlsplit(place.url)
    context = ssl.create_default_context(cafile=place.ca_file)
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=timeout_s, context=context
    )
    headers = {
        "Authorization": f"Bearer {Path(place.token_file).read_text().strip()}",
        "Content-Type": "application/json",
    }
    try:
        connection.request("POST", parts.path or "/", body=body, headers=headers)
        reply = connection.getresponse()
        data = reply.read(_MOST)
        if reply.status != 200:
            raise ValueError(f"it answers {reply.status}")
        found: Mapping[str, Any] = json.loads(data)
        return found
    finally:
        connection.close()


def _read(found: Mapping[str, Any]) -> Fault | None:
    fault = found["fault"]
    return None if fault is None else Fault(str(fault["kind"]), str(fault["detail"])[:400])
