"""Bodies that the domain's own document codec reads: profiles, RAs, authorities."""

import json
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from chancery.api.problems import Invalid
from chancery.domain.errors import BadRequest
from chancery.services.roster import Services
from chancery.wire import documents

T = TypeVar("T")


async def _raw(request: Request) -> bytes:
    return await request.body()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


RawBody = Annotated[bytes, Depends(_raw)]
Using = Annotated[Services, Depends(_services)]


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in *body*; Invalid if it is anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON", "body", "json") from None
    if not isinstance(found, dict):
        raise Invalid("the body is not a JSON object", "body", "type")
    return found


def named(kind: type[T], body: bytes, name: str, field: str) -> T:
    """Read the document of a PUT; its name is the path's, and may be repeated inside."""
    given = object_of(body)
    if given.setdefault("name", name) != name:
        raise BadRequest(
            "the document carries another name than the path",
            field=f"{field}.name",
            rule="name.path",
        )
    return documents.decode(kind, given, field)


def schema_of(kind: type) -> dict[str, object]:
    """Point the OpenAPI description of a body at the schema of a domain type."""
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}
    }
