"""Routes that cannot forget to ask who may use them."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from chancery.api.authentication import Authenticator
from chancery.api.problems import Invalid
from chancery.domain.errors import NotAuthenticated
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.services.access import demand_within

F = TypeVar("F", bound=Callable[..., Any])
PREFIX: Final = "/api/v1"
JSON_NUL: Final = rb"\u0000"  # the only way to write it: JSON allows no raw control character
_EXTRA: Final = "x-permission"
_EVERYWHERE: Final = frozenset({"cursor", "limit"})
"""Clients page through every list alike; a list that comes whole takes no notice."""


@dataclass(frozen=True, slots=True)
class Access:
    """One row of the access table: any one of *permissions* opens the route."""

    method: str
    path: str
    permissions: tuple[Permission, ...]


def admit(principal: Principal, permissions: Sequence[Permission]) -> None:
    """Raise NotAuthenticated or NotPermitted unless one of *permissions* is held."""
    for permission in permissions:
        if permission is Permission.PUBLIC or permission in principal.permissions:
            return
    if principal.method is AuthMethod.NONE and Permission.AUTHENTICATED in permissions:
        raise NotAuthenticated(
            "this needs a signed-in account",
            field="authorization",
            rule="authenticated",
            remedy="send a bearer token, a password or a bound client certificate",
        )
    demand_within(principal, permissions[0])


def refuse_nul(where: str, *, nul: bool) -> None:
    """Raise Invalid for a NUL: no name has one, and PostgreSQL's text type cannot hold it."""
    if nul:
        raise Invalid("text may not contain NUL", where, "text.nul")


class GuardedRoute(APIRoute):
    """Authenticates and checks permission before the body is even read."""

    judges_body: bool = True

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        declared = (options.get("openapi_extra") or {}).get(_EXTRA)
        if not declared:
            raise TypeError(f"the route {path} declares no permission")
        self.permissions: tuple[Permission, ...] = tuple(Permission(text) for text in declared)
        super().__init__(path, endpoint, **options)
        self.parameters = _EVERYWHERE | {field.alias for field in self.dependant.query_params}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()
        permissions = self.permissions

        async def handler(request: Request) -> Response:
            authenticator: Authenticator = request.app.state.authenticator
            principal = await authenticator.principal(request.scope)
            admit(principal, permissions)
            scope = request.scope
            refuse_nul("path", nul="\x00" in scope["path"])
            refuse_nul("query", nul=b"%00" in scope["query_string"])
            self._refuse_unknown(request.query_params)
            if self.judges_body:
                refuse_nul("body", nul=JSON_NUL in await request.body())
            request.scope["chancery.principal"] = principal
            return await serve(request)

        return handler

    def _refuse_unknown(self, given: Iterable[str]) -> None:
        """A misspelt condition would silently find everything."""
        for name in given:
            if name not in self.parameters:
                raise Invalid(
                    f"there is no query parameter {name[:80]!r} here",
                    name[:80],
                    "query.unknown",
                    "it may have: " + ", ".join(sorted(self.parameters)),
                )


class LinesRoute(GuardedRoute):
    """Its body holds many submissions: the endpoint refuses the ones with a NUL alone."""

    judges_body = False


def _who(request: Request) -> Principal:
    principal: Principal = request.scope["chancery.principal"]
    return principal


Who = Annotated[Principal, Depends(_who)]
"""The principal that ``GuardedRoute`` admitted."""


class Door:
    """Declares routes under one prefix; each names its permission."""

    def __init__(
        self,
        prefix: str,
        tag: str,
        base: str = PREFIX,
        route_class: type[GuardedRoute] = GuardedRoute,
    ) -> None:
        self.router = APIRouter(prefix=base + prefix, tags=[tag], route_class=route_class)

    def route(
        self, method: str, path: str, *permissions: Permission, status: int = 200, **options: Any
    ) -> Callable[[F], F]:
        """Register a function; any one of *permissions* admits to it."""
        extra = {_EXTRA: [p.value for p in permissions], **options.pop("openapi_extra", {})}
        return self.router.api_route(
            path, methods=[method], status_code=status, openapi_extra=extra, **options
        )

    def access(self) -> list[Access]:
        """Return the rows of the access table for this door."""
        rows = []
        for route in self.router.routes:
            assert isinstance(route, GuardedRoute)  # the router makes no other
            rows += [Access(m, route.path, route.permissions) for m in sorted(route.methods or ())]
        return rows
