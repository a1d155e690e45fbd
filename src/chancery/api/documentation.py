"""The description as one HTML page: no script, no font, no picture from anywhere."""

import base64
import hashlib
import json
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;text-transform:capitalize}
details{border:1px solid var(--line);border-radius:.4rem;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code,pre{font:.9em ui-monospace,monospace}
pre{background:var(--soft);padding:.6rem;overflow:auto;border-radius:.3rem}
.verb{display:inline-block;min-width:4.2rem;font-weight:700}
.need{float:right;font-size:.85em;opacity:.8}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);
padding:.3rem .5rem;text-align:left;vertical-align:top}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: its own style sheet by hash, and nothing else."""


def render(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI *document*."""
    sections: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            tag = operation.get("tags", ["other"])[0]
            sections.setdefault(tag, []).append(_operation(method, path, operation))
    body = "".join(
        f"<section><h2>{escape(tag)}</h2>{''.join(parts)}</section>"
        for tag, parts in sorted(sections.items())
    )
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_json(schema)}</details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    info = document["info"]
    about = "".join(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n"))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>{about}"
        f'<p>Machine-readable: <a href="openapi.json">openapi.json</a></p>'
        f"{body}<section><h2>Schemas</h2>{schemas}</section></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    needs = " or ".join(operation.get("x-permission", []))
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    if parameters := operation.get("parameters"):
        rows = "".join(_parameter(parameter) for parameter in parameters)
        parts.append(f"<table><tr><th>Parameter</th><th>In</th><th></th></tr>{rows}</table>")
    if body := operation.get("requestBody"):
        parts.append("<h4>Body</h4>" + _content(body["content"]))
    for status, answer in operation["responses"].items():
        if status != "default":
            parts.append(f"<h4>{escape(status)}: {escape(answer['description'])}</h4>")
            parts.append(_content(answer.get("content", {})))
    return (
        f'<details><summary><span class="verb">{escape(method.upper())}</span>'
        f'<code>{escape(path)}</code><span class="need">{escape(needs)}</span></summary>'
        f"{''.join(parts)}</details>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    needed = "required. " if parameter.get("required") else ""
    about = needed + parameter.get("description", "")
    name, place = escape(parameter["name"]), escape(parameter["in"])
    return f"<tr><td><code>{name}</code></td><td>{place}</td><td>{escape(about)}</td></tr>"


def _content(content: dict[str, Any]) -> str:
    parts = []
    for media_type, described in content.items():
        parts.append(f"<p><code>{escape(media_type)}</code></p>")
        if "example" in described:
            parts.append(_json(described["example"]))
        parts.append(_schema(described.get("schema", {})))
    return "".join(parts)


def _schema(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref", "")
    if reference:
        name = escape(reference.rpartition("/")[2])
        return f'<p>Schema: <a href="#{name}"><code>{name}</code></a></p>'
    return _json(schema) if schema else ""


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
