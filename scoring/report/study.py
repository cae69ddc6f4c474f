"""What a report is made from: the stored statistics of everybody on the board, and what the cases are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from scoring.histograms import VoxelHistogram

ObjectCounts = tuple[int, int, int]  # found, false and overlooked objects
Filling = Literal["zero", "worst"]


def filling(missing: str) -> Filling:
    """What absent cases count as under a policy; under `reject` no figure shows it, so `zero` will do."""
    return "worst" if missing == "worst" else "zero"


@dataclass(frozen=True)
class CaseFacts:
    """What is known of one case. `size` is the anomaly's volume in mm³, `contrast` its intensity in [0, 1].

    `kind` is the subcategory within `category`; `difficulty` is as people perceive it, hardest first.
    `radius` in mm belongs to the spheres of a series, 0 to the scan without one.
    """

    id: str
    label: int
    category: str | None = None
    kind: str | None = None
    difficulty: str | None = None
    size: float | None = None
    contrast: float | None = None
    radius: float | None = None


@dataclass(frozen=True)
class Entrant:
    """One team's submission that counts. `image` is the image's digest."""

    team: str
    submission: str
    image: str | None = None
    baseline: bool = False


@dataclass(frozen=True)
class Predictions:
    """One entrant on one part, by case id; the policy for absent cases is applied already.

    `outcomes` for every case. `scores` at case level, `histograms` at voxel level; `objects` per case the
    counts at each of the challenge's thresholds. `remarks` on single cases are told of toy cases only.
    """

    outcomes: Mapping[str, str]
    scores: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, VoxelHistogram] = field(default_factory=dict)
    objects: Mapping[str, Mapping[float, ObjectCounts]] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """The toy or test cases of one dataset in one task, with everybody's predictions by submission.

    `arrangements` are the batches of case ids by which voxel scores are aggregated, the ranking one first;
    empty at case level.
    """

    dataset: str
    version: str
    cases: Sequence[CaseFacts]
    arrangements: Sequence[Sequence[Sequence[str]]]
    predictions: Mapping[str, Predictions]


@dataclass(frozen=True)
class AnalysisSet:
    """Hidden cases of one dataset that never count.

    `name`: proxy, size-series, contrast-series or equal-counts. The cases of a series are in its order.
    Entrants that were not run on the dataset's sets yet have no predictions in `part`, others may lack some.
    """

    name: str
    part: Part


@dataclass(frozen=True)
class TaskStudy:
    """One task: entrants, and the parts by dataset. `protocol` says how it is scored, as in the YAML."""

    slug: str
    title: str
    level: Literal["case", "voxel"]
    protocol: Mapping[str, Any]
    entrants: Sequence[Entrant]
    test: Sequence[Part]
    toy: Sequence[Part]
    analysis: Sequence[AnalysisSet] = ()


@dataclass(frozen=True)
class Study:
    """A challenge under one scoring version, None for the rules of a starter kit.

    `failures` counts failed submissions by task and code.
    """

    challenge: str
    title: str
    scoring_version: int | None
    tasks: Sequence[TaskStudy]
    failures: Mapping[str, Mapping[str, int]]
    bootstraps: int
    seed: int
