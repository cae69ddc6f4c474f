from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from challenges.spec import Challenge, load
from datasets import plan
from datasets.anomalies.kinds import SHIPPED
from datasets.seeds import Seeds

SEEDS = Seeds(b"a secret of more than sixteen bytes")
CHALLENGES = Path(__file__).parents[3] / "challenges"


def _changed(challenge: Challenge, **changes: Any) -> Challenge:
    """The challenge with its brain dataset changed."""
    brain = challenge.datasets["brain"].model_copy(update=changes)
    return challenge.model_copy(update={"datasets": challenge.datasets | {"brain": brain}})


def _counted(challenge: Challenge, **test: int) -> Challenge:
    cases = challenge.datasets["brain"].cases.model_copy(update={"test": test})
    return _changed(challenge, cases=cases)


def _load(name: str) -> Challenge:
    """Without strata, for which all people would have to be surveyed."""
    challenge = load(CHALLENGES / name)
    datasets = {
        slug: dataset.model_copy(update={"strata": ()}) for slug, dataset in challenge.datasets.items()
    }
    return challenge.model_copy(update={"datasets": datasets})


def _test_cases(challenge: Challenge) -> list[plan.Planned]:
    return [case for case in plan.cases(challenge, "brain", SEEDS) if case.part == "test"]


@pytest.mark.parametrize("name", ["demo.yaml", "mood.yaml"])
@pytest.mark.parametrize("dataset", ["brain", "abdom"])
def test_each_task_gets_its_count_half_of_it_abnormal(name: str, dataset: str) -> None:
    challenge = _load(name)
    cases = [case for case in plan.cases(challenge, dataset, SEEDS) if case.part == "test"]
    for task, count in challenge.datasets[dataset].cases.test.items():
        labels = [case.label for case in cases if task in case.tasks]
        assert len(labels) == count
        assert sum(label or 0 for label in labels) == (count + 1) // 2


@pytest.mark.parametrize("name", ["demo.yaml", "mood.yaml"])
def test_pixel_cases_are_sample_cases_and_global_kinds_serve_only_the_sample_task(name: str) -> None:
    cases = _test_cases(_load(name))
    for case in cases:
        assert "sample" in case.tasks
        if "pixel" in case.tasks:
            assert case.category != "global"
        if case.category == "global":
            assert case.tasks == ("sample",)


@pytest.mark.parametrize("name", ["demo.yaml", "mood.yaml"])
def test_every_listed_kind_is_used_and_about_equally(name: str) -> None:
    challenge = _load(name)
    used = Counter((case.category, case.kind) for case in _test_cases(challenge) if case.label)
    for category, listed in challenge.datasets["brain"].anomalies.items():
        counts = [used[category, kind] for kind in SHIPPED.chosen(category, "brain", listed)]
        assert min(counts) >= 1
        assert max(counts) - min(counts) <= 1


def test_ids_and_names_of_test_cases_are_opaque_different_and_in_no_telling_order(demo: Challenge) -> None:
    cases = _test_cases(_counted(demo, sample=200, pixel=100))
    assert len({case.id for case in cases} | {case.name.removesuffix(".nii.gz") for case in cases}) == 400
    assert all(set(case.name.removesuffix(".nii.gz")) <= set("0123456789abcdef") for case in cases)
    for order in (cases, sorted(cases, key=lambda case: case.name)):
        first_half = sum(case.label or 0 for case in order[:100])
        assert 35 <= first_half <= 65


def test_another_secret_another_challenge_or_dataset_shares_no_id(demo: Challenge) -> None:
    other_secret = Seeds(b"another secret of enough bytes")
    renamed = demo.model_copy(update={"id": "renamed"})
    plans = [
        plan.cases(demo, "brain", SEEDS),
        plan.cases(demo, "abdom", SEEDS),
        plan.cases(demo, "brain", other_secret),
        plan.cases(renamed, "brain", SEEDS),
    ]
    ids = [case.id for cases in plans for case in cases]
    assert len(ids) == len(set(ids)) == 4 * 32


def test_toys_are_spheres_and_normals_that_serve_all_tasks(demo: Challenge) -> None:
    toys = [case for case in plan.cases(demo, "brain", SEEDS) if case.part == "toy"]
    assert [case.name for case in toys] == [f"toy_{i}.nii.gz" for i in range(4)]
    assert [case.kind for case in toys] == ["sphere", "sphere", "sphere", None]
    assert all(set(case.tasks) == {"sample", "pixel"} for case in toys)


