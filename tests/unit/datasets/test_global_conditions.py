from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from datasets.anomalies.conditions.ascites import Ascites
from datasets.anomalies.conditions.atrophy import Atrophy
from datasets.anomalies.conditions.distended_bowel import DistendedBowel
from datasets.anomalies.conditions.hemispheric_asymmetry import HemisphericAsymmetry
from datasets.anomalies.conditions.hepatomegaly import Hepatomegaly
from datasets.anomalies.conditions.kinds import KINDS
from datasets.anomalies.conditions.microcephaly import Microcephaly
from datasets.anomalies.conditions.portal_hypertension import PortalHypertension
from datasets.anomalies.conditions.renal_failure import RenalFailure
from datasets.anomalies.conditions.splenomegaly import Splenomegaly
from datasets.anomalies.conditions.ventriculomegaly import Ventriculomegaly
from datasets.anomalies.scene import Kind, Scene
from datasets.populations.subject import Subject
from tests.unit.datasets.conftest import scene


@lru_cache
def _scene(population: str, seed: int) -> Scene:
    return scene(population, seed)


CONDITIONS = {
    Ventriculomegaly(4.0): {"ventricles_mm": 4.0},
    Atrophy(0.8): {"atrophy": 0.8},
    Microcephaly(0.8): {"microcephaly": 0.8},
    HemisphericAsymmetry(-0.1): {"asymmetry": -0.1},
    Hepatomegaly(1.6): {"liver": 1.6},
    Splenomegaly(2.5): {"spleen": 2.5},
    RenalFailure(0.4, 0.3): {"kidneys": 0.4, "ascites": 0.3},
    Ascites(0.6): {"ascites": 0.6},
    DistendedBowel(0.7): {"gas": 0.7},
    PortalHypertension(0.7, 2.0, 0.3): {"liver": 0.7, "spleen": 2.0, "ascites": 0.3},
}


def _with(kind: Kind, population: str) -> tuple[Subject, Subject]:
    """The person before, and with the condition, as the kind draws them."""
    where, drawn = _scene(population, 1), []

    def redraw(condition: Mapping[str, float]) -> Subject:
        assert where.redraw is not None
        drawn.append(where.redraw(condition))
        return drawn[0]

    image = kind.apply(replace(where, redraw=redraw))
    assert image is drawn[0].image
    return where.subject, drawn[0]


def _volume(subject: Subject, name: str) -> float:
    return float(subject.properties[f"{name}_ml"])


def test_every_condition_is_tried_here() -> None:
    assert {type(kind) for kind in CONDITIONS} == set(KINDS)


@pytest.mark.parametrize(("kind", "condition"), CONDITIONS.items(), ids=lambda one: getattr(one, "name", ""))
def test_a_condition_asks_for_the_same_person_with_its_numbers(
    kind: Kind, condition: Mapping[str, float]
) -> None:
    asked = []
    where = _scene(kind.populations[0], 1)

    def redraw(wanted: Mapping[str, float]) -> Subject:
        asked.append(dict(wanted))
        return where.subject

    kind.apply(replace(where, redraw=redraw))
    assert asked == [condition]


@pytest.mark.parametrize("kind", KINDS)
def test_a_condition_of_an_imported_scan_is_refused(kind: type[Kind]) -> None:
    where = _scene(kind.populations[0], 1)
    drawn = kind.draw(np.random.default_rng(0), where, "hard")
    with pytest.raises(ValueError, match="not imported scans"):
        drawn.apply(Scene(where.subject))


def test_enlarged_ventricles_are_larger_and_the_brain_is_not() -> None:
    before, after = _with(Ventriculomegaly(4.0), "brain")
    assert _volume(after, "ventricles") > 1.7 * _volume(before, "ventricles")
    assert _volume(after, "brain") == pytest.approx(_volume(before, "brain"), rel=0.01)


def test_an_atrophic_brain_has_more_fluid_outside_and_inside() -> None:
    before, after = _with(Atrophy(1.0), "brain")
    assert float(after.properties["csf_fraction"]) > 1.3 * float(before.properties["csf_fraction"])
    assert _volume(after, "ventricles") > 1.4 * _volume(before, "ventricles")


def test_the_volume_of_a_small_brain_is_the_cube_of_its_scale() -> None:
    before, after = _with(Microcephaly(0.8), "brain")
    assert _volume(after, "brain") == pytest.approx(0.8**3 * _volume(before, "brain"), rel=0.05)


@pytest.mark.parametrize("share", [0.15, -0.15])
def test_the_half_that_an_asymmetry_names_is_bigger_and_the_other_is_not(share: float) -> None:
    before, after = _with(HemisphericAsymmetry(share), "brain")
    middle = before.foreground.shape[0] // 2
    left, right = (
        after.foreground[half].sum() / before.foreground[half].sum()
        for half in (slice(0, middle), slice(middle, None))
    )
    grown, other = (right, left) if share > 0 else (left, right)
    assert grown > 1.1
    assert other == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "organ", "times"),
    [
        (Hepatomegaly(1.5), "liver", 1.5),
        (Splenomegaly(2.5), "spleen", 2.5),
        (RenalFailure(0.4, 0.0), "kidneys", 0.4),
        (PortalHypertension(0.7, 2.0, 0.0), "liver", 0.7),
        (PortalHypertension(0.7, 2.0, 0.0), "spleen", 2.0),
    ],
)
def test_an_organ_has_about_the_stated_multiple_of_its_volume(kind: Kind, organ: str, times: float) -> None:
    before, after = _with(kind, "abdomen")
    assert _volume(after, organ) == pytest.approx(times * _volume(before, organ), rel=0.25)


def test_fluid_widens_the_belly_and_lies_in_it() -> None:
    before, after = _with(Ascites(0.8), "abdomen")
    assert after.foreground.sum() > 1.02 * before.foreground.sum()
    where = _scene("abdomen", 1)
    assert not where.tissue("ascites").any()
    assert replace(where, subject=after).tissue("ascites").sum() > 0.003 * after.foreground.sum()


def test_distended_bowel_holds_more_gas() -> None:
    before, after = _with(DistendedBowel(0.8), "abdomen")
    assert _volume(after, "colon_gas") > 1.4 * _volume(before, "colon_gas")
    assert _volume(after, "small_bowel") > 1.2 * _volume(before, "small_bowel")
