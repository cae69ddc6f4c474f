"""`moodarena` as a person types it, each person with a configuration folder of their own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from submissions.cli import app


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal."""

    home: Path

    def types(self, *words: str, answers: str = "", **environment: str) -> Ended:
        """Run `moodarena words…`; `answers` are typed at its questions."""
        known = {"MOODARENA_CONFIG": str(self.home), "COLUMNS": "200", **environment}
        ended = CliRunner().invoke(app, list(words), input=answers, env=known)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)
