"""A form's body, read within bounds."""

from collections.abc import AsyncGenerator
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from chancery.domain.errors import BadRequest, TooLarge
from chancery.web.fields import Parsed, Upload

MAX_BODY: Final = 2 * 1024 * 1024  # octets, unless the page says otherwise
MAX_FIELDS: Final = 2_000
MAX_FILES: Final = 1_000
MAX_FIELD: Final = 1024 * 1024  # octets of one field that is no file


async def read_form(request: Request, limit: int) -> Parsed:
    """Return the form in *request*; TooLarge, or BadRequest for what is no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        parser: FormParser | MultiPartParser = FormParser(
            request.headers, _bounded(request, limit), max_fields=MAX_FIELDS, max_part_size=limit
        )
    elif kind == "multipart/form-data":
        parser = MultiPartParser(
            request.headers,
            _bounded(request, limit),
            max_files=MAX_FILES,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD,
        )
    else:
        async for _ in _bounded(request, limit):
            raise BadRequest("this page takes forms alone", field="body", rule="form.type")
        return Parsed()
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(error.message, field="body", rule="form.syntax") from None
    try:
        return await _whole(form)
    finally:
        await form.close()


async def _whole(form: FormData) -> Parsed:
    pairs: list[tuple[str, str]] = []
    uploads: list[tuple[str, Upload]] = []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            pairs.append((name, value))
        elif value.filename or value.size:
            media_type = value.content_type or "application/octet-stream"
            upload = Upload(value.filename or "", media_type, await value.read())
            uploads.append((name, upload))
    return Parsed(tuple(pairs), tuple(uploads))


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    received = int(declared) if declared.isdigit() else 0
    if received <= limit:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                break
            if chunk:
                yield chunk
    if received > limit:
        raise TooLarge(
            f"this page takes {_size(limit)} at once",
            field="body",
            rule="body.size",
            remedy="send it in smaller pieces",
        )


def _size(octets: int) -> str:
    return f"{octets // 1024 // 1024} MB" if octets >= 1024 * 1024 else f"{octets // 1024} KB"
