"""How sure the places of a board are: what that hangs on, and what is stored of it.

Bootstraps take seconds, so a request only looks here; `backend/results/uncertainty.py` computes, in a worker.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from backend.models.challenge import Challenge
from backend.models.score import Score
from backend.models.scoring import ScoringVersion
from backend.models.standing import Standing
from backend.models.submission import Submission
from backend.results.schemas import State, Uncertainty
from scoring.report.uncertainty import LEVEL

FORMAT = 1
"""Another number once the computation is another one: what was stored before is then not found any more."""

Figures = Mapping[tuple[str, str], Score]
"""By submission and dataset."""
Interval = tuple[int, int]
"""The first and the last place, both included."""


@dataclass(frozen=True)
class Basis:
    """All that the intervals of a board hang on, as JSON."""

    challenge: str
    task: str
    content: str

    @property
    def digest(self) -> str:
        """By which they are kept."""
        return sha256(self.content.encode()).hexdigest()


def basis_of(
    challenge: Challenge,
    task: str,
    version: ScoringVersion,
    datasets: Mapping[str, str],
    entries: Sequence[Submission],
    figures: Figures,
) -> Basis:
    """What the board of `entries` hangs on; `datasets` are the current versions by name.

    A submission that was run or scored anew has other scores, with other times.
    """
    ranking = challenge.spec.ranking
    content = {
        "format": FORMAT,
        "challenge": challenge.id,
        "task": task,
        "level": challenge.spec.tasks[task].level,
        "scoring": version.number,
        "datasets": dict(datasets),
        "bootstraps": ranking.bootstraps,
        "seed": ranking.seed,
        "entries": {entry.id: _entry(entry, datasets, figures) for entry in entries},
    }
    return Basis(challenge.id, task, json.dumps(content, sort_keys=True))


def _entry(entry: Submission, datasets: Mapping[str, str], figures: Figures) -> list[Any]:
    scores = [figures.get((entry.id, name)) for name in sorted(datasets)]
    return [
        entry.finished_at,
        [score and [score.id, score.created_at, score.average_precision] for score in scores],
    ]


@dataclass(frozen=True)
class Found:
    """What is known of how sure a board is. Intervals are by submission, shares of positives by dataset."""

    about: Uncertainty
    places: Mapping[str, Interval] = field(default_factory=dict)
    by_dataset: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    positive_share: Mapping[str, float] = field(default_factory=dict)


def found_for(session: Session, challenge: Challenge, basis: Basis, expected: bool) -> Found:
    """What is stored for a board; `expected` says that workers compute it if nothing is.

    The reason why bootstraps are undefined may tell of hidden cases: it is for organizers only.
    """
    row = session.get(Standing, basis.digest)
    stored = row.found if row is not None else None
    about = Uncertainty(
        state=_state(stored, expected),
        level=LEVEL,
        bootstraps=challenge.spec.ranking.bootstraps,
        seed=challenge.spec.ranking.seed,
        reason=stored["undefined"] if stored else None,
    )
    if not stored:
        return Found(about)
    return Found(
        about,
        _intervals(stored["places"]),
        {name: _intervals(told) for name, told in stored["datasets"].items()},
        stored["positive_share"],
    )


def _state(stored: Mapping[str, Any] | None, expected: bool) -> State:
    if stored is None:
        return "pending" if expected else "absent"
    return "undefined" if stored["undefined"] else "computed"


def _intervals(told: Mapping[str, Sequence[int]]) -> dict[str, Interval]:
    return {submission: (first, last) for submission, (first, last) in told.items()}
