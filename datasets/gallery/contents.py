"""Everything that the page of a built set shows, collected dataset by dataset."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datasets import manifest, statistics
from datasets.gallery import choice
from datasets.gallery.drawing import Drawn, Look, Wanted, draw_all
from datasets.gallery.twins import Source, source
from datasets.manifest import Case, Manifest
from datasets.statistics import Statistics

Progress = Callable[[str, int, int], None]


class GalleryError(RuntimeError):
    """There is nothing to show; the message says what to do."""


@dataclass(frozen=True)
class Shown:
    """One dataset. `drawn`: pictures by case. `reason`: why there are no unaltered twins, or ""."""

    described: Manifest
    title: str
    statistics: Statistics
    people: Sequence[Case]
    kinds: Sequence[choice.Cases]
    toys: Sequence[Case]
    proxy: Sequence[Case]
    series: Mapping[str, Sequence[Case]]
    drawn: Mapping[str, Drawn]
    reason: str


def collect(
    folder: Path,
    secret: bytes | None,
    examples: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Shown]:
    """Draw the pictures of all datasets below `folder`, which `dataset build` made.

    With the `secret` the scans before the anomaly are made again. `examples`: of each kind and difficulty.
    `progress` is called with dataset, cases done and cases in all. With `workers` > 1 cases are drawn in that
    many spawned processes.

    Raises:
        GalleryError: there is no dataset.
        ManifestError, OriginError, VolumeError, OSError: a file is missing or damaged.
        ValueError: the secret is shorter than any build accepts.
    """
    return [_collected(folder, one, secret, examples, workers, progress) for one in manifests(folder)]


def manifests(folder: Path) -> list[Manifest]:
    """The manifests of all datasets below `folder`.

    Raises:
        GalleryError: there is none.
        ManifestError: one is damaged.
    """
    found = sorted(folder.glob("*/manifest.json"))
    if not found:
        raise GalleryError(f"{folder} holds no folder with a manifest.json; name what `dataset build` made")
    return [manifest.read(path) for path in found]


def _collected(
    folder: Path,
    described: Manifest,
    secret: bytes | None,
    examples: int,
    workers: int,
    progress: Progress | None,
) -> Shown:
    made_with = source(folder, described, secret)
    people, kinds, toys = choice.people(described), choice.kinds(described, examples), choice.toys(described)
    proxy, series = choice.proxy(described), choice.series(described)
    chosen = [case for kind in kinds for cases in kind.shown.values() for case in cases]
    wanted = _Wanted(folder / described.dataset, made_with)
    drawn = draw_all(
        [
            *wanted.all(people, "scan"),
            *wanted.all([*chosen, *toys, *proxy], "anomaly"),
            *wanted.all((case for steps in series.values() for case in steps), "step"),
        ],
        workers,
        partial(progress or _silent, described.dataset),
    )
    return Shown(
        described, _title(described, made_with), statistics.of(described), people, kinds, toys, proxy, series,
        drawn, made_with.reason,
    )  # fmt: skip


class _Wanted:
    def __init__(self, folder: Path, made_with: Source) -> None:
        self._folder, self._job = folder, made_with.job

    def all(self, cases: Iterable[Case], look: Look) -> list[Wanted]:
        return [Wanted(self._folder, case, look, self._job) for case in cases]


def _title(described: Manifest, made_with: Source) -> str:
    return made_with.job.dataset.title if made_with.job else described.dataset


def _silent(dataset: str, done: int, total: int) -> None:
    """Nobody watches."""
