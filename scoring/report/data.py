"""What there is to find: cases, labels, and the share of what is abnormal, without which no AP says much."""

from collections import Counter
from collections.abc import Sequence
from math import fsum
from typing import Any

from scoring.report.measures import Measurement
from scoring.report.plan import Plan
from scoring.report.voxel_level import batch_shares


def data_of(plan: Plan, column: Sequence[Measurement], stage: str) -> dict[str, Any]:
    """One part of one dataset: counts only, nothing of a single case."""
    cases = plan.part.cases
    abnormal = int(plan.labels.sum())
    return {
        "dataset": plan.part.dataset,
        "version": plan.part.version,
        "stage": stage,
        "cases": len(cases),
        "abnormal": abnormal,
        "abnormal_share": abnormal / len(cases) if cases else None,
        "categories": _counted([case.category for case in cases if case.label]),
        "kinds": _counted([case.kind for case in cases if case.label]),
        "sizes_known": sum(case.size is not None for case in cases),
        "contrasts_known": sum(case.contrast is not None for case in cases),
        "voxels": _voxels(plan, column),
    }


def _counted(names: Sequence[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(name or "not known" for name in names).items()))


def _voxels(plan: Plan, column: Sequence[Measurement]) -> dict[str, Any] | None:
    """Positive voxels and their shares, as counted with the first entrant's predictions."""
    voxels = next((one.voxels for one in column if one.voxels), ())
    if not voxels:
        return None
    positive, total = sum(one for one, _ in voxels), sum(every for _, every in voxels)
    return {
        "positive": positive,
        "total": total,
        "positive_share": positive / total,
        "cases_with_positives": sum(one > 0 for one, _ in voxels),
        "arrangements": [
            _arrangement(plan, arrangement, batch_shares(arrangement, voxels)) for arrangement in plan.batches
        ],
    }


def _arrangement(plan: Plan, arrangement: Sequence[Sequence[int]], shares: Sequence[float]) -> dict[str, Any]:
    sizes = Counter(len(batch) for batch in arrangement)
    return {
        "batches": len(arrangement),
        "sizes": {str(size): sizes[size] for size in sorted(sizes, reverse=True)},
        "abnormal": [int(plan.labels[list(batch)].sum()) for batch in arrangement],
        "positive_share": {"mean": fsum(shares) / len(shares), "low": min(shares), "high": max(shares)},
    }
