"""What follows what, and how cases are cut into shards."""

import numpy as np
import pytest
from sqlalchemy import select

from backend.models.run import Outbox, Run
from backend.models.submission import FINAL_STATES, Submission, Transition
from tests.unit.backend.world import World
from worker import stages

SCRIPTS = {f"{task}_{data}": f"/workspace/run_{task}_{data}.sh" for task in ("sample", "pixel") for data in ("brain", "abdom")}  # fmt: skip  # noqa: E501


def handed_in(world: World, state: str, scripts: list[str] | None = None, **values: object) -> Submission:
    world.challenge(cases_per_container="3")
    user = world.person("anna")
    given = {"kind": "counted", "task": "sample", "scripts": list(SCRIPTS.values()), **values}
    if scripts is not None:
        given["scripts"] = scripts
    return world.submission(world.team("blue", user), user, state=state, **given)


def advanced(world: World, submission: Submission, seed: int = 0) -> list[Run]:
    """The runs that there are after `advance`, those before left out."""
    before = {run.id for run in runs_of(world, submission)}
    with world.write() as session:
        stages.advance(session, session.get_one(Submission, submission.id), np.random.default_rng(seed))
    return [run for run in runs_of(world, submission) if run.id not in before]


def runs_of(world: World, submission: Submission) -> list[Run]:
    with world.read() as session:
        return list(session.scalars(select(Run).filter_by(submission_id=submission.id).order_by(Run.id)))


def state_of(world: World, submission: Submission) -> str:
    with world.read() as session:
        return session.get_one(Submission, submission.id).state


def finish(world: World, runs: list[Run]) -> None:
    for run in runs:
        world.set(run, state="done")


def test_a_counted_submission_is_tried_on_toys_then_tested_on_all_datasets_then_scored_and_ranked(
    world: World,
) -> None:
    submission = handed_in(world, "verify")
    lanes = {}
    for stage in ("toy", "test", "score"):
        runs = advanced(world, submission)
        assert state_of(world, submission) == stage
        assert {run.stage for run in runs} == {stage}
        lanes[stage] = {run.lane for run in runs}
        if stage != "score":
            assert {(run.task, run.dataset) for run in runs} == {("sample", "brain"), ("sample", "abdom")}
        finish(world, runs)
    assert lanes == {"toy": {"toy"}, "test": {"test"}, "score": {"toy"}}
    assert advanced(world, submission) == []
    assert state_of(world, submission) == "ranked"


def test_a_toy_submission_is_run_for_the_scripts_that_it_brings_and_sees_no_hidden_case(
    world: World,
) -> None:
    brought = [SCRIPTS["sample_abdom"], SCRIPTS["pixel_brain"]]
    submission = handed_in(world, "verify", brought, kind="toy", task=None)
    toys = advanced(world, submission)
    assert {(run.task, run.dataset) for run in toys} == {("sample", "abdom"), ("pixel", "brain")}
    assert {item["name"] for run in toys for item in run.cases} == {"toy_0.nii.gz", "toy_1.nii.gz"}
    finish(world, toys)
    assert [run.stage for run in advanced(world, submission)] == ["score"]
    finish(world, runs_of(world, submission))
    advanced(world, submission)
    assert state_of(world, submission) == "finished"
    assert not any(run.stage == "test" for run in runs_of(world, submission))


def test_hidden_cases_are_shuffled_under_names_that_say_nothing_and_each_comes_once(world: World) -> None:
    orders, all_names = [], []
    for seed in range(12):
        submission = (
            handed_in(world, "toy")
            if not seed
            else world.submission(world.team(f"t{seed}", world.person(f"p{seed}")), world.person(f"q{seed}"),
                                  kind="counted", task="sample", state="toy", scripts=list(SCRIPTS.values()))
        )  # fmt: skip
        runs = [run for run in advanced(world, submission, seed) if run.dataset == "brain"]
        assert [len(run.cases) for run in runs] == [3, 1]
        items = [item for run in runs for item in run.cases]
        assert sorted(item["id"] for item in items) == [f"hidden{number}brain" for number in range(4)]
        orders.append(tuple(item["id"] for item in items))
        all_names += [item["name"] for item in items]
    assert len(set(orders)) > 4
    assert len(set(all_names)) == len(all_names)
    assert all(name.endswith(".nii.gz") and len(name) == 16 + 7 for name in all_names)
    assert not any(word in name for name in all_names for word in ("hidden", "secret", "brain", "toy"))


def test_a_stage_waits_for_all_of_its_runs(world: World) -> None:
    submission = handed_in(world, "toy")
    tests = advanced(world, submission)
    finish(world, tests[:-1])
    assert advanced(world, submission) == []
    assert state_of(world, submission) == "test"


@pytest.mark.parametrize("final", FINAL_STATES)
def test_nothing_follows_a_final_state(world: World, final: str) -> None:
    submission = handed_in(world, final)
    assert advanced(world, submission) == []
    assert state_of(world, submission) == final


def test_every_transition_is_recorded_with_time_and_cause_and_wakes_the_lane(world: World) -> None:
    submission = handed_in(world, "verify")
    while state_of(world, submission) != "ranked":
        finish(world, advanced(world, submission))
    with world.read() as session:
        moves = session.scalars(select(Transition).order_by(Transition.id)).all()
        lanes = session.scalars(select(Outbox.lane).order_by(Outbox.id)).all()
        ended = session.get_one(Submission, submission.id).finished_at
    assert [(move.before, move.after, move.cause) for move in moves] == [
        ("", "verify", "submitted"),
        ("verify", "toy", "verify done"),
        ("toy", "test", "toy done"),
        ("test", "score", "test done"),
        ("score", "ranked", "scored"),
    ]
    assert [move.created_at for move in moves] == sorted(move.created_at for move in moves)
    assert ended is not None
    assert abs(ended - moves[-1].created_at) < 5
    assert lanes == ["toy", "test", "toy"]


def test_runs_are_made_from_the_current_version_of_a_dataset(world: World) -> None:
    submission = handed_in(world, "verify")
    assert {run.dataset_version for run in advanced(world, submission)} == {"v1"}
