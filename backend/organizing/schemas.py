"""What organizers are told of the platform's daily work. Times: seconds since the epoch. Sizes in bytes."""

from typing import Literal

from pydantic import BaseModel, Field

from backend.results.schemas import SubmissionSummary

DeedName = Literal["cancel", "rerun", "rescore", "withdraw", "reinstate"]


class SubmissionRow(SubmissionSummary):
    """A submission of any team, with the operator's story of a failure; `counts` on the board now."""

    baseline: bool
    failure_ours: bool
    failure_detail: str | None
    counts: bool


class Order(BaseModel):
    """A deed for some submissions, and why."""

    submissions: list[str] = Field(min_length=1, max_length=200)
    reason: str = Field(max_length=1000)


class Planned(BaseModel):
    """What a deed would do to one submission; `refused` says why it would not, None if it would."""

    id: str
    title: str
    team: str
    challenge: str
    state: str
    refused: str | None
    effect: str


class Done(BaseModel):
    """What became of one submission: `done`, or refused with a reason; `told` is a sentence for people."""

    id: str
    title: str
    done: bool
    told: str


class LaneView(BaseModel):
    """A queue. Runs on analysis sets, which never count and come last, are told apart as `beside`."""

    name: str
    waiting: int
    running: int
    beside: int
    oldest_since: float | None
    workers: int


class WorkerView(BaseModel):
    """A slot. `silent`: it missed its heartbeats; `run` is what it is carrying out, if anything."""

    name: str
    lane: str
    device: str
    seen_at: float
    silent: bool
    run: int | None
    submission: str | None
    stage: str | None
    since: float | None


class DiskView(BaseModel):
    """Of the folder that holds everything. `held` are files by digest, measured now and then."""

    total: int
    free: int
    held: int
    uploads: int
    received: int
    announced: int


class CodeCount(BaseModel):
    """How many submissions failed with a code, by our fault or theirs."""

    code: str
    ours: bool
    count: int


class FailureRate(BaseModel):
    """Of the submissions that ended in the last `days`, how many failed; cancelled ones are left out."""

    days: int
    ended: int
    ours: int
    theirs: int
    codes: list[CodeCount]


class Attention(BaseModel):
    """Something that somebody should mend, and where."""

    sentence: str
    path: str
    button: str


class ChallengeLine(BaseModel):
    """A challenge and what goes on in it; `open` submissions are under way."""

    id: str
    title: str
    teams: int
    unapproved: int
    submissions: int
    open: int
    ranked: int


class Operations(BaseModel):
    """The whole dashboard, as it was `at`."""

    at: float
    lanes: list[LaneView]
    workers: list[WorkerView]
    disk: DiskView
    failures: list[FailureRate]
    attention: list[Attention]
    challenges: list[ChallengeLine]
