"""Many submissions in one request: lines in, lines out, in order."""

from collections.abc import Iterator
from itertools import chain

import msgspec
from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from chancery.api.bodies import RawBody, Using
from chancery.api.problems import Invalid, problem
from chancery.api.routing import JSON_NUL, Door, LinesRoute, Who, refuse_nul
from chancery.api.submission import MAX_LINE, decode
from chancery.api.submit import answer_of
from chancery.domain.errors import BadRequest, CAError, TooLarge
from chancery.domain.identity import Permission, Principal
from chancery.domain.request import Submission
from chancery.services.registration import RegistrationService
from chancery.services.rehearsal import Submitted

door = Door("/requests", "requests", route_class=LinesRoute)
PATH = "/api/v1/requests/bulk"

_MAX_LINES = 100_000
_CHUNK = 64  # answers written at once: a thread hop each would cost more than the answer
_ENCODE = msgspec.json.Encoder().encode
_LINE = {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/SubmitBody"}}}
_ARRAY = {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/SubmitBody"}}}
_DESCRIBED = {
    "requestBody": {"required": True, "content": {**_LINE, "application/json": _ARRAY}},
    "responses": {
        "200": {
            "description": "One JSON object a line, in the order of the submissions: "
            "`index` and either the answer of a submission or `error`, a problem document.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
}


@door.route(
    "POST",
    "/bulk",
    Permission.REQUEST_SUBMIT,
    response_class=StreamingResponse,
    openapi_extra=_DESCRIBED,
)
def submit_many(who: Who, using: Using, body: RawBody) -> StreamingResponse:
    """Submit thousands of requests; one that fails does not stop the others."""
    lines = split(body)
    answers = _answers(using.registration, who, lines)
    first = next(answers)  # what is wrong with all of it is said before the answer begins
    stream = iterate_in_threadpool(chain([first], answers))
    return StreamingResponse(stream, media_type="application/x-ndjson")


def split(body: bytes) -> list[bytes]:
    """Return the submissions in an NDJSON body or a JSON array, still encoded."""
    if body.lstrip()[:1] == b"[":
        try:
            lines = [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Invalid("the body is not a JSON array", "body", "json") from None
    else:
        lines = [line for line in body.split(b"\n") if line.strip()]
    if not 0 < len(lines) <= _MAX_LINES:
        raise Invalid(f"a batch has 1 to {_MAX_LINES} submissions", "body", "bulk.size")
    return lines


def _answers(
    registration: RegistrationService, who: Principal, lines: list[bytes]
) -> Iterator[bytes]:
    chunk: list[bytes] = []
    outcomes = registration.submit_many(who, map(_submission, lines))
    for index, outcome in enumerate(outcomes):
        chunk.append(_line(index, outcome))
        if len(chunk) == _CHUNK:
            yield b"".join(chunk)
            chunk.clear()
    yield b"".join(chunk)


def _submission(line: bytes) -> Submission | CAError:
    """Read one line; what cannot be read becomes that line's own error."""
    if len(line) > MAX_LINE:
        return TooLarge(f"a submission has at most {MAX_LINE} octets", rule="body.size")
    try:
        refuse_nul("submission", nul=JSON_NUL in line)
        return decode(line)
    except Invalid as error:
        unread = BadRequest(str(error), field=error.field, rule=error.rule)
        unread.__cause__ = error  # its problem is the same as that of a single submission
        return unread
    except CAError as error:
        return error


def _line(index: int, outcome: Submitted | CAError) -> bytes:
    if isinstance(outcome, CAError):
        cause = outcome.__cause__ if isinstance(outcome.__cause__, Invalid) else outcome
        return _ENCODE({"index": index, "error": problem(cause)}) + b"\n"
    return b'{"index":%d,%b\n' % (index, _ENCODE(answer_of(outcome))[1:])
