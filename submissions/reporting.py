"""Reports as files, and a participant's own toy results as a study.

A study of toy results has one entrant and no test cases, so its report says nothing of hidden ones.
"""

import os
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from challenges.spec import Challenge
from scoring.aggregate import absent_case_score
from scoring.histograms import VoxelHistogram
from scoring.report.analysis import analyse
from scoring.report.document import to_json
from scoring.report.page import to_html
from scoring.report.study import CaseFacts, Entrant, Filling, Part, Predictions, Study, TaskStudy, filling
from submissions.check import ScriptReport
from submissions.contract import Outcome
from submissions.kit import Kit
from submissions.responses import ToyCaseStatistics, ToyPartStatistics, ToyStatistics

KIT_VERSION = "starter kit"


def write(study: Study, folder: Path) -> tuple[Path, Path]:
    """Analyse a study and write `report.html` and `report.json`, each whole or not at all; their paths."""
    document = analyse(study)
    folder.mkdir(parents=True, exist_ok=True)
    return (
        _written(folder / "report.html", to_html(document)),
        _written(folder / "report.json", to_json(document)),
    )


def _written(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    os.replace(partial, path)
    return path


def study_of_toys(statistics: ToyStatistics, challenge: Challenge) -> Study:
    """The toy results of a submission, by the rules of the public board."""
    entrant = Entrant(statistics.team, statistics.submission, statistics.image_id)
    parts: dict[str, list[Part]] = {}
    for stored in statistics.parts:
        if stored.task in challenge.tasks:
            rules = statistics.scoring.policy.get(stored.task, {})
            parts.setdefault(stored.task, []).append(_part_of(stored, challenge, rules, entrant))
    return _study(challenge, statistics.scoring.number, statistics.scoring.policy, entrant, parts)


def study_of_check(kit: Kit, image: str, reports: Sequence[ScriptReport]) -> Study:
    """What a check found on this machine, by the rules of the kit."""
    entrant = Entrant("This image", "check", image)
    parts: dict[str, list[Part]] = {}
    for report in reports:
        parts.setdefault(report.task, []).append(_part_of_check(kit, report, entrant))
    return _study(kit.challenge, None, {}, entrant, parts)


def _study(
    challenge: Challenge,
    version: int | None,
    policy: dict[str, Any],
    entrant: Entrant,
    parts: dict[str, list[Part]],
) -> Study:
    tasks = [
        TaskStudy(
            slug=name,
            title=about.title,
            level=about.level,
            protocol={
                **about.model_dump(mode="json"),
                **policy.get(name, {}),
                "decimals": challenge.publication.decimals,
            },
            entrants=[entrant],
            test=[],
            toy=parts[name],
        )
        for name, about in challenge.tasks.items()
        if name in parts
    ]
    ranking = challenge.ranking
    return Study(challenge.id, challenge.title, version, tasks, {}, ranking.bootstraps, ranking.seed)


def _part_of(
    stored: ToyPartStatistics, challenge: Challenge, rules: dict[str, Any], entrant: Entrant
) -> Part:
    policy = filling(rules.get("missing", challenge.tasks[stored.task].missing))
    found = [_case_of(case, policy) for case in stored.cases]
    histograms = {case.name: counts for case, counts, _ in found if counts is not None}
    facts = [
        CaseFacts(
            case.name,
            case.label or 0,
            size=_volume(challenge, stored.dataset, counts) if case.label else None,
        )
        for case, counts, _ in found
    ]
    predictions = Predictions(
        outcomes={case.name: case.outcome for case, _, _ in found},
        scores={case.name: score for case, _, score in found if score is not None},
        histograms=histograms,
        objects={
            case.name: {float(cut): counts for cut, counts in case.objects.items()} for case, _, _ in found
        },
        remarks={case.name: remark for case, _, _ in found if (remark := case.warning or case.detail)},
    )
    return _part(stored.dataset, stored.dataset_version, facts, predictions, entrant)


def _case_of(
    case: ToyCaseStatistics, policy: Filling
) -> tuple[ToyCaseStatistics, VoxelHistogram | None, float | None]:
    """A case with its histogram or score, the policy for absent cases applied."""
    absent = case.outcome != Outcome.SCORED
    if case.statistic is None:
        return case, None, absent_case_score(case.label or 0, policy) if absent else case.score
    counts = VoxelHistogram.from_bytes(b64decode(case.statistic))
    if absent:
        counts = VoxelHistogram.absent(counts.positive_voxels, counts.negative_voxels, policy)
    return case, counts, None


def _part_of_check(kit: Kit, report: ScriptReport, entrant: Entrant) -> Part:
    histograms = report.predictions.histograms
    facts = []
    for case in report.cases:
        counts = histograms.get(case.name)
        label = kit.label(report.dataset, case.name) if counts is None else int(counts.positive_voxels > 0)
        size = _volume(kit.challenge, report.dataset, counts) if label else None
        facts.append(CaseFacts(case.name, label, size=size))
    remarks = {case.name: remark for case in report.cases if (remark := case.warning or case.detail)}
    return _part(report.dataset, KIT_VERSION, facts, replace(report.predictions, remarks=remarks), entrant)


def _part(
    dataset: str, version: str, facts: Sequence[CaseFacts], predictions: Predictions, entrant: Entrant
) -> Part:
    batch = [case.id for case in facts]
    arrangements = [[batch]] if predictions.histograms else []
    return Part(dataset, version, facts, arrangements, {entrant.submission: predictions})


def _volume(challenge: Challenge, dataset: str, counts: VoxelHistogram | None) -> float | None:
    """mm³ of the abnormal voxels."""
    return None if counts is None else counts.positive_voxels * prod(challenge.datasets[dataset].spacing_mm)
