"""Submissions answered inside the HTTP connection: signed-in requesters, nothing unusual.

Whatever cannot be taken in at once is left to ``SubmitEndpoint``, which has a
word for everything; what was taken in is answered here, come what may.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Final

from chancery.api.guard import HEADERS, HSTS
from chancery.api.problems import Invalid, ProblemAnswer, problem
from chancery.api.routing import JSON_NUL
from chancery.api.submission import decode
from chancery.api.submit import PATH, created
from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.services.identity import IdentityService
from chancery.services.registration import RegistrationService
from chancery.services.rehearsal import Submitted

_log = logging.getLogger(__name__)

Tell = Callable[[bytes, bytes], None]
"""Told an answer, from its first header field on, and its status."""
Count = Callable[[str, str, int, float], None]
"""Told of an answer: method, route, status, ``perf_counter()`` at its beginning."""

_CREATED: Final = b"201 Created"
_SECURITY: Final = b"".join(b"%b: %b\r\n" % field for field in (*HEADERS, HSTS))
_HEAD: Final = _SECURITY + (
    b"content-type: application/json\r\ncontent-length: %d\r\nlocation: %b/%b\r\n\r\n"
)


class QuickIntake:
    """The quick way in.  ``open`` comes first; belongs to the event loop."""

    def __init__(
        self,
        identity: IdentityService,
        registration: RegistrationService,
        count: Count,
        shut: Callable[[], bool],
    ) -> None:
        """*shut*: whether the doors are closed, and the other road has to say why."""
        self._known = identity.known_digest
        self._enqueue = registration.enqueue
        self._count = count
        self._shut = shut
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: deque[tuple[Tell, float, Future[Submitted]]] = deque()
        self._woken = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def take(self, token: bytes, origin: str, body: bytes, tell: Tell) -> bool:
        """Say whether this is for here; if so, *tell* is called later, once, on the event loop."""
        started = perf_counter()
        principal = self._known(token, origin)
        if (
            principal is None
            or Permission.REQUEST_SUBMIT not in principal.permissions
            or JSON_NUL in body
            or self._shut()
        ):
            return False
        try:
            under_way = self._enqueue(principal, decode(body))
        except (CAError, Invalid):
            return False
        under_way.add_done_callback(partial(self._hand, tell, started))
        return True

    def _hand(self, tell: Tell, started: float, under_way: "Future[Submitted]") -> None:
        """In whatever thread: what ends in one commit wakes the event loop once."""
        self._done.append((tell, started, under_way))
        if not self._woken:
            self._woken = True
            assert self._loop is not None  # nothing is taken before it opens
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who asked
                self._loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        self._woken = False  # first: what comes from now on may not be seen below
        while self._done:
            tell, started, under_way = self._done.popleft()
            error = under_way.exception()
            status = 201 if error is None else self._failed(error, tell)
            if error is None:
                request_id, answer = created(under_way.result())
                tell(_HEAD % (len(answer), PATH.encode(), request_id.encode()) + answer, _CREATED)
            self._count("POST", PATH, status, started)

    def _failed(self, error: BaseException, tell: Tell) -> int:
        if not isinstance(error, CAError):
            _log.error("POST %s failed", PATH, exc_info=error)
        answer = ProblemAnswer(problem(error))
        fields = b"".join(b"%b: %b\r\n" % field for field in answer.headers)
        status = HTTPStatus(answer.status)
        tell(
            _SECURITY + fields + b"\r\n" + answer.body,
            f"{status.value} {status.phrase}".encode(),
        )
        return status.value
