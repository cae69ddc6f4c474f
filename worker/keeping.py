"""Predictions that a challenge keeps: copied while the output is open, put in place with the results."""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self


class Kept:
    """Copies of predictions in `staging`, which goes at the end; `put_in_place` moves them to `target`.

    Called while the lease is held for writing, a worker that lost its lease can replace nothing.
    """

    def __init__(self, staging: Path, target: Path) -> None:
        self._staging, self._target = staging, target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def copy(self, source: Path, name: str) -> None:
        """Copy a prediction that was read and scored, so is a regular file; links are not followed."""
        self._staging.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as prediction, (self._staging / name).open("wb") as copy:
            shutil.copyfileobj(prediction, copy)
            copy.flush()
            os.fsync(copy.fileno())

    def put_in_place(self) -> None:
        """Give every copy its name, in one step each."""
        if not self._staging.is_dir():
            return
        self._target.mkdir(parents=True, exist_ok=True)
        for copy in self._staging.iterdir():
            os.replace(copy, self._target / copy.name)

    def discard(self) -> None:
        """Remove what was not put in place."""
        shutil.rmtree(self._staging, ignore_errors=True)