def test_training_cases_are_normal_and_serve_no_task(demo: Challenge) -> None:
    training = [case for case in plan.cases(demo, "brain", SEEDS) if case.part == "training"]
    assert [case.name for case in training][:2] == ["00000.nii.gz", "00001.nii.gz"]
    assert {(case.kind, case.label, case.tasks) for case in training} == {(None, None, ())}


def test_without_global_kinds_the_other_abnormal_cases_are_local(demo: Challenge) -> None:
    cases = _test_cases(_changed(demo, anomalies={"local": ["sphere"]}))
    assert Counter(case.kind for case in cases) == {"sphere": 6, None: 6}
    assert sum("pixel" in case.tasks for case in cases) == 8


def test_a_share_too_small_for_one_case_still_gives_one_of_each_label(demo: Challenge) -> None:
    cases = _test_cases(_changed(_counted(demo, sample=4, pixel=2), abnormal_share=0.01))
    assert Counter(case.label for case in cases) == {1: 1, 0: 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"population": "knee"}, r"datasets\.brain\.population: there is no 'knee'.*abdomen.*brain"),
        (
            {"anomalies": {"local": ["sphere", "pyramid"]}},
            r"anomalies\.local: the local kind 'pyramid' does not exist; choose.*poisson-patch",
        ),
        ({"anomalies": {"local": ["blur"]}}, r"local kind 'blur' does not exist"),
        (
            {"anomalies": {"local": ["sphere"], "global": ["sphere"]}},
            r"global kind 'sphere' does not exist; choose.*blur",
        ),
        ({"anomalies": {"global": ["blur"]}}, r"anomalies\.local lists no kind, but voxel scores need masks"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    demo: Challenge, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(plan.PlanError, match=message):
        plan.check(_changed(demo, **changes))


def test_the_shipped_challenges_pass_the_check() -> None:
    for path in sorted(CHALLENGES.glob("*.yaml")):
        plan.check(load(path))


def test_variants_and_strata_change_who_is_scanned_how_but_not_how_many(demo: Challenge) -> None:
    changed = _changed(_counted(demo, sample=24, pixel=16), variants=("t1", "t2"))
    cases = plan.cases(changed, "brain", SEEDS)
    for part, label in (("training", None), ("test", 0), ("test", 1)):
        used = Counter(case.variant for case in cases if (case.part, case.label) == (part, label))
        assert abs(used["t1"] - used["t2"]) <= 1
    kinds = Counter((case.kind, case.variant) for case in cases if case.label and case.part == "test")
    assert all(abs(kinds[kind, "t1"] - kinds[kind, "t2"]) <= 1 for kind, _ in kinds)


def test_strata_only_exchange_anomalies_among_people_who_serve_the_same_tasks(
    demo: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan.strata, "survey", lambda _, rng, __: {"sex": "female", "fat_mm": rng.random()})
    counted = demo.datasets["abdom"].cases.model_copy(update={"test": {"sample": 24, "pixel": 16}})
    plans = []
    for strata in ((), ("sex", "fat_mm")):
        abdomen = demo.datasets["abdom"].model_copy(update={"cases": counted, "strata": strata})
        changed = demo.model_copy(update={"datasets": {"abdom": abdomen}})
        cases = [case for case in plan.cases(changed, "abdom", SEEDS) if case.part == "test"]
        plans.append(cases)
    plain, stratified = plans
    assert [(case.id, case.tasks, case.label) for case in plain] == [
        (case.id, case.tasks, case.label) for case in stratified
    ]
    for tasks in (("sample", "pixel"), ("sample",)):
        assert Counter((c.kind, c.difficulty) for c in plain if c.tasks == tasks) == Counter(
            (c.kind, c.difficulty) for c in stratified if c.tasks == tasks
        )
    assert [case.kind for case in plain] != [case.kind for case in stratified]


def test_the_word_all_stands_for_every_kind_of_the_population_but_toys(demo: Challenge) -> None:
    changed = _changed(_counted(demo, sample=400, pixel=300), anomalies={"local": ["all"], "global": ["all"]})
    plan.check(changed)
    used = {(case.category, case.kind) for case in _test_cases(changed) if case.label}
    assert {kind for category, kind in used if category == "local"} == set(
        SHIPPED.chosen("local", "brain", ["all"])
    )
    assert ("local", "sphere") not in used
