"""How long submissions still take, played through from what past runs took.

Every open submission is a job: the runs of its present stage, and those that the stages after it will bring.
They are handed to the slots of their lanes in the order of the queue, as workers do, once with short, once
with usual and once with long durations. Where a duration is not known there is no estimate: nothing is made
up. What comes out is whole minutes, rounded up, which is coarser than what `disclosure` lets be known of runs
on hidden cases.
"""

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

Key = tuple[str, str, str, str]  # challenge, stage, task, dataset
SHARES = (0.1, 0.5, 0.9)
FEW = 3
"""With fewer past runs than this the range is from half to double."""


@dataclass(frozen=True)
class Piece:
    """A run, there or expected. `elapsed`: seconds for which it has been running, None while it waits."""

    key: Key
    lane: str
    priority: int = 0
    elapsed: float | None = None


@dataclass(frozen=True)
class Job:
    """A submission: the pieces of its stages, the present one first, without those that are done.

    `credit`: seconds of work of the present stage that count as done, for a stage whose progress nobody may
    learn; its pieces are all there and wait.
    """

    id: str
    stages: Sequence[Sequence[Piece]]
    credit: float | None = None

    @property
    def pieces(self) -> list[Piece]:
        return [piece for stage in self.stages for piece in stage]


@dataclass(frozen=True)
class Estimate:
    """Minutes until a submission is over: at best, as usual, at worst."""

    low: int
    likely: int
    high: int

    @property
    def text(self) -> str:
        """For people: "about 12 min", or "between 10 and 25 min" where it is less sure."""
        if self.high - self.low <= max(1, self.likely // 3):
            return f"about {_span(self.likely)}"
        low, high = _span(self.low), _span(self.high)
        if low.endswith(" min") and high.endswith(" min"):
            low = low.removesuffix(" min")
        return f"between {low} and {high}"


def _span(minutes: int) -> str:
    if minutes < 120:
        return f"{minutes} min"
    return f"{math.ceil(minutes / 60)} h"


class History:
    """What past runs took, in seconds; those of other datasets and tasks where there is nothing better."""

    def __init__(self, runs: Mapping[Key, Sequence[float]]) -> None:
        self._known: dict[Key, list[float]] = {}
        for key, seconds in runs.items():
            for like in _likenesses(key):
                self._known.setdefault(like, []).extend(seconds)
        for found in self._known.values():
            found.sort()

    def knows(self, key: Key) -> bool:
        """Whether there were runs of this stage in the same challenge."""
        return (*key[:2], "", "") in self._known

    def seconds(self, key: Key, share: float) -> float | None:
        """What this share of the past runs stayed below; those of another challenge as a last resort."""
        found = next((self._known[like] for like in _likenesses(key) if like in self._known), None)
        if found is None or len(found) >= FEW:
            return found[min(len(found) - 1, int(share * len(found)))] if found else None
        if share == 0.5:
            return sum(found) / len(found)
        return found[0] / 2 if share < 0.5 else found[-1] * 2


def _likenesses(key: Key) -> list[Key]:
    challenge, stage, task, _ = key
    likenesses = [key, (challenge, stage, task, ""), (challenge, stage, "", ""), ("", stage, "", "")]
    return list(dict.fromkeys(likenesses))


def estimates(jobs: Sequence[Job], slots: Mapping[str, int], history: History) -> dict[str, Estimate]:
    """When each job is over; those are left out of which nothing can be said.

    Args:
        jobs: all that is open, in the order in which it was handed in.
        slots: how many runs a lane carries out at a time.
        history: what past runs took.
    """
    served = [job for job in jobs if all(slots.get(piece.lane) for piece in job.pieces)]
    if any(history.seconds(piece.key, 0.5) is None for job in served for piece in job.pieces):
        return {}  # one of unknown length moves all the others
    ends = [_play(served, slots, history, share) for share in SHARES]
    return {
        job.id: Estimate(*sorted(max(1, math.ceil(end[job.id] / 60)) for end in ends))
        for job in served
        if all(history.knows(piece.key) for piece in job.pieces)
    }


def _play(jobs: Sequence[Job], slots: Mapping[str, int], history: History, share: float) -> dict[str, float]:
    """Seconds from now until each job is over."""
    play = _Play(slots, history, share)
    for job in jobs:
        play.enter(job, 0, 0.0)
    play.run()
    return play.ends


class _Play:
    """Slots, what waits for them, and what is going on in them."""

    def __init__(self, slots: Mapping[str, int], history: History, share: float) -> None:
        self.free, self.history, self.share = Counter(slots), history, share
        self.ends: dict[str, float] = {}
        self._left: Counter[str] = Counter()
        self._number = count()
        self._waiting: dict[str, list[tuple[int, int, float, Job, int]]] = {lane: [] for lane in slots}
        self._going: list[tuple[float, int, str, Job, int]] = []

    def enter(self, job: Job, number: int, at: float) -> None:
        """Begin a stage of a job, or end the job."""
        while number < len(job.stages) and not job.stages[number]:
            number += 1
        if number == len(job.stages):
            self.ends[job.id] = at
            return
        self._left[job.id] = len(job.stages[number])
        for piece, seconds in self._lengths(job, number):
            if piece.elapsed is not None:
                self._start(piece.lane, seconds, job, number, at)
            else:
                entry = (piece.priority, next(self._number), seconds, job, number)
                heapq.heappush(self._waiting[piece.lane], entry)

    def _lengths(self, job: Job, number: int) -> list[tuple[Piece, float]]:
        """The pieces of a stage, and how long each still takes."""
        pieces = job.stages[number]
        usual = [self.history.seconds(piece.key, self.share) or 0.0 for piece in pieces]
        if number or job.credit is None:
            return [(piece, _rest(whole, piece.elapsed)) for piece, whole in zip(pieces, usual, strict=True)]
        done = min(job.credit, sum(usual))
        left = (sum(usual) - done or job.credit / 4) / len(pieces)
        return [(piece, left) for piece in pieces]

    def _start(self, lane: str, seconds: float, job: Job, number: int, at: float) -> None:
        self.free[lane] -= 1
        heapq.heappush(self._going, (at + seconds, next(self._number), lane, job, number))

    def run(self) -> None:
        """Until nothing is left."""
        self._fill(0.0)
        while self._going:
            at, _, lane, job, number = heapq.heappop(self._going)
            self.free[lane] += 1
            self._left[job.id] -= 1
            if not self._left[job.id]:
                self.enter(job, number + 1, at)
            self._fill(at)

    def _fill(self, at: float) -> None:
        for lane, waiting in self._waiting.items():
            while waiting and self.free[lane] > 0:
                _, _, seconds, job, number = heapq.heappop(waiting)
                self._start(lane, seconds, job, number, at)


def _rest(whole: float, elapsed: float | None) -> float:
    """What is left of a piece; one that takes longer than others did goes on for a while."""
    if elapsed is None:
        return whole
    return whole - elapsed if elapsed < whole else elapsed / 4
