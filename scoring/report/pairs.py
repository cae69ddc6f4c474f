"""Who beats whom beyond chance on one dataset, with the p-values of all pairs corrected together.

One average precision over all cases leaves nothing to pair, so cases are redrawn, for all entrants the same,
and the differences are counted. Holm's correction multiplies the smallest p-value by the number of pairs: the
more pairs, the more draws are made, or nothing could ever be significant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.comparison import bootstrap_greater, holm, pairwise, wilcoxon_greater
from scoring.ranking import places_by_tests
from scoring.report.case_level import scores_of
from scoring.report.measures import Measurement
from scoring.report.plan import Plan, stream
from scoring.report.study import Study, TaskStudy
from scoring.stability import bootstrap_cases, draw

SIGNIFICANT = 0.05
DRAWS_PER_PAIR = 100
"""So the smallest adjusted p-value is 0.01, whatever the number of entrants."""

_CHUNK = 1000

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Tests of all pairs, (entrants, entrants): `significant[a, b]` when a beats b.

    `n` are the batches or draws that each test stands on, `smallest` is the smallest adjusted p-value that
    could have come out at all.
    """

    test: str
    n: int
    p: Values
    adjusted: Values
    significant: NDArray[np.bool_]
    smallest: float


def with_value(column: Sequence[Measurement]) -> list[int]:
    """Indices of the entrants who have a value on a dataset."""
    return [index for index, one in enumerate(column) if one.ranking.value is not None]


def redrawn_cases(plan: Plan, chosen: Sequence[Measurement], draws: NDArray[np.int32]) -> Values:
    """Average precision of each redrawn set of cases, (replicates, chosen)."""
    columns = [bootstrap_cases(plan.labels, scores_of(plan, one.predictions), draws) for one in chosen]
    return np.stack(columns, axis=1)


def compare(
    study: Study, task: TaskStudy, plan: Plan, column: Sequence[Measurement], bootstrapped: Values | None
) -> Pairs | str:
    """The tests of one dataset, or why nothing can be tested.

    Batches are compared by the signed-rank test. A single batch has nothing to pair either: then the
    `bootstrapped` values (replicates, entrants) have to do.
    """
    present = with_value(column)
    if len(present) < 2:
        return "fewer than two entrants have a value on this dataset"
    chosen = [column[index] for index in present]
    if task.level == "case":
        values = _many_draws(study, task, plan, chosen)
        return _tested("paired_bootstrap", values, present, len(column))
    if all(len(one.ranking_batches) > 1 for one in chosen):
        values = np.array([one.ranking_batches for one in chosen])
        return _tested("wilcoxon_signed_rank", values, present, len(column))
    if bootstrapped is None:
        return "there are no bootstraps of this dataset"
    return _tested("paired_bootstrap", bootstrapped[:, present].T, present, len(column))


def _many_draws(study: Study, task: TaskStudy, plan: Plan, chosen: Sequence[Measurement]) -> Values:
    """Values (chosen, draws), in chunks that fit into memory."""
    rng = stream(study.seed, task.slug, plan.part.dataset, "tests")
    wanted = max(study.bootstraps, DRAWS_PER_PAIR * len(chosen) * (len(chosen) - 1))
    sizes = [min(_CHUNK, wanted - start) for start in range(0, wanted, _CHUNK)]
    return np.concatenate([redrawn_cases(plan, chosen, draw(plan.labels, size, rng)) for size in sizes]).T


def _tested(test: str, values: Values, present: Sequence[int], entrants: int) -> Pairs:
    wilcoxon = test == "wilcoxon_signed_rank"
    found = pairwise(values, wilcoxon_greater if wilcoxon else bootstrap_greater)
    p, adjusted = np.ones((entrants, entrants)), np.ones((entrants, entrants))
    cells = np.ix_(present, present)
    p[cells], adjusted[cells] = found, holm(found)
    n = values.shape[1]
    least = 0.5**n if wilcoxon else 1 / (1 + n)
    smallest = min(1.0, least * len(present) * (len(present) - 1))
    return Pairs(test, n, p, adjusted, adjusted < SIGNIFICANT, smallest)


def tested_places(tests: Mapping[str, Pairs | str]) -> dict[str, list[int] | str]:
    """The places by tests on each dataset, or why there are none."""
    return {
        name: found if isinstance(found, str) else places_by_tests(found.significant)
        for name, found in tests.items()
    }
