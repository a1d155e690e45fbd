"""The REST API as one ASGI application."""

import functools
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from chancery.api import documentation, openapi, submit
from chancery.api.authentication import Authenticator
from chancery.api.findings import finding
from chancery.api.guard import Guard
from chancery.api.idempotency import Idempotency
from chancery.api.problems import Invalid, ProblemAnswer, http_problem, problem
from chancery.api.routes import (
    account,
    acme,
    audit,
    authorities,
    backups,
    bulk,
    certificates,
    custody,
    directories,
    doors,
    groups,
    imports,
    key_custody,
    key_rooms,
    key_use,
    keys,
    notifications,
    ocsp,
    operations,
    policy,
    portal,
    profiles,
    publication,
    requests,
    reviews,
    revocations,
    saved_filters,
    scep,
    session,
    sign_in,
    succession,
    users,
    vaults,
    work,
)
from chancery.api.routing import Access, Door
from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.services.roster import Services

DOORS: Final = (
    session.door,
    sign_in.door,
    account.door,
    account.others,
    reviews.requests,  # before requests: no request is called queues
    reviews.certificates,
    bulk.door,  # before requests: /requests/bulk is no request id
    requests.door,
    certificates.door,
    authorities.door,
    authorities.containers,
    publication.door,
    succession.pending,
    profiles.profiles,
    profiles.dn_profiles,
    profiles.ras,
    policy.profiles,
    policy.dn_profiles,
    policy.ras,
    audit.door,
    portal.door,
    revocations.door,
    ocsp.door,
    saved_filters.door,
    users.door,
    directories.directories,
    directories.providers,
    doors.door,
    doors.credentials,
    acme.accounts,
    acme.orders,
    acme.renewals,
    scep.door,
    groups.door,
    operations.door,
    imports.door,
    custody.door,
    keys.door,
    keys.dates,
    key_use.door,
    key_use.random_door,
    key_custody.door,
    key_custody.orders,
    key_custody.components,
    key_rooms.groups,
    key_rooms.templates,
    notifications.door,
    backups.door,
    work.jobs,
    work.figures,
    vaults.door,
    vaults.signer,
)


class Api(FastAPI):
    """FastAPI for what is convenient, and the hot way in before it."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            title="Chancery",
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        authenticator = Authenticator(services.identity)
        self.state.services = services
        self.state.authenticator = authenticator
        submission = submit.SubmitEndpoint(
            services.registration, authenticator, Idempotency(services.store, services.clock)
        )
        self._submission = Guard(submission)
        self._framework = Guard(super().__call__, frozenset({bulk.PATH, imports.PATH}))
        self._doors = (*DOORS, _documents())
        for door in self._doors:
            self.include_router(door.router)
        self.add_exception_handler(CAError, _refused)
        self.add_exception_handler(Invalid, _refused)
        self.add_exception_handler(RequestValidationError, _malformed)
        self.add_exception_handler(HTTPException, _http)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif scope["path"] == submit.PATH and scope["method"] == "POST":
            scope["route"] = submit.ACCESS  # its path is the template that metrics count by
            await self._submission(scope, receive, send)
        else:
            await self._framework(scope, receive, send)

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return openapi.describe(self)

    @functools.cached_property
    def page(self) -> str:
        """The OpenAPI document as HTML."""
        return documentation.render(self.document)

    @property
    def access(self) -> list[Access]:
        """Who may use what: every route there is."""
        routers = [door.router for door in self._doors]
        for route in self.routes:
            if getattr(route, "original_router", None) not in routers:
                raise TypeError(f"{route} stands outside the access table")
        return [submit.ACCESS, *(row for door in self._doors for row in door.access())]


def create_api(services: Services) -> Api:
    """Build the REST API over *services*; serve it below ``/api``."""
    return Api(services)


def _documents() -> Door:
    door = Door("", "documentation", base="/api")

    @door.route("GET", "/openapi.json", Permission.PUBLIC, include_in_schema=False)
    async def description(request: Request) -> Response:
        return JSONResponse(request.app.document)

    @door.route("GET", "/docs", Permission.PUBLIC, include_in_schema=False)
    async def page(request: Request) -> Response:
        return HTMLResponse(
            request.app.page, headers={"Content-Security-Policy": documentation.POLICY}
        )

    return door


async def _refused(_: Request, error: Exception) -> Response:
    return _response(ProblemAnswer(problem(error)))


async def _malformed(_: Request, error: Exception) -> Response:
    """Report every finding; the first also stands where simple clients look."""
    assert isinstance(error, RequestValidationError)
    findings = [finding(found) for found in error.errors()]
    status = 400 if findings[0]["rule"] == "json_invalid" else 422
    return _response(ProblemAnswer(http_problem(status, **findings[0], errors=findings)))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            detail = f"nothing is served at {request.url.path}"
        case 405:
            detail = f"{request.method} is not possible here"
        case 413:
            detail = "the body is too large"
            headers["Connection"] = "close"
        case _:
            detail = str(error.detail)
    return _response(ProblemAnswer(http_problem(error.status_code, detail), **headers))


def _response(answer: ProblemAnswer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response
