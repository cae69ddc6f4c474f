"""Are kinds tied to properties of the people, such as contrast or size? They must be spread over them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from datasets.leaks.findings import CrossTable, Tried
from datasets.leaks.permutation import Floats, aucs, groups_p
from datasets.manifest import Case

NORMAL = "normal"
_COLUMNS = ("lowest third", "middle third", "highest third")
_MOST_VALUES = 12


def of_bases(cases: Sequence[Case]) -> dict[str, list[Any]]:
    """Properties that the manifest states for every one of the cases, by name."""
    stated: list[Mapping[str, Any]] = [case.model_dump().get("properties") or {} for case in cases]
    names = [name for name in (stated[0] if stated else {}) if all(name in one for one in stated)]
    return {name: [one[name] for one in stated] for name in names}


def tried(
    dataset: str,
    kinds: Sequence[str | None],
    found: Mapping[str, Sequence[Any]],
    rng: np.random.Generator,
    rounds: int,
) -> tuple[list[Tried], list[CrossTable]]:
    """A test and a table for every property that varies; `kinds` and its values are in the same order."""
    groups = np.array([kind or NORMAL for kind in kinds])
    tests, tables = [], []
    for name, values in found.items():
        coded, columns, member = _coded(values)
        if len(columns) < 2 or len(set(groups)) < 2:
            continue
        p = groups_p(coded, groups, rng, rounds)
        auc = float(aucs(coded[:, :1], groups != NORMAL)[0]) if coded.shape[1] == 1 else None
        sentence = f"{name} differs between kinds with p = {p:.2g}"
        tests.append(Tried(f"kind by {name}", "identity", auc, p, sentence))
        tables.append(_table(dataset, name, groups, columns, member))
    return tests, tables


def _coded(values: Sequence[Any]) -> tuple[Floats, list[str], np.ndarray[Any, np.dtype[np.int64]]]:
    """Ranks or indicators (cases, columns), the columns of the table, and the column of every case."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        ranks = stats.rankdata(np.array(values, dtype=np.float64))
        if np.ptp(ranks) == 0:
            return ranks[:, None], [], np.zeros(len(values), np.int64)
        third = np.minimum((ranks - 0.5) * 3 // len(values), 2).astype(np.int64)
        return ranks[:, None], list(_COLUMNS), third
    names, member = np.unique([str(value) for value in values], return_inverse=True)
    if len(names) > _MOST_VALUES:
        return np.zeros((len(values), 1)), [], member
    return np.eye(len(names))[member], [str(name) for name in names], member


def _table(dataset: str, name: str, groups: Any, columns: Sequence[str], member: Any) -> CrossTable:
    counts = {
        str(kind): np.bincount(member[groups == kind], minlength=len(columns)).tolist()
        for kind in np.unique(groups)
    }
    return CrossTable(dataset, name, columns, counts)
