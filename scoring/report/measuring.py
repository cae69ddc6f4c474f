"""One entrant on one part, whatever the task's level."""

from scoring.report import case_level, voxel_level
from scoring.report.measures import Measurement, Thresholds
from scoring.report.plan import Plan
from scoring.report.study import Entrant, TaskStudy


def measure(
    task: TaskStudy, plan: Plan, entrant: Entrant, thresholds: Thresholds | None = None
) -> Measurement:
    """All figures; `thresholds` are those chosen on the toy cases."""
    predictions, policy = plan.part.predictions.get(entrant.submission), str(task.protocol.get("missing"))
    if task.level == "case":
        return case_level.measure(plan, predictions, policy)
    objects = (task.protocol.get("metric") or {}).get("objects") or {}
    return voxel_level.measure(plan, predictions, policy, objects.get("thresholds", ()), thresholds)


def nothing(task: TaskStudy, reason: str) -> Measurement:
    """A measurement of which every figure is undefined."""
    return case_level.nothing(reason) if task.level == "case" else voxel_level.nothing(reason)
