"""Answers that are files."""

from typing import Protocol

from fastapi import Response


class File(Protocol):
    """What a service hands out to be saved; it has made *filename* safe."""

    @property
    def data(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...
    @property
    def filename(self) -> str: ...


def file_of(file: File) -> Response:
    """Send *file* as an attachment, so that no browser shows it as a page of ours."""
    disposition = f'attachment; filename="{file.filename}"'
    return Response(
        file.data, media_type=file.media_type, headers={"Content-Disposition": disposition}
    )
