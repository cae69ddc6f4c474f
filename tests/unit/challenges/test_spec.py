from pathlib import Path

import pytest

from challenges.spec import ChallengeError, load, parse

CHALLENGES = Path(__file__).parents[3] / "challenges"
DEMO = (CHALLENGES / "demo.yaml").read_text()


def _line_of(text: str) -> int:
    return next(i for i, line in enumerate(DEMO.splitlines(), 1) if text in line)


def _error(old: str, new: str, count: int = 1) -> str:
    """What is said about the demo challenge with `old` replaced by `new`."""
    assert old in DEMO
    with pytest.raises(ChallengeError) as caught:
        parse(DEMO.replace(old, new, count), "demo.yaml")
    return str(caught.value)


def test_the_original_challenge_states_the_published_protocol() -> None:
    mood = load(CHALLENGES / "mood.yaml")
    assert set(mood.tasks) == {"sample", "pixel"}
    assert set(mood.datasets) == {"brain", "abdom"}
    assert mood.tasks["sample"].metric.over == "all_cases"
    pixel = mood.tasks["pixel"].metric
    assert (pixel.over, pixel.batch_size, pixel.arrangements) == ("batches", 20, 2)
    assert {slug: dataset.cases.test for slug, dataset in mood.datasets.items()} == {
        "brain": {"sample": 688, "pixel": 542},
        "abdom": {"sample": 599, "pixel": 358},
    }
    assert [mood.datasets[slug].cases.training for slug in ("brain", "abdom")] == [800, 550]
    assert [mood.datasets[slug].shape for slug in ("brain", "abdom")] == [(256,) * 3, (512,) * 3]
    assert (mood.limits.seconds_per_case, mood.limits.cases_per_container) == (600, 10)
    assert (mood.counted.per_team_and_task, mood.counted.counts) == (10, "last_scored")
    assert mood.dates.opens is not None
    assert mood.dates.opens.isoformat() == "2020-05-01T00:00:00+00:00"


def test_the_demo_is_the_same_protocol_small() -> None:
    demo, mood = load(CHALLENGES / "demo.yaml"), load(CHALLENGES / "mood.yaml")
    assert demo.entry == mood.entry
    assert set(demo.tasks) == set(mood.tasks)
    assert demo.counted == mood.counted
    assert all(dataset.shape == (64, 64, 64) for dataset in demo.datasets.values())
    assert demo.limits.cases_per_container == 4


def test_the_entry_runs_the_original_scripts_on_the_original_mounts() -> None:
    entry = load(CHALLENGES / "mood.yaml").entry
    assert entry.command_for("pixel", "brain") == [
        "sh", "/workspace/run_pixel_brain.sh", "/mnt/data", "/mnt/pred",
    ]  # fmt: skip
    assert entry.case_prediction.format(case="00001.nii.gz") == "00001.nii.gz.txt"
    assert entry.voxel_prediction.format(case="00001.nii.gz") == "00001.nii.gz"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("abnormal_share: 0.5", "abnormal_share: 1.5", "abnormal_share", "less than 1, but it is 1.5"),
        ("seconds_per_case: 600", "seconds_per_case: soon", "seconds_per_case", "'soon'; correct the value"),
        ("on_incomplete: fail", "on_incomplete: shrug", "on_incomplete", "'fail' or 'score', not 'shrug'"),
        (
            "population: brain",
            "populatoin: brain",
            "population: brain",
            "not known here; remove it or correct",
        ),
        ("  opens: null", "  opens: 2020-05-01", "dates:", "needs a time zone"),
        ("clip: [0, 1]", "clip: [0, 2]", "  sample:", "write `clip: [0, 1]`"),
        ("precision: float64", "precision: float16", "  sample:", "write `precision: float64`"),
        ("precision: float16", "precision: float64", "  pixel:", "write `precision: float16`"),
        ("over: all_cases", "over: all_cases\n      batch_size: 4", "metric:", "`over: batches`"),
        ("shape: [64, 64, 64]", "shape: [64, 64]", "shape: [64, 64, 64]", "shape.2"),
        ("training: 16", "training: 0", "training: 16", "greater than or equal to 1, but it is 0"),
        ("pids: 2048", "pids: -1", "pids: 2048", "greater than 0, but it is -1"),
    ],
)
def test_an_error_names_the_file_the_line_and_the_remedy(old: str, new: str, line: str, says: str) -> None:
    message = _error(old, new)
    assert f"demo.yaml, line {_line_of(line)}: " in message
    assert says in message


