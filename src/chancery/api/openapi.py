"""The OpenAPI 3.1 description: the framework's routes, the hot one, and the domain's documents."""

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from chancery import __version__
from chancery.api import submit
from chancery.api.models import Problem
from chancery.api.routes.imports import ImportBody
from chancery.api.submission import EditBody, SubmitBody
from chancery.domain.dn_profile import DnProfile
from chancery.domain.key_groups import KeyGroup, KeyTemplate
from chancery.domain.profile import ExtensionProfile
from chancery.domain.registration import RegistrationAuthority
from chancery.services.authority import AuthorityChange, ImportedAuthority, NewAuthority

_ABOUT: Final = """\
The REST API of Chancery, a certificate authority.

**Signing in.** Send `Authorization: Bearer chy_...` with an API token, HTTP Basic with name and
password, or connect with a TLS client certificate that is bound to an account. What each
operation needs is listed with it as `x-permission`; any one of those named suffices.

**Errors** are problem documents (RFC 9457). `field` names what is wrong as you wrote it,
`rule` what it broke, `remedy` what to do.

**Pages.** Lists answer `{"items": [...], "next": cursor}`; give `next` as `cursor` for the page
after. **Times** are Unix seconds. **Repeating.** A submission with an `Idempotency-Key` has its
effect once, however often it is sent.
"""
_DOCUMENTS: Final = (
    SubmitBody,
    EditBody,
    submit.Answer,
    ExtensionProfile,
    DnProfile,
    RegistrationAuthority,
    NewAuthority,
    AuthorityChange,
    ImportedAuthority,
    ImportBody,
    KeyGroup,
    KeyTemplate,
)
_SCHEMES: Final[dict[str, object]] = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "chy_ and 43 characters"},
    "password": {"type": "http", "scheme": "basic"},
    "certificate": {"type": "mutualTLS"},
}
_PROBLEM: Final = {
    "description": "A problem document",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Build the description of *app*."""
    document = get_openapi(
        title="Chancery",
        version=__version__,
        openapi_version="3.1.0",
        summary="Certificate authority and registration authority",
        description=_ABOUT,
        routes=app.routes,
    )
    _, schemas = msgspec.json.schema_components(
        _DOCUMENTS, ref_template="#/components/schemas/{name}"
    )
    components = document.setdefault("components", {})
    schemas["Problem"] = Problem.model_json_schema()
    components["schemas"] = {**components.get("schemas", {}), **schemas}
    components["securitySchemes"] = _SCHEMES
    document["paths"].setdefault(submit.PATH, {})["post"] = _submission()
    for item in document["paths"].values():
        for operation in item.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    """Say how to sign in, and that every error is a problem document."""
    anybody = operation.get("x-permission") == ["public"]
    operation["security"] = [{name: []} for name in _SCHEMES] + ([{}] if anybody else [])
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    responses["default"] = _PROBLEM


def _submission() -> dict[str, Any]:
    return {
        "tags": ["requests"],
        "summary": "Submit Request",
        "operationId": "submit_request",
        "description": "Ask for a certificate. Without an account where the registration "
        "authority allows it: the answer then holds a secret `code`. Where no approval is "
        "needed the certificate is in the answer.",
        "x-permission": [permission.value for permission in submit.ACCESS.permissions],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "minLength": 1, "maxLength": 128},
                "description": "Repeating a submission with the same key changes nothing.",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/SubmitBody"},
                    "example": {
                        "profile": "tls-server",
                        "csr": "-----BEGIN CERTIFICATE REQUEST-----\n...",
                        "names": ["dns:www.example.org"],
                    },
                }
            },
        },
        "responses": {
            "201": {
                "description": "On record; see `state`.",
                "headers": {"Location": {"schema": {"type": "string"}}},
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}
                },
            }
        },
    }
