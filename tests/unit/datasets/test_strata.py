from collections import Counter
from itertools import product

import numpy as np
import pytest

from challenges.spec import Challenge
from datasets import strata
from datasets.strata import combinations, ordered, spread
from tests.unit.datasets.conftest import small

LEVELS = ("easy", "medium", "hard")


@pytest.mark.parametrize("variants", [("t1", "t2"), ("a", "b", "c"), ("a", "b", "c", "d")])
@pytest.mark.parametrize("kinds", [1, 4, 7])
def test_every_kind_comes_in_every_difficulty_of_every_variant(variants: tuple[str, ...], kinds: int) -> None:
    whole = kinds * len(LEVELS) * len(variants)
    found = Counter(combinations(index, kinds, LEVELS, variants) for index in range(whole))
    assert found == Counter(product(range(kinds), LEVELS, variants))


@pytest.mark.parametrize("count", [5, 11, 40, 71])
def test_with_any_number_of_cases_kinds_and_their_difficulties_differ_by_one_at_most(count: int) -> None:
    found = [combinations(index, 7, LEVELS, ()) for index in range(count)]
    kinds = Counter(kind for kind, _, _ in found)
    assert max(kinds.values()) - min(kinds[kind] for kind in range(min(7, count))) <= 1
    for kind in kinds:
        levels = Counter(level for other, level, _ in found if other == kind)
        assert max(levels.values()) - min(levels[level] for level in LEVELS) <= 1


def test_each_stretch_of_people_gets_every_kind_once() -> None:
    rng = np.random.default_rng(0)
    people = [{"age": float(age)} for age in rng.permutation(40)]
    kinds = [f"kind-{i % 8}" for i in range(40)]
    given = spread(people, kinds, ["age"], rng)
    assert sorted(given) == list(range(40))
    by_age = sorted(zip(given, kinds, strict=True), key=lambda pair: people[pair[0]]["age"])
    for first in range(0, 40, 8):
        assert len({kind for _, kind in by_age[first : first + 8]}) == 8


def test_no_kind_is_always_the_first_of_its_stretch() -> None:
    people = [{"age": float(age)} for age in range(400)]
    kinds = [f"kind-{i % 4}" for i in range(400)]
    given = spread(people, kinds, ["age"], np.random.default_rng(1))
    first = Counter(kind for person, kind in zip(given, kinds, strict=True) if person % 4 == 0)
    assert min(first.values()) >= 10


def test_people_are_ordered_by_words_then_halves_then_the_last_number() -> None:
    people = [
        {"sex": "male", "age": 70, "fat": 3.0},
        {"sex": "female", "age": 30, "fat": 9.0},
        {"sex": "female", "age": 60, "fat": 1.0},
        {"sex": "female", "age": 35, "fat": 2.0},
        {"sex": "male", "age": 75, "fat": 1.0},
    ]
    assert ordered(people, ["sex", "age", "fat"]) == [3, 1, 2, 4, 0]
    assert ordered(people, []) == [0, 1, 2, 3, 4]


def test_a_property_that_nobody_has_is_refused_with_those_that_people_have() -> None:
    with pytest.raises(strata.StrataError, match=r"no property 'height'.*choose from \['age'\]"):
        ordered([{"age": 1.0}], ["height"])


def test_a_survey_tells_of_the_person_that_will_be_drawn(demo: Challenge) -> None:
    dataset = small(demo, 24).datasets["abdom"]
    told = strata.survey(dataset, np.random.default_rng(3), "prone")
    drawn = strata.POPULATIONS["abdomen"].draw(
        np.random.default_rng(3), dataset.shape, dataset.spacing_mm, variant="prone"
    )
    for name in ("age", "sex", "fat_mm", "position"):
        assert told[name] == drawn.properties[name]
