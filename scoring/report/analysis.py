"""From stored statistics to everything that a report says, as plain data.

The same study gives the same document: no clock, no order of sets, and a source of randomness for each
purpose. Nothing in it names a case of the test part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.report import drawings, pairs, uncertainty
from scoring.report.analysis_sets import sets_told
from scoring.report.board import Measured, board_order, places_by_dataset, ranking
from scoring.report.categories import groups_told
from scoring.report.data import data_of
from scoring.report.digests import RULE
from scoring.report.measures import Measurement
from scoring.report.measuring import measure
from scoring.report.plan import Plan, plan_of
from scoring.report.study import Entrant, Study, TaskStudy
from scoring.report.toys import toy_cases
from scoring.report.versions import versions

FORMAT = {"name": "moodarena report", "version": 1}


def analyse(study: Study) -> dict[str, Any]:
    """The whole report as data that JSON can carry. Without test cases it is a report on toy results.

    In every list over entrants the order is that of `entrants` of the task, which is that of the board.
    Figures are `{"value": number or null, "undefined": null or the reason}`.
    """
    toy_only = not any(task.test for task in study.tasks)
    return {
        "format": FORMAT,
        "kind": "toy" if toy_only else "challenge",
        "challenge": study.challenge,
        "title": study.title,
        "scoring_version": study.scoring_version,
        "bootstraps": study.bootstraps,
        "seed": study.seed,
        "tasks": [_task(study, task, toy_only) for task in study.tasks],
        "failures": {task: dict(sorted(codes.items())) for task, codes in sorted(study.failures.items())},
        "datasets": _dataset_versions(study),
        "versions": versions(),
        "digests": RULE,
    }


def _dataset_versions(study: Study) -> dict[str, str]:
    parts = [part for task in study.tasks for part in (*task.toy, *task.test)]
    return dict(sorted((part.dataset, part.version) for part in parts))


@dataclass(frozen=True)
class _Task:
    """A task's parts with what everybody reached; entrants in the order of the board."""

    entrants: Sequence[Entrant]
    toy_plans: Mapping[str, Plan]
    plans: Mapping[str, Plan]
    toy: Measured
    test: Measured

    @property
    def names(self) -> list[str]:
        """Names by which figures tell entrants apart."""
        teams = [one.team for one in self.entrants]
        return [
            one.team if teams.count(one.team) == 1 else f"{one.team} ({one.submission})"
            for one in self.entrants
        ]


def _task(study: Study, task: TaskStudy, toy_only: bool) -> dict[str, Any]:
    found = _measured(task, study.seed)
    told: dict[str, Any] = {
        "slug": task.slug,
        "title": task.title,
        "level": task.level,
        "protocol": dict(task.protocol),
        "entrants": [_entrant(found, index) for index in range(len(found.entrants))],
        "data": [data_of(found.plans[name], column, "test") for name, column in found.test.items()]
        + [data_of(found.toy_plans[name], column, "toy") for name, column in found.toy.items()],
        "results": [*_results(found.test, "test"), *_results(found.toy, "toy")],
    }
    if toy_only:
        return told | {"toy_cases": toy_cases(task, found.toy_plans, found.entrants), "figures": []}
    return told | _compared(study, task, found)


def _measured(task: TaskStudy, seed: int) -> _Task:
    toy_plans = {part.dataset: plan_of(part, task.slug) for part in task.toy if part.cases}
    plans = {part.dataset: plan_of(part, task.slug, seed) for part in task.test if part.cases}
    toy = {name: [measure(task, plan, one) for one in task.entrants] for name, plan in toy_plans.items()}
    test = {
        name: [
            measure(task, plan, one, toy[name][index].chosen if name in toy else None)
            for index, one in enumerate(task.entrants)
        ]
        for name, plan in plans.items()
    }
    order = board_order(task.entrants, test or toy)

    def sorted_(measured: Mapping[str, list[Measurement]]) -> Measured:
        return {name: [column[index] for index in order] for name, column in measured.items()}

    return _Task([task.entrants[i] for i in order], toy_plans, plans, sorted_(toy), sorted_(test))


def _entrant(found: _Task, index: int) -> dict[str, Any]:
    one = found.entrants[index]
    return {
        "name": found.names[index],
        "team": one.team,
        "submission": one.submission,
        "baseline": one.baseline,
        "image": one.image,
        "statistics": {
            stage: {name: column[index].digest for name, column in measured.items()}
            for stage, measured in (("test", found.test), ("toy", found.toy))
        },
    }


def _results(measured: Measured, stage: str) -> list[dict[str, Any]]:
    return [
        {
            "dataset": name,
            "stage": stage,
            "entrants": [one.figures for one in column],
            "outcomes": [one.outcomes for one in column],
            "batches": [[list(values) for values in one.batches] for one in column],
        }
        for name, column in measured.items()
    ]


def _compared(study: Study, task: TaskStudy, found: _Task) -> dict[str, Any]:
    """What needs more than one entrant, or test cases: ranking, uncertainty, groups, and the figures."""
    by_dataset = places_by_dataset(found.test)
    drawn = uncertainty.bootstrap(study, task, found.plans, found.test)
    tests = {
        name: pairs.compare(study, task, found.plans[name], column, drawn.values.get(name))
        for name, column in found.test.items()
    }
    ranked = ranking(found.test, found.toy, pairs.tested_places(tests), task.level)
    sure = uncertainty.uncertainty(found.test, by_dataset, drawn, tests, task.level, study.bootstraps)
    groups = {name: groups_told(found.plans[name], column) for name, column in found.test.items()}
    figures = [
        *drawings.of_results(found.test, by_dataset, drawn, found.names),
        *drawings.of_ranking(ranked, found.names),
        *drawings.of_uncertainty(sure, ranked, found.names),
    ]
    for name, told in groups.items():
        figures += drawings.of_groups(name, told, found.names)
    sets = sets_told(study, task, found.entrants, found.test)
    figures += drawings.of_analysis(sets, task.level, found.names)
    return {"ranking": ranked, "uncertainty": sure, "groups": groups, "analysis": sets, "figures": figures}
