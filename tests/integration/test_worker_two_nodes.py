"""A node with a storage root of its own fetches what it lacks over the platform's authenticated route."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.main import create_app
from backend.models.challenge import DatasetVersion
from backend.models.run import Run
from backend.models.score import Score
from backend.storage import Storage
from submissions.engine import Engine
from tests.integration.arena import Arena, all_scripts, spec_text
from tests.live import serving
from worker.slots import node_name


@pytest.fixture
def arena(tmp_path: Path, scans: Path, engine: object) -> Iterator[Arena]:
    with Arena(tmp_path, scans, spec=spec_text(cases_per_container=6)) as arena:
        yield arena


@pytest.fixture
def origin(arena: Arena) -> Iterator[str]:
    """The platform's server."""
    with serving(create_app(arena.platform)) as address:
        yield address


def test_a_second_node_tests_with_what_it_fetched_by_digest(
    arena: Arena, origin: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    arena.worker(MOODARENA_SLOTS="toy:cpu")
    submission = arena.submit(all_scripts(), task="pixel")
    arena.until(lambda: arena.submission(submission).state == "test", "the toy runs to end")
    # Both nodes share this machine's engine: the second one finds it as it would find its own.
    engine = Engine(namespace=node_name(arena.settings))
    assert engine.remove_image(str(arena.submission(submission).image_id))
    arena.worker(elsewhere, MOODARENA_SLOTS="test:cpu", MOODARENA_ORIGIN_URL=origin)
    ended = arena.final(submission)
    assert ended.state == "ranked", ended.failure_detail
    scores = arena.rows(Score, submission_id=submission, stage="test")
    assert sorted(score.dataset for score in scores) == ["abdom", "brain"]
    runs = arena.rows(Run, submission_id=submission)
    nodes = {run.stage: str(run.worker).partition("/")[0] for run in runs}
    assert nodes["toy"] == nodes["verify"] != nodes["test"]
    fetched = {path.name for path in (elsewhere / "blobs").glob("*/*")}
    assert fetched == {ended.archive_sha256} | hidden_files(arena, "pixel")
    assert not (elsewhere / "moodarena.db").exists()


def hidden_files(arena: Arena, task: str) -> set[str]:
    """Digests of the images and masks of a task's hidden cases."""
    manifests = [row.manifest for row in arena.rows(DatasetVersion, challenge_id="demo")]
    cases = [case for manifest in manifests for case in manifest.cases_of("test", task)]
    return {file.sha256 for case in cases for file in (case.image, case.mask) if file is not None}


def test_a_node_with_a_wrong_token_gets_nothing_and_the_failure_is_ours(
    arena: Arena, origin: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    arena.worker(
        elsewhere, MOODARENA_ORIGIN_URL=origin, MOODARENA_WORKER_TOKEN="x" * 40, MOODARENA_SLOTS="toy:cpu"
    )
    ended = arena.final(arena.submit(all_scripts()))
    assert (ended.state, ended.failure_code, ended.failure_ours) == ("failed", "platform", True)
    assert "401" in str(ended.failure_detail)
    assert "x" * 40 not in str(ended.failure_detail) + arena.log()
    assert not Storage(elsewhere).has(ended.archive_sha256)
