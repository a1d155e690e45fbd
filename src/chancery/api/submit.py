"""POST /api/v1/requests: the hot way in, a plain ASGI application without the framework.

Errors, fields and permissions are those of the framework's routes; the same
tests hold both.  ``Guard`` stands around it as around everything.
"""

import asyncio
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from chancery import peer
from chancery.api.authentication import Authenticator
from chancery.api.idempotency import Idempotency
from chancery.api.routing import JSON_NUL, Access, refuse_nul
from chancery.api.submission import decode
from chancery.domain.gateway import Receipt
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.domain.request import Submission
from chancery.services.access import demand_within
from chancery.services.registration import RegistrationService
from chancery.services.rehearsal import Submitted
from chancery.wire import pem

PATH: Final = "/api/v1/requests"
ACCESS: Final = Access("POST", PATH, (Permission.PUBLIC,))
"""Public, because an RA may take anonymous requests; the registration service decides."""


class Answer(msgspec.Struct, omit_defaults=True, frozen=True):
    """What became of a submission."""

    id: str
    state: str
    serial: str
    content_sha256: str
    code: str | None = None
    certificate: str | None = None


class _Id(msgspec.Struct):
    id: str


_ENCODE: Final = msgspec.json.Encoder().encode
_READ_ID: Final = msgspec.json.Decoder(_Id).decode


def answer_of(submitted: Submitted) -> Answer:
    """Describe *submitted*; the certificate as PEM where it was issued at once."""
    request, issued = submitted.request, submitted.certificate
    return Answer(
        id=request.id,
        state=request.state.value,
        serial=request.serial,
        content_sha256=request.content_sha256,
        code=submitted.code,
        certificate=pem.encode("CERTIFICATE", issued.der) if issued else None,
    )


def created(submitted: Submitted) -> tuple[str, bytes]:
    """The id of the request that *submitted* made, and the answer in JSON."""
    return submitted.request.id, _ENCODE(answer_of(submitted))


class SubmitEndpoint:
    """Decodes, enqueues, awaits, answers."""

    def __init__(
        self,
        registration: RegistrationService,
        authenticator: Authenticator,
        idempotency: Idempotency,
    ) -> None:
        self._enqueue = registration.enqueue
        self._registration = registration
        self._authenticator = authenticator
        self._idempotency = idempotency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = await self._authenticator.principal(scope)
        if principal.method is not AuthMethod.NONE:
            demand_within(principal, Permission.REQUEST_SUBMIT)
        body = await read_body(receive)
        refuse_nul("body", nul=JSON_NUL in body)
        key = _header(scope, b"idempotency-key")
        stamp = _header(scope, b"proof-of-work")
        submission = decode(body)
        relayed = peer.relayed(scope)
        receipt = relayed.receipt if relayed is not None else None
        if key is None:
            request_id, answer = await self._submit(principal, submission, stamp, receipt)
        else:
            answer = await self._idempotency.once(
                principal, key, body, lambda: self._answer(principal, submission, stamp, receipt)
            )
            request_id = _READ_ID(answer).id
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
            (b"location", f"{PATH}/{request_id}".encode()),
        ]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _submit(
        self,
        principal: Principal,
        submission: Submission,
        stamp: bytes | None,
        receipt: Receipt | None,
    ) -> tuple[str, bytes]:
        proof = stamp.decode("latin-1") if stamp is not None else None
        if receipt is not None:
            received = await asyncio.to_thread(
                self._registration.receive, principal, submission, receipt, stamp=proof
            )
            return created(received)
        under_way = self._enqueue(principal, submission, stamp=proof)
        return created(await asyncio.wrap_future(under_way))

    async def _answer(
        self,
        principal: Principal,
        submission: Submission,
        stamp: bytes | None,
        receipt: Receipt | None,
    ) -> bytes:
        return (await self._submit(principal, submission, stamp, receipt))[1]


async def read_body(receive: Receive) -> bytes:
    """Return the whole body; ``Guard`` bounds it."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect  # half a body could be taken for a whole one
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return None
