"""Existing certificates taken over: files in, a preview, then onto the record step by step."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import iterate_in_threadpool

from chancery.api.bodies import RawBody, Using, object_of, schema_of
from chancery.api.models import Cursor, Limit, Out, PageOut
from chancery.api.paging import decode, paged
from chancery.api.routing import Door, Who
from chancery.domain.errors import BadRequest
from chancery.domain.estate import EstateImport, EstateRow, ImportChoices, ImportState, Outcome
from chancery.domain.identity import Permission, Principal
from chancery.services.estate import EstateService, ImportFile
from chancery.wire import documents

door = Door("/imports", "imports")
PATH = "/api/v1/imports"


@dataclass(frozen=True, slots=True)
class FileBody:
    """One file: its name, and its content as *text* or in *base64*."""

    name: str
    text: str | None = None
    base64: str | None = None


@dataclass(frozen=True, slots=True)
class ImportBody:
    """Files with certificates and lists of certificates.

    *authority*: the CA of entries that come without certificate and issuer.
    *columns*: what a column of a CSV holds (``serial``, ``not_after`` ...) to
    its heading.  *decimal*: serial numbers in a CSV are decimal.
    *passphrase* opens PKCS#12 files; keys in them are dropped.
    """

    files: tuple[FileBody, ...]
    authority: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    decimal: bool = False
    passphrase: str | None = None


class ImportOut(Out):
    """An import.  `counts` by outcome; `position`: rows decided so far."""

    id: str
    state: ImportState
    created_by: str
    created_at: int
    finished_at: int | None
    files: list[str]
    authority: str | None
    total: int
    position: int
    counts: dict[str, int] = Field(description="In lists empty.")


class ImportRowOut(Out):
    """One certificate, or one line that is none; `line` counts within `file`."""

    number: int
    file: str
    line: int
    outcome: Outcome
    authority: str
    issuer_kind: str = Field(description="own, external: a CA on record; foreign: none.")
    issuer: str
    serial: str
    subject: str
    names: list[str]
    not_before: int | None
    not_after: int | None
    status: str
    revoked_at: int | None
    problem: str | None
    rule: str | None
    remedy: str | None
    note: str | None


def import_out(one: EstateImport) -> ImportOut:
    return ImportOut(
        id=one.id,
        state=one.state,
        created_by=one.created_by,
        created_at=one.created_at,
        finished_at=one.finished_at,
        files=list(one.files),
        authority=one.choices.authority,
        total=one.total,
        position=one.position,
        counts={outcome.value: number for outcome, number in one.counts.items()},
    )


def _row_out(row: EstateRow) -> ImportRowOut:
    return ImportRowOut.model_validate(row, from_attributes=True)


@door.route("GET", "", Permission.CERTIFICATE_IMPORT)
def list_imports(
    who: Who, using: Using, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[ImportOut]:
    """List imports, newest first."""
    found = using.estate.find(who, decode(cursor), limit + 1)
    return paged(found, limit, lambda one: one.id, import_out)


@door.route(
    "POST",
    "",
    Permission.CERTIFICATE_IMPORT,
    status=201,
    openapi_extra=schema_of(ImportBody),
)
def preview_import(who: Who, using: Using, body: RawBody) -> ImportOut:
    """Say what would become of each certificate in some files; nothing is recorded yet."""
    given = documents.decode(ImportBody, object_of(body), "import")
    files = [_file(index, one) for index, one in enumerate(given.files)]
    choices = ImportChoices(given.authority, given.columns, given.decimal)
    return import_out(using.estate.preview(who, files, choices, given.passphrase))


@door.route("GET", "/{id}", Permission.CERTIFICATE_IMPORT)
def show_import(who: Who, using: Using, id: str) -> ImportOut:  # noqa: A002
    """Show an import with its counts."""
    return import_out(using.estate.show(who, id))


@door.route("GET", "/{id}/rows", Permission.CERTIFICATE_IMPORT)
def list_import_rows(
    who: Who,
    using: Using,
    id: str,  # noqa: A002
    outcome: Annotated[Outcome | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[ImportRowOut]:
    """List what was found, in the order of the files."""
    after = decode(cursor) or "0"
    rows = using.estate.rows(who, id, outcome, int(after) if after.isdecimal() else 0, limit + 1)
    return paged(rows, limit, lambda row: str(row.number), _row_out)


@door.route(
    "POST",
    "/{id}/commit",
    Permission.CERTIFICATE_IMPORT,
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A line for each step, the import as it stands then; the last is done.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
def commit_import(who: Who, using: Using, id: str) -> StreamingResponse:  # noqa: A002
    """Put a previewed import on record, or go on with one that was interrupted."""
    steps = _steps(using.estate, who, id)
    first = next(steps)  # what is wrong with it is said before the answer begins
    stream = iterate_in_threadpool(chain([first], steps))
    return StreamingResponse(stream, media_type="application/x-ndjson")


@door.route("DELETE", "/{id}", Permission.CERTIFICATE_IMPORT, status=204)
def delete_import(who: Who, using: Using, id: str) -> None:  # noqa: A002
    """Forget a preview, or the report of an import; what was imported stays."""
    using.estate.discard(who, id)


def _steps(estate: EstateService, who: Principal, import_id: str) -> Iterator[bytes]:
    done = False
    while not done:
        current = estate.step(who, import_id)
        done = current.state is ImportState.DONE
        yield import_out(current).model_dump_json().encode() + b"\n"


def _file(index: int, one: FileBody) -> ImportFile:
    where = f"import.files[{index}]"
    if (one.text is None) == (one.base64 is None):
        raise BadRequest("give text or base64", field=where, rule="import.content")
    if one.text is not None:
        return ImportFile(one.name[:255], one.text.encode())
    try:
        return ImportFile(one.name[:255], base64.b64decode(one.base64 or "", validate=True))
    except (binascii.Error, ValueError):
        raise BadRequest(
            "not base64", field=f"{where}.base64", rule="import.content", remedy="RFC 4648 §4"
        ) from None
