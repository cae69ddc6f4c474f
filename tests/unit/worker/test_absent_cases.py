"""Whether it pays to leave cases out, from the container to the score: why there is more than one policy."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from sqlalchemy import select

from backend.models.score import Score
from submissions.fake_engine import Behaviour, FakeEngine
from tests.unit.backend.world import World
from tests.unit.worker.conftest import SLOT, BenchOf
from worker import evaluation, leases


def abnormal_only(source: Path, output: Path) -> None:
    """A perfect eye that says nothing about normal cases."""
    for case in source.iterdir():
        scan = np.asarray(nibabel.load(case).dataobj)
        if scan.max() > 0.5:
            (output / f"{case.name}.txt").write_text("0.9")
            heat = np.where(scan > 0.5, 0.9, 0.1).astype(np.float32)
            nibabel.Nifti1Image(heat, np.eye(4)).to_filename(output / case.name)


def score_of(world: World, bench_of: BenchOf, task: str, missing: str) -> Score:
    """What a counted submission gets on the hidden brain cases, two normal and two abnormal."""
    world.challenge(missing=missing)
    user, engine = world.person("anna"), FakeEngine([Behaviour(writes=abnormal_only)])
    archive = world.platform.storage.root / "archive"
    archive.write_bytes(b"x")
    row = world.submission(
        world.team("blue", user), user, kind="counted", task=task, state="test",
        image_id=engine.load(archive), scripts=[f"/workspace/run_{task}_brain.sh"],
    )  # fmt: skip
    cases = [{"id": f"hidden{n}brain", "name": f"{n}{n}ff.nii.gz"} for n in range(4)]
    world.run(row, "test", task=task, dataset="brain", cases=cases)
    for lane in ("test", "toy"):
        with world.write() as session:
            lease = leases.claim(session, lane, SLOT, 100)
        assert lease is not None
        assert evaluation.run(bench_of(world, engine), lease)
    with world.read() as session:
        return session.scalars(select(Score)).one()


@pytest.mark.parametrize(
    ("task", "missing", "expected"),
    [
        ("sample", "zero", 1.0),
        ("sample", "worst", 2 / 4),
        ("pixel", "zero", 1.0),
        ("pixel", "worst", 96 / (96 + 2 * 16**3)),
    ],
)
def test_leaving_out_all_normal_cases_is_free_under_zero_and_ruinous_under_worst(
    world: World, bench_of: BenchOf, task: str, missing: str, expected: float
) -> None:
    score = score_of(world, bench_of, task, missing)
    assert score.average_precision == pytest.approx(expected, abs=1e-12)
    assert score.outcomes == {"scored": 2, "missing": 2}
