"""The leak gate on a set as it is really built, 64 voxels a side."""

from pathlib import Path

import numpy as np
import pytest

from challenges.spec import Challenge
from datasets.build import build
from datasets.leaks.audit import audit
from tests.unit.datasets.conftest import SECRET


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("slug", ["brain", "abdom"])
def test_200_built_cases_of_all_kinds_tell_nothing_but_by_their_voxels(
    demo: Challenge, tmp_path: Path, slug: str
) -> None:
    counts = demo.datasets[slug].cases.model_copy(
        update={"training": 20, "test": {"sample": 200, "pixel": 140}}
    )
    changed = {"cases": counts, "anomalies": {"local": ["all"], "global": ["all"]}}
    dataset = demo.datasets[slug].model_copy(update=changed)
    build(demo.model_copy(update={"datasets": {slug: dataset}}), SECRET, tmp_path, workers=2)
    found = audit(tmp_path, SECRET, np.random.default_rng(0))
    assert found.cases == {slug: 200}
    assert [one for one in found.leaks if one.kind != "image"] == []
    assert {one.name for one in found.findings if one.kind == "metadata"} >= {"headers", "metadata together"}
    told = {one.score: one for one in found.baselines if one.level == "case"}
    assert told["metadata, linear"].average_precision < 0.65
