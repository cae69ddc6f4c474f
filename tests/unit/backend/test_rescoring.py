"""A new scoring version: figures for everything from what is stored, and nothing of the old ones touched."""

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from backend.db import Database
from backend.errors import BadInput, Conflict
from backend.intake import operations
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.score import CaseResult, Score
from backend.models.scoring import ScoringVersion
from backend.models.submission import Submission
from backend.models.team import Membership
from backend.models.user import User
from backend.results import rescoring, service, versions
from backend.results.drafts import Change, draft
from challenges import spec
from tests.unit.backend.evaluated import evaluated, ranked
from tests.unit.backend.world import ROOT, World


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    url = request.getfixturevalue("fresh_postgres_url") if request.param == "postgres" else ""
    with World.open(tmp_path, database_url=url) as world:
        world.challenge(missing="zero")
        yield world


@pytest.fixture
def ada(world: World) -> User:
    return world.person("ada")


def drafted(world: World, change: Change, reason: str = "why not") -> ScoringVersion:
    with world.read() as session:
        return draft(session, session.get_one(Challenge, "demo"), change, reason, "boss")


def rescored(world: World, **change: Any) -> rescoring.Rescored:
    return rescoring.add_version(world.platform.database, drafted(world, Change(**change)))


def everything_stored(world: World) -> list[tuple[Any, ...]]:
    with world.read() as session:
        return [tuple(row) for row in session.execute(text("SELECT * FROM score ORDER BY id"))]


def figures_under(world: World, number: int, submission: Submission) -> dict[str, Score]:
    with world.read() as session:
        version = versions.numbered(session, "demo", number)
        query = select(Score).where(
            Score.scoring_version_id == version.id, Score.submission_id == submission.id
        )
        return {score.dataset: score for score in session.scalars(query)}


def test_a_new_policy_scores_everything_anew_and_leaves_every_old_row_as_it_is(
    world: World, ada: User
) -> None:
    whole, holed = ranked(world, "Whole", ada), ranked(world, "Holed", ada, skill=0.9, absent=[0])
    sample = ranked(world, "Numbers", ada, task="sample", absent=[2])
    before = everything_stored(world)
    done = rescored(world, missing="worst")
    assert (done.version.number, done.submissions) == (2, 3)
    assert done.seconds > 0
    assert everything_stored(world)[: len(before)] == before
    assert len(everything_stored(world)) == 2 * len(before)
    for submission in (holed, sample):
        old, new = figures_under(world, 1, submission), figures_under(world, 2, submission)
        assert old["brain"].average_precision > new["brain"].average_precision
        assert old["brain"].outcomes == new["brain"].outcomes
        assert old["brain"].run_id == new["brain"].run_id
    old, new = figures_under(world, 1, whole), figures_under(world, 2, whole)
    assert old["abdom"].average_precision == new["abdom"].average_precision


def test_reject_makes_no_figure_where_a_case_is_absent(world: World, ada: User) -> None:
    whole, holed = ranked(world, "Whole", ada), ranked(world, "Holed", ada, absent=[3])
    rescored(world, missing="reject", tasks=["pixel"])
    assert figures_under(world, 2, whole)["brain"].average_precision is not None
    figure = figures_under(world, 2, holed)["brain"]
    assert figure.average_precision is None
    assert str(figure.undefined_because).startswith("1 case has no usable prediction")


def test_batches_are_drawn_from_the_seed_and_used(world: World, ada: User) -> None:
    row = ranked(world, "Whole", ada, skill=0.2)
    first = rescored(world, tasks=["pixel"], batch_size=2, arrangement_seed=7).version
    again = rescored(world, tasks=["pixel"], batch_size=2, arrangement_seed=7).version
    other = [rescored(world, batch_size=2, arrangement_seed=seed).version for seed in range(4)]
    assert first.arrangements == again.arrangements
    assert any(version.arrangements != first.arrangements for version in other)
    assert first.arrangement_seed == 7
    for dataset, of_tasks in (first.arrangements or {}).items():
        ranking, validation = of_tasks["pixel"]
        assert {frozenset(batch) for batch in ranking} != {frozenset(batch) for batch in validation}
        for batch in (*ranking, *validation):
            assert sum(case in (f"hidden1{dataset}", f"hidden3{dataset}") for case in batch) == 1
    figure = figures_under(world, first.number, row)["brain"]
    assert figure.average_precision != figures_under(world, 1, row)["brain"].average_precision
    assert figure.average_precision != figure.validation


