"""Key groups and key templates."""

from typing import Any

from chancery.api.bodies import RawBody, Using, named, schema_of
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.key_groups import KeyGroup, KeyTemplate
from chancery.wire import documents

groups = Door("/key-groups", "keys")
templates = Door("/key-templates", "keys")

Document = dict[str, Any]


def _document(value: object) -> Document:
    found = documents.to_builtin(value)
    assert isinstance(found, dict)
    return found


@groups.route("GET", "", Permission.KEY_READ)
def list_key_groups(who: Who, using: Using) -> list[Document]:
    """List the key groups that one has any right in."""
    return [_document(group) for group in using.keys.groups.all(who)]


@groups.route("GET", "/{name}", Permission.KEY_READ)
def show_key_group(who: Who, using: Using, name: str) -> Document:
    """Show a key group: its owner, and who may do what."""
    return _document(using.keys.groups.show(who, name))


@groups.route("PUT", "/{name}", Permission.KEY_POLICY, openapi_extra=schema_of(KeyGroup))
def put_key_group(who: Who, using: Using, name: str, body: RawBody) -> Document:
    """Write a key group."""
    return _document(using.keys.groups.put(who, named(KeyGroup, body, name, "key_group")))


@groups.route("DELETE", "/{name}", Permission.KEY_POLICY, status=204)
def delete_key_group(who: Who, using: Using, name: str) -> None:
    """Remove an empty key group."""
    using.keys.groups.delete(who, name)


@templates.route("GET", "", Permission.KEY_READ)
def list_key_templates(who: Who, using: Using) -> list[Document]:
    """List the key templates, those that are shipped among them."""
    return [_document(template) for template in using.keys.templates.all(who)]


@templates.route("GET", "/{name}", Permission.KEY_READ)
def show_key_template(who: Who, using: Using, name: str) -> Document:
    """Show a key template."""
    return _document(using.keys.templates.show(who, name))


@templates.route("PUT", "/{name}", Permission.KEY_POLICY, openapi_extra=schema_of(KeyTemplate))
def put_key_template(who: Who, using: Using, name: str, body: RawBody) -> Document:
    """Write a key template; keys that were made from it stay as they are."""
    template = named(KeyTemplate, body, name, "key_template")
    return _document(using.keys.templates.put(who, template))


@templates.route("DELETE", "/{name}", Permission.KEY_POLICY, status=204)
def delete_key_template(who: Who, using: Using, name: str) -> None:
    """Remove a template of one's own; what is shipped then counts again."""
    using.keys.templates.delete(who, name)
