"""Files for browsers: our own, and what `setup/assets.sh` builds of other people's work."""

import logging
from os import PathLike, stat_result
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
BUILT = ("dist/pico.css", "dist/site.js")


def built(folder: Path = STATIC) -> bool:
    """Whether the build is there. Pages work without it: plain, and loading themselves anew."""
    return all((folder / name).exists() for name in BUILT)


def tell_what_is_missing(folder: Path = STATIC) -> None:
    """Say to the operator what to type if there is no build."""
    if not built(folder):
        log.warning("the pages' style and script are not built, so they are plain: type `sh setup/assets.sh`")


class Files(StaticFiles):
    """Static files that a browser keeps, and asks about before it uses them again."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
