"""What is told about submissions, and to whom. Times: seconds since the epoch. Sizes in bytes."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, computed_field

from submissions.remedies import remedy


class TeamName(BaseModel):
    id: str
    name: str


class FailureView(BaseModel):
    """Why a submission failed: a stable code, what was wrong, what to change, and a command that shows it."""

    code: str
    message: str

    @computed_field
    def remedy(self) -> str:
        return remedy(self.code).change

    @computed_field
    def command(self) -> str:
        return remedy(self.code).command


class TransitionView(BaseModel):
    """A change of state. After the hidden cases were touched, `at` is rounded for participants."""

    before: str
    after: str
    cause: str
    at: float


class RunView(BaseModel):
    """A piece of work. All shards of hidden cases of a dataset are told as one, `shard` and `attempt` None.

    Of those, `wall_seconds` is a multiple of 10 and `peak_memory` of 64 MiB, and both are None until all
    shards are over; there is no log and no message but the general one.
    """

    stage: str
    task: str
    dataset: str
    shard: int | None
    state: str
    attempt: int | None
    cases: int = 0
    started_at: float | None = None
    wall_seconds: float | None
    peak_memory: int | None
    log: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None


class ToyCase(BaseModel):
    """One toy case; `has_view`: there are pictures of an anomaly map. `label` is 1 for abnormal.

    `average_precision` is that of an abnormal case's voxels, as scored; `exact_average_precision` that of the
    scores as written, neither clipped nor rounded to float16. `warning` is there where they differ too much.
    """

    name: str
    outcome: str
    detail: str
    score: float | None
    label: int | None
    has_view: bool
    average_precision: float | None = None
    exact_average_precision: float | None = None
    warning: str | None = None


class ToyResult(BaseModel):
    """Toy results of one task on one dataset; `average_precision` None while unknown or undefined.

    `note` says what cases without a usable prediction scored, if there are any.
    """

    task: str
    dataset: str
    average_precision: float | None
    undefined_because: str | None
    note: str | None
    outcomes: dict[str, int]
    cases: list[ToyCase]


class ScoreView(BaseModel):
    """Figures on hidden cases: totals only. Rounded as the challenge says, except for organizers.

    `note` says what cases without a usable prediction scored, if there are any.
    """

    task: str
    dataset: str
    average_precision: float | None
    validation: float | None
    undefined_because: str | None
    note: str | None
    outcomes: dict[str, int]


class OperatorRun(BaseModel):
    """A run as the operator sees it, shard by shard."""

    id: int
    stage: str
    task: str
    dataset: str
    shard: int
    state: str
    attempt: int
    worker: str | None
    wall_seconds: float | None
    peak_memory: int | None
    failure_code: str | None
    failure_message: str | None
    failure_detail: str | None
    log: str | None


class AnalysisProgress(BaseModel):
    """How far the runs on analysis sets are; `open` wait or are being carried out. No participant sees it."""

    runs: int
    done: int
    failed: int
    open: int


class OperatorView(BaseModel):
    """The full story, for organizers only; `analysis` None where no run on analysis sets was planned."""

    failure_message: str | None
    failure_detail: str | None
    failure_ours: bool
    archive_sha256: str
    analysis: AnalysisProgress | None
    runs: list[OperatorRun]


class EstimateView(BaseModel):
    """Minutes until a submission is over, from past runs; `text` says it in words."""

    low: int
    likely: int
    high: int
    text: str


class SubmissionSummary(BaseModel):
    """One line of a list of submissions; `estimate` is None where there is nothing to go on."""

    id: str
    challenge: str
    team: TeamName
    kind: str
    task: str | None
    title: str
    state: str
    created_at: float
    finished_at: float | None
    failure: FailureView | None
    queue_position: int | None
    estimate: EstimateView | None = None


class SubmissionView(SubmissionSummary):
    """Everything that one viewer may know of a submission; `operator` is None for participants.

    `scores_withheld` says when the team may see its scores; None when it may already.
    """

    image_id: str | None
    warnings: list[str]
    transitions: list[TransitionView]
    runs: list[RunView]
    toy: list[ToyResult]
    scores: list[ScoreView]
    scores_withheld: str | None
    operator: OperatorView | None


class ScoringOrigin(BaseModel):
    """Where a scoring version comes from, for organizers; `drawn` names the tasks with batches of its own."""

    created_by: str
    created_at: float
    arrangement_seed: int | None
    drawn: list[str]


class ScoringView(BaseModel):
    """A scoring version. `policy` is {task: {missing, metric}}; `since` when it became the public one."""

    number: int
    reason: str
    current: bool
    since: float | None
    policy: dict[str, Any]
    origin: ScoringOrigin | None


class BoardRow(BaseModel):
    """One team's place. `ap`, `places`, `intervals`, `validation` and `outcomes` are keyed by dataset.

    `mean_place` is that of `places`, by which `place` is; `shared_with` are the other teams of this place.
    An interval is the first and the last place, both included; None while or where there is none. `mine` is
    the row of the viewer's team.
    """

    place: int
    team: str
    submission: str
    ap: dict[str, float | None]
    places: dict[str, int]
    mean_place: float
    shared_with: list[str]
    interval: tuple[int, int] | None
    intervals: dict[str, tuple[int, int] | None]
    validation: dict[str, float | None]
    outcomes: dict[str, dict[str, int]]
    baseline: bool
    finished_at: float | None
    mine: bool = False


State = Literal["computed", "pending", "undefined", "absent"]


class Uncertainty(BaseModel):
    """Intervals hold the share `level` of the places in `bootstraps` redrawn sets of cases.

    `state`: computed, for exactly this board; pending, a worker will; undefined, and for organizers the
    `reason`; absent, because nobody computes those of this board (any more).
    """

    state: State
    level: float
    bootstraps: int
    seed: int
    reason: str | None


class BoardView(BaseModel):
    """Which rows of a board are shown, in which order; places are those of the whole board."""

    team: str = ""
    baselines: Literal["show", "hide"] = "show"
    sort: str = "place"
    order: Literal["asc", "desc"] = "asc"


class Board(BaseModel):
    """The leaderboard of one task, best first unless `view` says otherwise; equal places are ties.

    `total` teams are on it, `rows` are those shown. With `as_of` it is the board of the submissions that were
    ranked by the end of that day; with `frozen_since` that of the submissions that counted then. `aliases`:
    teams have aliases until the reveal. `positive_share` by dataset is what a constant score would reach,
    None where that may not be told.
    """

    challenge: str
    task: str
    datasets: list[str]
    decimals: int
    scoring: ScoringView
    as_of: date | None
    frozen_since: float | None = None
    aliases: bool = False
    uncertainty: Uncertainty
    positive_share: dict[str, float | None]
    total: int
    view: BoardView = BoardView()
    rows: list[BoardRow]


BoardState = Literal["open", "frozen", "published"]


class Check(BaseModel):
    """Something to look at before the reveal; `ok` False: think about it first."""

    ok: bool
    text: str


class Disclosed(BaseModel):
    """Whether everybody may see something now, and once the board is published."""

    what: str
    now: bool
    then: bool


class RevealView(BaseModel):
    """Where the reveal stands. `entries` are on the board by task, `later` ones would be were it not frozen.

    `public`: everybody sees a board now. `seen` stands for these entries under this scoring version.
    """

    challenge: str
    state: BoardState
    frozen_at: float | None
    published_at: float | None
    scoring: int
    seen: str
    entries: dict[str, int]
    later: dict[str, int]
    public: bool
    checks: list[Check]
    discloses: list[Disclosed]


class Move(BaseModel):
    """A team's places on two boards. `movement` says it in words: up 2, down 1, same place."""

    team: str
    submission: str
    baseline: bool
    old_place: int
    new_place: int
    movement: str


class Comparison(BaseModel):
    """The same submissions under two scoring versions, in the order of the new board.

    `tau` is Kendall's tau-b of the two rankings, None where undefined.
    """

    challenge: str
    task: str
    old: Board
    new: Board
    moves: list[Move]
    tau: float | None
    tau_undefined_because: str | None


class ToyCaseStatistics(BaseModel):
    """What is stored of one toy case.

    `statistic`: its voxel histogram as bytes in base64, for `scoring.histograms`; a case without a usable
    prediction has all voxels at 0. `objects`: {threshold: [found, false, overlooked]}.
    """

    name: str
    label: int | None
    outcome: str
    detail: str
    score: float | None
    statistic: str | None
    objects: dict[str, list[int]]
    warning: str | None


class ToyPartStatistics(BaseModel):
    """The toy cases of one dataset in one task."""

    task: str
    dataset: str
    dataset_version: str
    cases: list[ToyCaseStatistics]


class ToyStatistics(BaseModel):
    """What a submission's figures on toy cases are computed from; `scoring` are the rules of the board."""

    submission: str
    challenge: str
    team: str
    image_id: str | None
    scoring: ScoringView
    parts: list[ToyPartStatistics]
