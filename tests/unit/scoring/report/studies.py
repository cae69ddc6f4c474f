"""Small studies for tests of the report: two datasets, a task of each level, teams of known strength."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.histograms import VoxelHistogram, voxel_histogram
from scoring.report.study import AnalysisSet, CaseFacts, Entrant, Part, Predictions, Study, TaskStudy

SIDE = 6
KINDS = ("sphere", "patch", "blur")
CASE_PROTOCOL = {
    "missing": "worst",
    "metric": {"name": "average_precision", "over": "all_cases"},
    "decimals": 3,
}
VOXEL_PROTOCOL = {
    "missing": "worst",
    "metric": {
        "name": "average_precision",
        "over": "batches",
        "batch_size": 4,
        "arrangements": 2,
        "objects": {"thresholds": [0.25, 0.5], "min_volume_mm3": 8.0},
    },
    "decimals": 3,
}
TEAMS = {"Anna & sons": 0.9, "Bert <b>": 0.6, "Cleo": 0.3}


def entrants(teams: Sequence[str] = tuple(TEAMS)) -> list[Entrant]:
    return [
        Entrant(team, f"{number:024x}", f"sha256:{number:064x}", baseline=team == "Cleo")
        for number, team in enumerate(teams)
    ]


def cases(dataset: str, stage: str, count: int) -> list[CaseFacts]:
    """Every second one abnormal; kinds, sizes and contrasts in turn."""
    return [_case(f"secret-{stage}-{dataset}-{n}", n) for n in range(count)]


def _case(case: str, n: int) -> CaseFacts:
    if n % 2:
        return CaseFacts(case, 0)
    kind = KINDS[n // 2 % len(KINDS)]
    category = "global" if kind == "blur" else "local"
    return CaseFacts(
        case, 1, category, kind, f"class {n // 2 % 2 + 1}", 10.0 * (1 + n % 7), 0.1 + 0.08 * (n % 10)
    )


def _rng(*words: object) -> np.random.Generator:
    return np.random.default_rng(list("/".join(map(str, words)).encode()))


def case_predictions(
    found: Sequence[CaseFacts], strength: float, *key: object, absent: int = 0
) -> Predictions:
    rng = _rng("case", *key)
    scores = {
        one.id: float(np.clip(rng.random() + strength * one.label * rng.random(), 0, 2) / 2) for one in found
    }
    outcomes = {one.id: "scored" for one in found}
    for one in found[:absent]:
        outcomes[one.id], scores[one.id] = "missing", 0.0 if one.label else 1.0
    return Predictions(outcomes, scores)


def voxel_predictions(
    found: Sequence[CaseFacts], strength: float, *key: object, absent: int = 0
) -> Predictions:
    rng = _rng("voxel", *key)
    outcomes = {one.id: "scored" for one in found}
    histograms, objects = {}, {}
    for one in found:
        mask = np.zeros((SIDE,) * 3, dtype=bool)
        mask[1:3, 1:4, 2:4] = bool(one.label)
        scores = np.clip(rng.random((SIDE,) * 3) * 0.6 + strength * 0.5 * mask, 0, 1)
        histograms[one.id] = voxel_histogram(scores, mask)
        objects[one.id] = {0.25: (one.label, 2, 0), 0.5: (one.label, 1, 0)}
    for one in found[:absent]:
        outcomes[one.id] = "crashed"
        counted = histograms[one.id]
        histograms[one.id] = VoxelHistogram.absent(counted.positive_voxels, counted.negative_voxels, "worst")
    return Predictions(outcomes, histograms=histograms, objects=objects)


def part(level: str, dataset: str, stage: str, count: int, teams: Sequence[str], absent: int = 0) -> Part:
    """A part of which the last team lacks `absent` predictions."""
    found = cases(dataset, stage, count)
    ids = [one.id for one in found]
    predict = voxel_predictions if level == "voxel" else case_predictions
    predictions = {
        one.submission: predict(
            found,
            TEAMS.get(one.team, 0.5),
            dataset,
            stage,
            one.team,
            absent=absent if one.team == teams[-1] else 0,
        )
        for one in entrants(teams)
    }
    arrangements: list[list[list[str]]] = []
    if level == "voxel":
        arrangements = [[ids]] if stage == "toy" else [_batches(ids, 0), _batches(ids, 2)]
    return Part(dataset, f"v-{dataset}", found, arrangements, predictions)


def _batches(ids: Sequence[str], shift: int) -> list[list[str]]:
    turned = [*ids[shift:], *ids[:shift]]
    return [turned[start : start + 4] for start in range(0, len(turned), 4)]


def task(level: str, teams: Sequence[str] = tuple(TEAMS), absent: int = 1, **changed: Any) -> TaskStudy:
    slug, title = ("pixel", "Pixel-level") if level == "voxel" else ("sample", "Sample-level")
    given: dict[str, Any] = {
        "slug": slug,
        "title": title,
        "level": level,
        "protocol": VOXEL_PROTOCOL if level == "voxel" else CASE_PROTOCOL,
        "entrants": entrants(teams),
        "test": [part(level, name, "test", 24, teams, absent) for name in ("brain", "abdom")],
        "toy": [part(level, name, "toy", 4, teams) for name in ("brain", "abdom")],
    }
    return TaskStudy(**(given | changed))


def analysis_sets(
    level: str, dataset: str, teams: Sequence[str] = tuple(TEAMS), lacking: Sequence[str] = ()
) -> list[AnalysisSet]:
    """One of every sort; the teams that are `lacking` have no results."""
    given = {
        "proxy": cases(dataset, "proxy", 12),
        "size-series": [_ball(dataset, n, radius=5.0 * n, contrast=0.9 if n else None) for n in range(5)],
        "contrast-series": [_ball(dataset, n, radius=8.0, contrast=0.25 * n) for n in range(5)],
        "equal-counts": cases(dataset, "equal", 24),
    }
    predict = voxel_predictions if level == "voxel" else case_predictions
    made = []
    for name, found in given.items():
        predictions = {
            one.submission: predict(found, TEAMS.get(one.team, 0.5), dataset, name, one.team)
            for one in entrants(teams)
            if one.team not in lacking
        }
        batches = [[[one.id for one in found]]] if level == "voxel" else []
        made.append(AnalysisSet(name, Part(dataset, f"v-{dataset}", found, batches, predictions)))
    return made


def _ball(dataset: str, n: int, radius: float, contrast: float | None) -> CaseFacts:
    case, label = f"secret-ball-{dataset}-{n}", int(radius > 0)
    return CaseFacts(case, label, "local" if label else None, None, contrast=contrast, radius=radius)


def study(*tasks: TaskStudy, **changed: Any) -> Study:
    given: dict[str, Any] = {
        "challenge": "demo",
        "title": "A challenge & more",
        "scoring_version": 1,
        "tasks": list(tasks),
        "failures": {"pixel": {"crashed": 2}, "sample": {}},
        "bootstraps": 100,
        "seed": 7,
    }
    return Study(**(given | changed))
