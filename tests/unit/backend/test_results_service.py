from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import BadInput, Forbidden, NotFound
from backend.intake.planning import LAST
from backend.models.challenge import Challenge
from backend.models.score import Score
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import leaderboard, service
from backend.results.board_export import as_csv
from backend.results.schemas import Board, SubmissionView
from tests.unit.backend.world import NOON, SECRETS, World


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    url = request.getfixturevalue("fresh_postgres_url") if request.param == "postgres" else ""
    with World.open(tmp_path, database_url=url) as world:
        yield world


def view(world: World, submission: Submission, viewer: User) -> SubmissionView:
    with world.read() as session:
        return service.submission_view(
            session, service.find_submission(session, submission.id, viewer), viewer
        )


def board(world: World, task: str = "sample", viewer: User | None = None, challenge: str = "demo") -> Board:
    with world.read() as session:
        row = session.get_one(Challenge, challenge)
        return leaderboard.leaderboard(session, row, task, viewer)


def counted_with_shards(world: World, **values: object) -> tuple[User, Submission]:
    world.challenge(**{key: str(value) for key, value in values.items()})
    ada = world.person("ada")
    submission = world.submission(world.team("Alpha", ada), ada, kind="counted", task="pixel")
    world.moved(submission, "toy", "test")
    return ada, submission


def test_another_team_does_not_learn_that_a_submission_exists(world: World) -> None:
    ada, submission = counted_with_shards(world)
    eve = world.person("eve")
    world.team("Beta", eve)
    assert view(world, submission, ada).id == submission.id
    with world.read() as session:
        with pytest.raises(NotFound) as of_stranger:
            service.find_submission(session, submission.id, eve)
        with pytest.raises(NotFound) as of_nothing:
            service.find_submission(session, "0" * 24, eve)
        with pytest.raises(NotFound):
            service.submission_view(session, session.get_one(Submission, submission.id), eve)
    assert of_stranger.value.message == of_nothing.value.message


def test_hidden_shards_are_told_as_one_run_with_rounded_totals(world: World) -> None:
    ada, submission = counted_with_shards(world)
    world.hidden_shard(submission, 0)
    world.hidden_shard(submission, 1, wall_seconds=5.5, peak_memory=3)
    (run,) = [run for run in view(world, submission, ada).runs if run.stage == "test"]
    assert (run.state, run.shard, run.attempt, run.started_at) == ("done", None, None, None)
    assert run.wall_seconds == 110
    assert run.peak_memory == 128 << 20
    assert run.log is None


def test_totals_of_hidden_shards_are_not_told_while_one_of_them_is_open(world: World) -> None:
    ada, submission = counted_with_shards(world)
    world.hidden_shard(submission, 0)
    world.hidden_shard(submission, 1, state="waiting", wall_seconds=None, peak_memory=None)
    (run,) = [run for run in view(world, submission, ada).runs if run.stage == "test"]
    assert (run.state, run.wall_seconds, run.peak_memory) == ("running", None, None)


def test_nothing_about_hidden_cases_is_in_the_view_of_the_owner(world: World) -> None:
    ada, submission = counted_with_shards(world)
    world.hidden_shard(submission, 0)
    failed = {"failure_code": "wrong_shape", "failure_message": "opaque1.nii.gz: 127 slices written"}
    world.hidden_shard(submission, 1, state="failed", **failed, failure_detail="hidden1brain")
    world.moved(submission, "toy", "test", "failed", cause="wrong_shape")
    world.set(submission, **failed, failure_detail="secret story")
    told = view(world, submission, ada)
    text = told.model_dump_json()
    assert not [secret for secret in SECRETS if secret in text]
    assert told.failure is not None
    assert told.failure.code == "wrong_shape"
    assert "one score for every voxel" in told.failure.message
    assert told.runs[-1].failure_message == told.failure.message