def test_something_missing_is_said_at_the_line_of_what_lacks_it() -> None:
    message = _error("  per_team_and_hour: 60", "  {}")
    assert f"line {_line_of('toy:')}: toy.per_team_and_hour: is required; add it below this line" in message


def test_all_mistakes_are_reported_at_once() -> None:
    text = DEMO.replace("cpus: 1", "cpus: none").replace("decimals: 3", "decimals: 9")
    with pytest.raises(ChallengeError) as caught:
        parse(text, "demo.yaml")
    first, second = str(caught.value).splitlines()
    assert "limits.cpus" in first
    assert "publication.decimals" in second


def test_a_batch_that_cannot_hold_an_abnormal_case_is_refused() -> None:
    message = _error("abnormal_share: 0.5", "abnormal_share: 0.2")
    assert (
        "datasets.brain: 8 cases with 20% abnormal cannot put one abnormal case into every batch of 4"
        in message
    )
    assert "raise `abnormal_share` or `batch_size`" in message


def test_a_batch_for_each_abnormal_case_is_the_limit_that_is_allowed() -> None:
    challenge = parse(DEMO.replace("abnormal_share: 0.5", "abnormal_share: 0.25"))
    assert challenge.datasets["brain"].abnormal_share == 0.25


@pytest.mark.parametrize("test", ["{sample: 12}", "{sample: 12, pixel: 8, other: 3}"])
def test_the_test_counts_name_exactly_the_tasks(test: str) -> None:
    assert "must name exactly the tasks ['pixel', 'sample']" in _error("{sample: 12, pixel: 8}", test)


@pytest.mark.parametrize("other", ["x", "{other}", "{"])
@pytest.mark.parametrize("field", ["{task}", "{dataset}"])
def test_a_script_must_differ_by_task_and_dataset_and_by_nothing_else(field: str, other: str) -> None:
    assert f"line {_line_of('entry:')}: entry: " in _error(field, other)


@pytest.mark.parametrize("name", ["case_prediction", "voxel_prediction"])
def test_a_prediction_must_be_named_after_its_case(name: str) -> None:
    message = _error(f'{name}: "{{case}}', f'{name}: "prediction')
    assert f"entry.{name} must contain {{case}}, and nothing else in braces" in message


def test_dates_need_a_time_zone_and_an_order() -> None:
    assert "needs a time zone" in _error("opens: null", "opens: 2020-05-01T00:00:00")
    wrong = DEMO.replace("opens: null", "opens: 2020-05-02T00:00:00Z")
    with pytest.raises(ChallengeError, match="`closes` must be later than `opens`"):
        parse(wrong.replace("closes: null", "closes: 2020-05-01T00:00:00Z"))


def test_a_file_that_is_not_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(ChallengeError, match="odd, line 2: not valid YAML"):
        parse("id: demo\n  title: [", "odd")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ChallengeError, match="line 1: a challenge is a mapping"):
        parse(text)


def test_a_key_written_twice_is_refused() -> None:
    assert "title" in _error("title: moodarena demo", "title: one\ntitle: two")


def test_a_challenge_cannot_be_changed_once_read() -> None:
    demo = load(CHALLENGES / "demo.yaml")
    with pytest.raises(ValueError, match="frozen"):
        demo.__setattr__("title", "other")
