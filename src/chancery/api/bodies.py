"""Bodies that the domain's own document codec reads: profiles, RAs, authorities."""

import json
from typing import Annotated, Any, Final, TypeVar

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


_ACCEPTS: Final = "accept_risks"
_REASONS: Final = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "description": "Finding id -> why it may stand; see the guide on risk.",
}
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
    return _named(kind, object_of(body), name, field)


def accepting(kind: type[T], body: bytes, name: str, field: str) -> tuple[T, dict[str, str]]:
    """Read a document of policy, and the reasons for accepted risks beside its fields."""
    given = object_of(body)
    reasons = documents.decode(dict[str, str], given.pop(_ACCEPTS, {}), _ACCEPTS)
    return _named(kind, given, name, field), reasons


def _named(kind: type[T], given: dict[str, Any], name: str, field: str) -> T:
    if given.setdefault("name", name) != name:
        raise BadRequest(
            "the document carries another name than the path",
            field=f"{field}.name",
            rule="name.path",
        )
    return documents.decode(kind, given, field)


def schema_of(kind: type, *, accepts: bool = False) -> dict[str, object]:
    """Point the OpenAPI description of a body at the schema of a domain type.

    With *accepts*, ``accept_risks`` may stand beside the fields of the type.
    """
    schema: dict[str, object] = {"$ref": f"#/components/schemas/{kind.__name__}"}
    if accepts:
        schema = {"allOf": [schema, {"type": "object", "properties": {_ACCEPTS: _REASONS}}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
