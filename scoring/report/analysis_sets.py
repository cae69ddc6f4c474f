"""What the analysis sets tell, which never count: proxies, series of spheres, and as many cases of each kind.

The proxy set asks whether artificial spheres and cubes would have ranked everybody as the hidden cases did,
the series from which size and contrast on a sphere is found, the equal counts which kinds are (Zimmerer,
thesis, section 4.1.5).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scoring.ranking import consensus, kendall_tau_b, places
from scoring.report.board import Measured
from scoring.report.categories import groups_told
from scoring.report.digests import digest_of
from scoring.report.measures import Measurement
from scoring.report.measuring import measure, nothing
from scoring.report.plan import Plan, plan_of
from scoring.report.series import series_told
from scoring.report.study import AnalysisSet, Entrant, Part, Predictions, Study, TaskStudy
from scoring.report.values import Told, computed

PROXY, EQUAL_COUNTS = "proxy", "equal-counts"
SERIES = {"size-series": "radius", "contrast-series": "contrast"}
"""What the cases of a series differ in, as `CaseFacts` calls it."""
GROUPINGS = ("category", "kind", "difficulty")
NOT_YET = "it was not run on the analysis sets of this dataset yet"

_FIGURES = {
    "case": ("average_precision", "auroc", "false_positive_rate_at_95"),
    "voxel": ("average_precision", "average_precision_per_case_mean", "auroc", "best_dice"),
}
Columns = Mapping[str, Sequence[Measurement]]


def sets_told(study: Study, task: TaskStudy, entrants: Sequence[Entrant], test: Measured) -> dict[str, Any]:
    """By dataset and set what everybody reached, in the order of `entrants`, which is that of `test`.

    `proxy_against_test` compares the consensus of the proxy sets with that of the test cases.
    """
    proxies = {
        one.part.dataset: _column(task, plan_of(one.part, task.slug), entrants)
        for one in task.analysis
        if one.name == PROXY
    }
    datasets: dict[str, dict[str, Any]] = {}
    for one in task.analysis:
        told = _set(study, task, one, entrants, proxies, test)
        datasets.setdefault(one.part.dataset, {})[one.name] = told
    _add_anomaly_free(datasets)
    both = [name for name in proxies if name in test]
    return {"datasets": datasets, "proxy_against_test": _agreement(proxies, test, both) if both else None}


def _set(
    study: Study,
    task: TaskStudy,
    one: AnalysisSet,
    entrants: Sequence[Entrant],
    proxies: Columns,
    test: Measured,
) -> dict[str, Any]:
    part, told = one.part, _about(one.part, entrants)
    if one.name in SERIES:
        found = [part.predictions.get(entrant.submission) for entrant in entrants]
        return told | series_told(part.cases, SERIES[one.name], task.level, found, NOT_YET)
    if one.name == PROXY:
        return told | _proxy(task, part.dataset, proxies, test)
    plan = plan_of(part, task.slug, study.seed, GROUPINGS, "analysis")
    return told | {"groups": groups_told(plan, _column(task, plan, entrants), GROUPINGS)}


def _about(part: Part, entrants: Sequence[Entrant]) -> dict[str, Any]:
    """How many cases there are, and of how many everybody has results, with their digest."""
    found = [part.predictions.get(entrant.submission) for entrant in entrants]
    return {
        "cases": len(part.cases),
        "abnormal": sum(case.label for case in part.cases),
        "analysed": [0 if one is None else _analysed(part, one) for one in found],
        "digests": [None if one is None else _digest(part, one) for one in found],
    }


def _analysed(part: Part, predictions: Predictions) -> int:
    return sum(case.id in predictions.outcomes for case in part.cases)


def _digest(part: Part, predictions: Predictions) -> str:
    counted = [case.id for case in part.cases if case.id in predictions.histograms]
    return digest_of(part, predictions, {case: predictions.histograms[case] for case in counted})


def _column(task: TaskStudy, plan: Plan, entrants: Sequence[Entrant]) -> list[Measurement]:
    known = plan.part.predictions
    return [
        measure(task, plan, one) if one.submission in known else nothing(task, NOT_YET) for one in entrants
    ]


# --- proxies ---


def _proxy(task: TaskStudy, dataset: str, proxies: Columns, test: Measured) -> dict[str, Any]:
    column = proxies[dataset]
    return {
        "entrants": [{name: one.figures[name] for name in _FIGURES[task.level]} for one in column],
        "places": places([one.ranking.value for one in column]),
        "against_test": _agreement(proxies, test, [dataset]) if dataset in test else None,
    }


def _agreement(proxies: Columns, test: Measured, datasets: Sequence[str]) -> Told:
    """Kendall's τ-b between the rankings of those who have a value everywhere, and how many these are."""
    rows = zip(*(source[name] for name in datasets for source in (proxies, test)), strict=True)
    complete = [i for i, row in enumerate(rows) if all(one.ranking.value is not None for one in row)]

    def ranked(source: Columns) -> list[int]:
        return consensus(
            {name: places([source[name][index].ranking.value for index in complete]) for name in datasets}
        )

    told = computed(kendall_tau_b, ranked(proxies), ranked(test))
    return told | {"entrants": len(complete)}


# --- series ---


def _add_anomaly_free(datasets: Mapping[str, dict[str, Any]]) -> None:
    """Beside each series of case scores, what the scan without a sphere was given; the sets share one."""
    for sets in datasets.values():
        found = [told["anomaly_free"] for name, told in sets.items() if told.get("anomaly_free")]
        for name in SERIES:
            if "anomaly_free" in sets.get(name, {}):
                sets[name]["anomaly_free"] = sets[name]["anomaly_free"] or (found[0] if found else None)