def test_batches_stay_when_only_the_policy_changes_and_go_back_to_those_of_the_dataset(
    world: World, ada: User
) -> None:
    ranked(world, "Whole", ada)
    first = rescored(world, batch_size=2, arrangement_seed=7).version
    with world.write() as session:
        versions.make_current(session, versions.numbered(session, "demo", first.number))
    kept = rescored(world, missing="worst").version
    assert (kept.arrangements, kept.arrangement_seed) == (first.arrangements, 7)
    back = rescored(world, batch_size=4).version
    assert (back.arrangements, back.arrangement_seed) == (None, None)


def test_cases_of_another_version_of_a_dataset_are_dealt_by_the_same_seed(world: World, ada: User) -> None:
    rescored(world, batch_size=2, arrangement_seed=3)
    with world.write() as session:
        row = session.scalars(select(DatasetVersion).where(DatasetVersion.name == "brain")).one()
        moved = row.manifest_text.replace("hidden0brain", "newer0brain").replace('"v1"', '"v2"')
        row.current = False
        session.add(
            DatasetVersion(challenge_id="demo", name="brain", version="v2", manifest_text=moved, current=True)
        )
    submission, run = evaluated(world, "Late", ada)
    with world.write() as session:
        session.execute(text("UPDATE run SET dataset_version = 'v2' WHERE dataset = 'brain'"))
        session.execute(
            update(CaseResult).where(CaseResult.case_id == "hidden0brain").values(case_id="newer0brain")
        )
        found = session.get_one(Submission, submission.id)
        scores = rescoring.score_under_all(session, found, run.id, [])
        assert len(scores) == 4
        assert all(score.average_precision is not None for score in scores)
        session.add_all(scores)


def test_a_submission_that_is_scored_later_gets_figures_under_every_version(world: World, ada: User) -> None:
    rescored(world, missing="worst")
    rescored(world, missing="reject")
    late = ranked(world, "Late", ada, absent=[0])
    found = [figures_under(world, number, late)["brain"].average_precision for number in (1, 2, 3)]
    assert found[0] > found[1]
    assert found[2] is None


def test_a_submission_that_was_run_again_meanwhile_is_left_to_its_scoring_run(
    world: World, ada: User
) -> None:
    rows = [ranked(world, "Alpha", ada), ranked(world, "Beta", ada)]
    archive = next(iter(world.platform.storage.blobs.glob("*/*"))).name
    world.set(rows[0], archive_sha256=archive)

    def meanwhile(done: int, total: int) -> None:
        if done == total:
            with world.write() as session:
                operations.rerun(session, world.platform.storage, rows[0].id, "boss")

    change = drafted(world, Change(missing="worst"))
    assert rescoring.add_version(world.platform.database, change, meanwhile).submissions == 1
    assert figures_under(world, 2, rows[0]) == {}
    assert figures_under(world, 2, rows[1]).keys() == {"brain", "abdom"}


def test_a_failure_in_the_middle_leaves_nothing_and_the_command_can_be_repeated(
    world: World, ada: User
) -> None:
    for name in ("Alpha", "Beta"):
        ranked(world, name, ada)
    before = everything_stored(world)
    inserted = []

    def fail(mapper: Any, connection: Any, score: Score) -> None:
        inserted.append(score)
        if len(inserted) == 3:
            raise OSError("the disk is full")

    event.listen(Score, "before_insert", fail)
    try:
        with pytest.raises(OSError, match="disk"):
            rescored(world, missing="worst")
    finally:
        event.remove(Score, "before_insert", fail)
    assert everything_stored(world) == before
    with world.read() as session:
        assert session.scalar(select(func.count(ScoringVersion.id))) == 1
    assert rescored(world, missing="worst").version.number == 2


