"""Files for browsers: our own, and what `setup/assets.sh` builds of other people's work."""

import logging
from mimetypes import guess_type
from os import PathLike, stat, stat_result
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
BUILT = ("dist/pico.css", "dist/site.js")
PACKED = {"br": ".br", "gzip": ".gz"}
"""Endings of the copies that the build left beside a file, by their coding; the smallest first."""


def built(folder: Path = STATIC) -> bool:
    """Whether the build is there. Pages work without it: plain, and loading themselves anew."""
    return all((folder / name).exists() for name in BUILT)


def tell_what_is_missing(folder: Path = STATIC) -> None:
    """Say to the operator what to type if there is no build."""
    if not built(folder):
        log.warning("the pages' style and script are not built, so they are plain: type `sh setup/assets.sh`")


class Files(StaticFiles):
    """Static files that a browser keeps, and asks about before it uses them again.

    Of what is built there are copies that were compressed once; others are compressed on their way.
    """

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        asked = Headers(scope=scope)
        found = _packed(Path(full_path), asked.get("accept-encoding", ""))
        if found is None:
            response = super().file_response(full_path, stat_result, scope, status_code)
        else:
            response = self._as_packed(Path(full_path), found, asked, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response

    def _as_packed(self, path: Path, coding: str, asked: Headers, status_code: int) -> Response:
        copy = str(path) + PACKED[coding]
        kind = guess_type(path)[0] or "text/plain"
        response = FileResponse(copy, status_code, media_type=kind, stat_result=stat(copy))
        response.headers["Content-Encoding"] = coding
        response.headers["Vary"] = "Accept-Encoding"
        return (
            NotModifiedResponse(response.headers)
            if self.is_not_modified(response.headers, asked)
            else response
        )


def _packed(path: Path, accepted: str) -> str | None:
    """The coding of the smallest copy that whoever asks can read."""
    codings = {part.partition(";")[0].strip() for part in accepted.split(",") if not part.endswith("q=0")}
    there = (coding for coding in PACKED if coding in codings and Path(str(path) + PACKED[coding]).is_file())
    return next(there, None)
