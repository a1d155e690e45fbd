"""Scripts, styles, fonts, icons: below ``/static/<digest of all of them>/``, cached for good."""

import gzip
import hashlib
import re
from pathlib import Path
from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

FOLDER: Final = Path(__file__).with_name("static")
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_SQUEEZED: Final = frozenset({".css", ".js", ".mjs", ".svg"})
_SPRITE: Final = "vendor/icons/icons.svg"
_FOREVER: Final = "public, max-age=31536000, immutable"


class Assets:
    """The files of one folder.

    All share one digest in their address, so that modules can import each
    other by relative paths, and a change to any of them changes every address.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        whole = hashlib.sha256()
        names = []
        for path in sorted(folder.rglob("*")):
            if path.suffix in TYPES and path.is_file():
                name = path.relative_to(folder).as_posix()
                names.append(name)
                whole.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        self._names: Final = frozenset(names)
        self.digest: Final = whole.hexdigest()[:16]
        self._icons: Final = frozenset(
            re.findall(r'<symbol id="([^"]+)"', (folder / _SPRITE).read_text())
        )
        self._squeezed: dict[str, bytes] = {}

    def url(self, name: str) -> str:
        """Return the address of file *name*; KeyError if there is none: a template is wrong."""
        if name not in self._names:
            raise KeyError(f"no static file {name}")
        return f"/static/{self.digest}/{name}"

    def icon(self, name: str, css: str = "") -> Markup:
        """Return icon *name* of the sprite; decoration, so nothing reads it out."""
        if name not in self._icons:
            raise KeyError(f"no icon {name}: name it in vendor/files.json, run scripts/vendor")
        return Markup(
            '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>'
        ).format(css, self.url(_SPRITE), name)

    def serve(self, request: Request) -> Response | None:
        """Answer for ``/static/DIGEST/NAME``; None if there is no such file."""
        _, _, digest, name = (*request.url.path.split("/", 3), "", "", "")[:4]
        if name not in self._names:
            return None
        suffix = Path(name).suffix
        headers = {
            # An address of another release gets this one's file, and no promise.
            "cache-control": _FOREVER if digest == self.digest else "no-cache",
            "etag": f'"{self.digest}"',
            "content-type": TYPES[suffix],
        }
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if suffix in _SQUEEZED:
            headers["vary"] = "accept-encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                headers["content-encoding"] = "gzip"
                return Response(self._gzip(name), headers=headers)
        return Response((self._folder / name).read_bytes(), headers=headers)

    def _gzip(self, name: str) -> bytes:
        found = self._squeezed.get(name)
        if found is None:
            found = gzip.compress((self._folder / name).read_bytes(), 6, mtime=0)
            self._squeezed[name] = found
        return found
