from collections.abc import Sequence

import pytest

from backend.results.forecast import Estimate, History, Job, Key, Piece, estimates

MINUTE = 60.0
TOY: Key = ("demo", "toy", "pixel", "brain")
TEST: Key = ("demo", "test", "pixel", "brain")
SCORE: Key = ("demo", "score", "", "")
ALIKE = History({TOY: [10 * MINUTE] * 5, TEST: [30 * MINUTE] * 5, SCORE: [MINUTE] * 5})


def toy(elapsed: float | None = None, priority: int = 0) -> Piece:
    return Piece(TOY, "toy", priority, elapsed)


def hidden() -> Piece:
    return Piece(TEST, "test", 1)


def likely(jobs: Sequence[Job], history: History = ALIKE, **slots: int) -> dict[str, int]:
    found = estimates(jobs, {"toy": 1, "test": 1} | slots, history)
    assert all(one.low <= one.likely <= one.high for one in found.values())
    return {name: one.likely for name, one in found.items()}


def test_alone_a_submission_takes_what_its_stages_took_before() -> None:
    job = Job("mine", [[toy()], [hidden(), hidden()], [Piece(SCORE, "toy")]])
    assert likely([job]) == {"mine": 71}
    assert likely([job], test=2) == {"mine": 41}


def test_who_comes_later_waits_for_those_before() -> None:
    jobs = [Job(name, [[toy()]]) for name in "abc"]
    assert likely(jobs) == {"a": 10, "b": 20, "c": 30}
    assert likely(jobs, toy=2) == {"a": 10, "b": 10, "c": 20}


def test_a_lower_priority_waits_for_all_others() -> None:
    assert likely([Job("last", [[toy(priority=1)]]), Job("first", [[toy()]])]) == {"first": 10, "last": 20}


def test_a_later_stage_queues_behind_what_waits_by_then() -> None:
    jobs = [Job("a", [[toy()], [toy()]]), Job("b", [[toy()]])]
    assert likely(jobs) == {"b": 20, "a": 30}


def test_what_runs_has_only_its_rest_before_it_and_what_takes_longer_than_ever_goes_on_for_a_while() -> None:
    assert likely([Job("runs", [[toy(7 * MINUTE)]]), Job("waits", [[toy()]])]) == {"runs": 3, "waits": 13}
    assert likely([Job("runs", [[toy(20 * MINUTE)]])]) == {"runs": 5}


def test_of_a_hidden_stage_only_the_time_since_its_beginning_counts() -> None:
    shards = [hidden(), hidden(), hidden()]
    assert likely([Job("mine", [shards], credit=30 * MINUTE)]) == {"mine": 60}
    assert likely([Job("mine", [shards], credit=400 * MINUTE)]) == {"mine": 100}


def test_without_past_runs_of_the_challenge_or_without_a_slot_nothing_is_said() -> None:
    elsewhere = Piece(("other", "toy", "pixel", "brain"), "toy")
    assert likely([Job("mine", [[elsewhere]])]) == {}
    assert likely([Job("mine", [[toy()]])], History({})) == {}
    assert estimates([Job("mine", [[toy()]])], {"test": 1}, ALIKE) == {}
    # Somebody else's challenge is only ahead in the queue, and taken to be like others.
    assert likely([Job("other", [[elsewhere]]), Job("mine", [[toy()]])]) == {"mine": 20}


def test_another_dataset_or_task_stands_in_for_one_that_never_ran() -> None:
    new = Piece(("demo", "toy", "sample", "abdom"), "toy")
    assert likely([Job("mine", [[new]])]) == {"mine": 10}


def test_the_range_is_that_of_past_runs_and_wide_for_few_of_them() -> None:
    spread = History({TOY: [minutes * MINUTE for minutes in range(1, 11)]})
    assert estimates([Job("mine", [[toy()]])], {"toy": 1}, spread) == {"mine": Estimate(2, 6, 10)}
    one = History({TOY: [10 * MINUTE]})
    assert estimates([Job("mine", [[toy()]])], {"toy": 1}, one) == {"mine": Estimate(5, 10, 20)}


def test_figures_are_whole_minutes_rounded_up() -> None:
    quick = History({TOY: [61.0] * 5})
    assert estimates([Job("mine", [[toy()]])], {"toy": 1}, quick) == {"mine": Estimate(2, 2, 2)}
    assert estimates([Job("over", [[]])], {"toy": 1}, quick) == {"over": Estimate(1, 1, 1)}


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(12, 12, 13), "about 12 min"),
        (Estimate(10, 14, 25), "between 10 and 25 min"),
        (Estimate(90, 150, 300), "between 90 min and 5 h"),
        (Estimate(170, 180, 190), "about 3 h"),
        (Estimate(1, 1, 1), "about 1 min"),
    ],
)
def test_an_estimate_is_said_in_words(estimate: Estimate, text: str) -> None:
    assert estimate.text == text