def test_times_after_hidden_cases_were_run_are_rounded_for_the_owner_and_exact_for_organizers(
    world: World,
) -> None:
    world.challenge()
    ada, boss = world.person("ada"), world.person("boss", "organizer")
    submission = world.ranked(world.team("Alpha", ada), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    told = view(world, submission, ada)
    by_before = {move.before: move.at for move in told.transitions}
    assert by_before["toy"] == NOON + 200
    assert by_before["test"] % 10 == 0
    assert by_before["score"] % 10 == 0
    assert told.finished_at is not None
    assert told.finished_at % 10 == 0
    assert view(world, submission, boss).finished_at == NOON + 400


def test_analysis_sets_do_not_exist_for_the_owner_and_organizers_see_how_far_they_are(world: World) -> None:
    world.challenge()
    ada, boss = world.person("ada"), world.person("boss", "organizer")
    submission = world.ranked(world.team("Alpha", ada), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    before = view(world, submission, ada), view(world, submission, boss)
    assert before[1].operator is not None
    assert before[1].operator.analysis is None
    for shard, state in enumerate(("done", "failed", "running", "waiting", "waiting")):
        given = {"shard": shard, "state": state, "wall_seconds": 77.7, "failure_code": "crashed"}
        cases = [{"id": "aloof0", "name": "opaque.nii.gz"}]
        world.run(submission, "analysis", task="sample", dataset="brain", cases=cases, priority=LAST, **given)
    assert view(world, submission, ada) == before[0]
    seen = view(world, submission, boss)
    assert seen.operator is not None
    assert seen.operator.analysis is not None
    assert seen.operator.analysis.model_dump() == {"runs": 5, "done": 1, "failed": 1, "open": 3}
    assert len(seen.operator.runs) == 6
    assert seen.model_copy(update={"operator": None}) == before[1].model_copy(update={"operator": None})
    other = world.submission(world.team("Beta"), boss, kind="counted", task="sample", state="test")
    world.run(other, "test", task="sample", dataset="brain", priority=1)
    assert view(world, other, boss).queue_position == 1


def test_a_toy_failure_is_told_in_full_to_its_owner(world: World) -> None:
    world.challenge()
    ada = world.person("ada")
    submission = world.submission(world.team("Alpha", ada), ada)
    sentence = "toy_2.nii.gz: 127 slices written, 128 expected"
    world.run(
        submission, "toy", state="failed", failure_code="wrong_shape", failure_message=sentence, log="oops"
    )
    world.moved(submission, "toy", "failed")
    world.set(
        submission, failure_code="wrong_shape", failure_message=sentence, failure_detail="operator's story"
    )
    told = view(world, submission, ada)
    assert told.failure is not None
    assert told.failure.message == sentence
    assert told.runs[0].failure_message == sentence
    assert told.runs[0].log == "oops"
    assert "operator's story" not in told.model_dump_json()


def test_organizers_are_told_the_full_story_shard_by_shard(world: World) -> None:
    ada, submission = counted_with_shards(world)
    world.hidden_shard(
        submission, 0, state="failed", failure_code="crashed", failure_detail="exit 139 of hidden0"
    )
    boss = world.person("boss", "organizer")
    assert view(world, submission, ada).operator is None
    story = view(world, submission, boss).operator
    assert story is not None
    assert story.runs[0].failure_detail == "exit 139 of hidden0"
    assert story.runs[0].wall_seconds == 101.01


def test_toy_results_name_cases_outcomes_and_whether_there_are_pictures(world: World) -> None:
    world.challenge()
    ada = world.person("ada")
    submission = world.submission(world.team("Alpha", ada), ada)
    world.toy_results(submission)
    (result,) = view(world, submission, ada).toy
    assert result.average_precision == 0.987654321
    assert result.outcomes == {"scored": 1, "missing": 1}
    assert [(case.name, case.outcome, case.label, case.has_view) for case in result.cases] == [
        ("toy_0.nii.gz", "missing", 0, False),
        ("toy_1.nii.gz", "scored", 1, True),
    ]


def test_own_scores_wait_for_the_reveal_and_are_rounded_then(world: World) -> None:
    after = {"own_score": "after_reveal"}
    world.challenge("past", reveal="2020-10-08T00:00:00Z", **after)
    world.challenge("future", reveal="2999-10-08T00:00:00Z", **after)
    world.challenge("undated", **after)
    ada, boss = world.person("ada"), world.person("boss", "organizer")
    told = {}
    for name in ("past", "future", "undated"):
        team = world.team("Alpha", ada, challenge=name)
        submission = world.ranked(team, ada, "sample", {"brain": 0.123456789, "abdom": 0.5})
        told[name] = view(world, submission, ada)
        assert view(world, submission, boss).scores[0].average_precision == 0.123456789
    assert told["past"].scores[0].average_precision == 0.123
    assert told["past"].scores_withheld is None
    assert told["future"].scores == told["undated"].scores == []
    assert told["future"].scores_withheld == "The scores are published on 08 October 2999, 00:00 UTC."
    assert "0.123" not in told["undated"].model_dump_json()


def test_the_place_in_the_queue_counts_submissions_that_would_be_taken_before(world: World) -> None:
    world.challenge()
    ada = world.person("ada")
    team = world.team("Alpha", ada)
    first, second, third, tested, running = (world.submission(team, ada) for _ in range(5))
    world.run(first, "toy", task="pixel", dataset="brain")
    world.run(first, "toy", task="pixel", dataset="abdom")
    world.run(second, "verify")
    world.run(third, "verify")
    world.run(tested, "test")
    world.run(running, "verify", state="running")
    with world.read() as session:
        places = [service.queue_position(session, row) for row in (first, second, third, tested, running)]
    assert places == [1, 2, 3, 1, None]


def test_lists_hold_the_own_teams_submissions_newest_first_in_pages(world: World) -> None:
    world.challenge()
    world.challenge("other")
    ada, eve, boss = world.person("ada"), world.person("eve"), world.person("boss", "organizer")
    alpha, beta = world.team("Alpha", ada), world.team("Beta", eve)
    mine = [world.submission(alpha, ada, created_at=NOON + n).id for n in range(3)]
    elsewhere = world.submission(world.team("Alpha", ada, challenge="other"), ada).id
    theirs = world.submission(beta, eve).id
    with world.read() as session:
        page = service.list_submissions(session, ada, "demo", limit=2)
        rest = service.list_submissions(session, ada, "demo", limit=2, after=page.next or "")
        assert [item.id for item in page.items] == [mine[2], mine[1]]
        assert [item.id for item in rest.items] == [mine[0]]
        assert rest.next is None
        assert {item.id for item in service.list_submissions(session, ada, None).items} == {*mine, elsewhere}
        with pytest.raises(BadInput):
            service.list_submissions(session, ada, None, after=theirs)
        assert service.list_everything(session, ada).items == []
        assert {item.id for item in service.list_everything(session, boss, "demo").items} == {*mine, theirs}


def test_the_published_sample_table_is_ranked_as_published(world: World) -> None:
    published = {
        "FPI": (0.962, 0.874, 1),
        "Marimont": (0.873, 0.874, 2),
        "Canon": (0.845, 0.871, 3),
        "NUDT": (0.792, 0.876, 4),
        "Tuluptceva": (0.840, 0.861, 5),
        "A1": (0.831, 0.780, 6),
        "Saase": (0.800, 0.770, 7),
        "A2": (0.634, 0.816, 7),
    }
    world.challenge()
    ada = world.person("ada")
    for name, (brain, abdom, _) in sorted(published.items()):
        world.ranked(world.team(name), ada, "sample", {"brain": brain, "abdom": abdom})
    rows = board(world).rows
    assert {row.team: row.place for row in rows} == {name: figures[2] for name, figures in published.items()}
    assert [row.place for row in rows] == sorted(row.place for row in rows)


def test_the_board_ranks_on_full_precision_and_shows_rounded_figures(world: World) -> None:
    world.challenge()
    ada, boss = world.person("ada"), world.person("boss", "organizer")
    world.ranked(world.team("Ahead"), ada, "sample", {"brain": 0.50004, "abdom": 0.50004})
    world.ranked(world.team("Behind", baseline=True), ada, "sample", {"brain": 0.50001, "abdom": 0.50001})
    first, second = board(world).rows
    assert (first.team, first.place, second.team, second.place) == ("Ahead", 1, "Behind", 2)
    assert first.ap == second.ap == first.validation == {"brain": 0.5, "abdom": 0.5}
    assert (first.baseline, second.baseline) == (False, True)
    assert first.outcomes["brain"] == {"scored": 11, "missing": 1}
    assert board(world, viewer=boss).rows[0].ap["brain"] == 0.50004


def test_the_last_scored_submission_counts_even_when_later_ones_failed_or_were_better_before(
    world: World,
) -> None:
    world.challenge()
    ada = world.person("ada")
    team = world.team("Alpha", ada)
    world.ranked(team, ada, "sample", {"brain": 0.9, "abdom": 0.9}, created_at=NOON)
    last = world.ranked(team, ada, "sample", {"brain": 0.4, "abdom": 0.4}, created_at=NOON + 1)
    failed = world.ranked(team, ada, "sample", {"brain": 0.8, "abdom": 0.8}, created_at=NOON + 2)
    world.set(failed, state="failed")
    world.ranked(team, ada, "pixel", {"brain": 0.7, "abdom": 0.7}, created_at=NOON + 3)
    (row,) = board(world).rows
    assert (row.submission, row.ap["brain"]) == (last.id, 0.4)


def test_missing_and_outdated_figures_are_placed_last(world: World) -> None:
    world.challenge()
    ada = world.person("ada")
    world.ranked(world.team("Low"), ada, "sample", {"brain": 0.01, "abdom": 0.01})
    world.ranked(world.team("Half"), ada, "sample", {"brain": 0.9})
    outdated = world.ranked(world.team("Old"), ada, "sample", {"brain": 0.99, "abdom": 0.99})
    with world.write() as session:
        for score in session.query(Score).filter_by(submission_id=outdated.id):
            score.dataset_version = "v0"
    rows = {row.team: row for row in board(world).rows}
    assert rows["Half"].places == {"brain": 1, "abdom": 2}
    assert rows["Half"].ap["abdom"] is None
    assert rows["Old"].places == {"brain": 3, "abdom": 2}
    assert rows["Low"].places == {"brain": 2, "abdom": 1}


def test_a_board_that_is_not_public_is_shown_to_organizers_only(world: World) -> None:
    world.challenge("mine", leaderboard="organizers")
    world.challenge("later", leaderboard="after_reveal", reveal="2999-10-08T00:00:00Z")
    world.challenge("past", leaderboard="after_reveal", reveal="2020-10-08T00:00:00Z")
    ada, boss = world.person("ada"), world.person("boss", "organizer")
    for name in ("mine", "later"):
        for viewer in (None, ada):
            with pytest.raises(Forbidden):
                board(world, viewer=viewer, challenge=name)
        assert board(world, viewer=boss, challenge=name).rows == []
    assert board(world, challenge="past").rows == []
    with pytest.raises(NotFound):
        board(world, task="objects", challenge="past")


def test_the_board_as_csv_disarms_formulas(world: World) -> None:
    world.challenge()
    world.ranked(world.team("=1+1"), world.person("ada"), "sample", {"brain": 0.25, "abdom": None})
    assert as_csv(board(world)).splitlines() == [
        "place,team,ap_brain,place_brain,validation_brain,place_from_brain,place_to_brain,cases_brain,"
        "ap_abdom,place_abdom,validation_abdom,place_from_abdom,place_to_abdom,cases_abdom,"
        "place_from,place_to,mean_place,baseline,ranked",
        "1,'=1+1,0.25,1,0.25,,,11 scored; 1 missing,,1,,,,11 scored; 1 missing,"
        ",,1.0,False,2020-09-13T12:33:30+00:00",
    ]