def die_while_rescoring(url: str) -> None:
    """What a process does that is killed with the new version half written."""
    database = Database(url)

    def die(*arguments: Any) -> None:
        os._exit(9)

    with database.read() as session:
        challenge = session.get_one(Challenge, "demo")
        change = draft(session, challenge, Change(missing="worst"), "why not", "boss")
    event.listen(Score, "after_insert", die)
    rescoring.add_version(database, change)


def test_a_process_killed_in_the_middle_leaves_nothing(world: World, ada: User) -> None:
    ranked(world, "Alpha", ada)
    before = everything_stored(world)
    arguments = (world.platform.settings.database,)
    process = multiprocessing.get_context("spawn").Process(target=die_while_rescoring, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 9
    assert everything_stored(world) == before
    with world.read() as session:
        assert [version.number for version in versions.everything(session, "demo")] == [1]
    assert rescored(world, missing="worst").submissions == 1


def test_results_that_do_not_suffice_are_named_with_the_remedy(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    with world.write() as session:
        session.execute(
            text("DELETE FROM case_result WHERE case_id = 'hidden2brain' AND submission_id = :id"),
            {"id": row.id},
        )
    with pytest.raises(Conflict, match=f"submissions rerun {row.id}"):
        rescored(world, missing="worst")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tasks": ["voxel"]}, "no task voxel"),
        ({"tasks": ["sample"], "batch_size": 2}, "no batches"),
        ({"tasks": ["sample"], "arrangement_seed": 2}, "no batches"),
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"batch_size": 3, "arrangements": 2}, "brain: "),
    ],
)
def test_rules_that_cannot_be_are_refused_with_the_reason(
    world: World, change: dict[str, Any], told: str
) -> None:
    if change.get("batch_size") == 3:
        only_one_abnormal_case(world)
    with pytest.raises(BadInput, match=told):
        drafted(world, Change(**change))


def only_one_abnormal_case(world: World) -> None:
    with world.write() as session:
        row = session.scalars(select(DatasetVersion).where(DatasetVersion.name == "brain")).one()
        manifest = row.manifest
        cases = [
            case.model_copy(update={"label": 0}) if case.id == "hidden3brain" else case
            for case in manifest.cases
        ]
        row.manifest_text = manifest.model_copy(update={"cases": tuple(cases)}).model_dump_json()


def test_a_version_needs_a_reason(world: World) -> None:
    with pytest.raises(BadInput, match="--reason"):
        drafted(world, Change(missing="worst"), reason=" ")


def test_rules_may_come_from_another_yaml(world: World, ada: User) -> None:
    row = ranked(world, "Alpha", ada)
    rules = versions.policy_of(spec.load(ROOT / "challenges" / "mood.yaml"))
    rules["pixel"] = {"missing": "reject", "metric": {"name": "average_precision", "over": "all_cases"}}
    made = rescored(world, rules=rules, tasks=["pixel"]).version
    assert made.policy["pixel"]["missing"] == "reject"
    assert made.policy["sample"] == versions.policy_of(spec.load(ROOT / "challenges/demo.yaml"))["sample"] | {
        "missing": "zero"
    }
    # The world's only batch holds all cases, and a metric over all cases validates nothing.
    old, new = figures_under(world, 1, row)["brain"], figures_under(world, 2, row)["brain"]
    assert new.average_precision == pytest.approx(old.average_precision, abs=1e-12)
    assert (old.validation is None, new.validation) == (False, None)


def test_a_team_is_told_what_absent_cases_scored_under_the_public_version(world: World, ada: User) -> None:
    row = ranked(world, "Holed", ada, absent=[0, 1])
    world.add(Membership(team_id=row.team_id, user_id=ada.id, challenge_id="demo"))
    rescored(world, missing="worst")

    def told() -> list[str | None]:
        with world.read() as session:
            submission = service.find_submission(session, row.id, ada)
            return [score.note for score in service.submission_view(session, submission, ada).scores]

    assert told() == ["2 of 4 cases have no usable prediction; each scores 0."] * 2
    with world.write() as session:
        versions.make_current(session, versions.numbered(session, "demo", 2))
    assert [str(note).partition("; ")[2][:30] for note in told()] == ["each scores as badly as possib"] * 2
