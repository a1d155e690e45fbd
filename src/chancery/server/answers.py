"""Small whole answers for what the server itself says."""

import json
from collections.abc import Mapping

from starlette.types import Send

_TITLES = {
    403: "Not permitted",
    404: "Not found",
    405: "Method not allowed",
    500: "Internal error",
    503: "Unavailable",
}


async def send_json(
    send: Send,
    status: int,
    document: Mapping[str, object],
    *,
    media_type: str = "application/json",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send *document*, not to be cached."""
    body = json.dumps(document).encode()
    fields = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def send_problem(
    send: Send, status: int, detail: str, *headers: tuple[bytes, bytes], **more: str
) -> None:
    """Send an RFC 9457 problem document."""
    title = _TITLES[status]
    document = {
        "type": f"urn:chancery:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        **more,
    }
    await send_json(send, status, document, media_type="application/problem+json", headers=headers)
