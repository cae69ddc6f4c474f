"""What the platform answers, as the participant's tool reads it. Unknown fields are kept, for `--json`."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

FINAL_STATES = ("ranked", "finished", "failed", "cancelled", "withdrawn")


class _Response(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Account(_Response):
    id: str
    name: str
    email: str = ""
    role: str = "participant"


class Token(_Response):
    """An API token; `token` is shown by the platform once, when it is made."""

    id: str
    token: str = ""
    name: str = ""


class ChallengeSummary(_Response):
    id: str
    title: str
    description: str = ""


class RemoteFile(_Response):
    """A file that participants may download; `path` is relative, `size` in bytes."""

    part: str
    path: str
    size: int
    sha256: str
    dataset: str | None = None


class Member(_Response):
    name: str


class Team(_Response):
    id: str
    name: str
    approved: bool = True
    members: list[Member] = []


class Invitation(_Response):
    token: str
    expires_at: datetime


class Upload(_Response):
    """State: open, complete, used or rejected; `offset` of `size` bytes are safe at the platform."""

    id: str
    offset: int
    size: int
    state: str
    chunk: int = 8 * 2**20


class Failure(_Response):
    """`remedy` says what to change, `command` shows the trouble here; empty from older platforms."""

    code: str
    message: str
    remedy: str = ""
    command: str = ""


class Estimate(_Response):
    """How long a submission still takes, from past runs; `text` says it in words."""

    low: int
    likely: int
    high: int
    text: str


class Transition(_Response):
    before: str
    after: str
    cause: str
    at: datetime


class Run(_Response):
    """One container's work. Of hidden runs the platform tells state, failure code and rounded totals only."""

    stage: str
    state: str
    task: str | None = None
    dataset: str | None = None
    shard: int | None = None
    attempt: int | None = None
    wall_seconds: float | None = None
    peak_memory: int | None = None
    log: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None


class ToyCase(_Response):
    """`average_precision` of an abnormal case's voxels, clipped and rounded; `exact_…` of them as written."""

    name: str
    outcome: str
    detail: str | None = None
    score: float | None = None
    average_precision: float | None = None
    exact_average_precision: float | None = None
    warning: str | None = None
    has_view: bool = False


class Score(_Response):
    """Average precision on one dataset, None where undefined or not yet public; outcomes count cases."""

    task: str
    dataset: str
    average_precision: float | None = None
    undefined_because: str | None = None
    outcomes: dict[str, int] = {}


class ToyScore(Score):
    cases: list[ToyCase] = []


class ToyCaseStatistics(_Response):
    """What is stored of a toy case; `statistic` is a voxel histogram as bytes in base64."""

    name: str
    label: int | None
    outcome: str
    detail: str = ""
    score: float | None = None
    statistic: str | None = None
    objects: dict[str, tuple[int, int, int]] = {}
    warning: str | None = None


class ToyPartStatistics(_Response):
    task: str
    dataset: str
    dataset_version: str
    cases: list[ToyCaseStatistics]


class Scoring(_Response):
    """A scoring version; `policy` is {task: {missing, metric}}."""

    number: int
    policy: dict[str, Any]


class ToyStatistics(_Response):
    """What a submission's figures on toy cases are computed from."""

    submission: str
    challenge: str
    team: str
    image_id: str | None = None
    scoring: Scoring
    parts: list[ToyPartStatistics]


class SubmissionTeam(_Response):
    id: str
    name: str


class Submission(_Response):
    """One image handed in; see `FINAL_STATES` for the states that do not change any more."""

    id: str
    challenge: str
    kind: str
    state: str
    task: str | None = None
    title: str | None = None
    team: SubmissionTeam | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    image_id: str | None = None
    warnings: list[str] = []
    failure: Failure | None = None
    transitions: list[Transition] = []
    runs: list[Run] = []
    toy: list[ToyScore] = []
    scores: list[Score] = []
    scores_withheld: str | None = None
    queue_position: int | None = None
    estimate: Estimate | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


class Row(_Response):
    """One line of a leaderboard; `ap` and `places` by dataset."""

    place: int | None
    team: str
    submission: str | None = None
    ap: dict[str, float | None] = {}
    places: dict[str, int | None] = {}
    validation: dict[str, float | None] = {}
    outcomes: dict[str, Any] = {}
    baseline: bool = False
    finished_at: datetime | None = None


class Leaderboard(_Response):
    """One task's ranking, best first; figures are shown with `decimals`."""

    task: str
    decimals: int = 3
    datasets: list[str]
    rows: list[Row]
