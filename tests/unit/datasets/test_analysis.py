from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from challenges.spec import Analysis, Challenge, ContrastSeries, EqualCounts, Proxy, SizeSeries, load
from datasets import plan, volume
from datasets.anomalies.kinds import SHIPPED
from datasets.build import build
from datasets.planned import Planned
from datasets.seeds import Seeds
from tests.unit.datasets.conftest import CHALLENGES, SECRET, Built, small

TINY = Analysis(
    proxy=Proxy(abnormal=2, normal=1),
    size_series=SizeSeries(radius=6, steps=4),
    contrast_series=ContrastSeries(radius=4, step=0.5),
    equal_counts=EqualCounts(per_kind=1),
)


def _sets(challenge: Challenge, slug: str) -> dict[str, list[Planned]]:
    sets: dict[str, list[Planned]] = {}
    for case in plan.cases(challenge, slug, Seeds(SECRET)):
        if case.part == "analysis":
            sets.setdefault(str(case.analysis), []).append(case)
    return sets


def _unstratified(name: str) -> Challenge:
    challenge = load(CHALLENGES / name)
    datasets = {
        slug: dataset.model_copy(update={"strata": ()}) for slug, dataset in challenge.datasets.items()
    }
    return challenge.model_copy(update={"datasets": datasets})


def test_the_original_challenge_has_the_sets_of_the_thesis() -> None:
    mood = _unstratified("mood.yaml")
    for slug, reach in (("brain", 80), ("abdom", 160)):
        sets = _sets(mood, slug)
        assert list(sets) == ["proxy", "size-series", "contrast-series", "equal-counts"]
        assert Counter(case.kind for case in sets["proxy"]) == {"sphere": 50, "cube": 50, None: 100}
        radii = [case.ball.radius for case in sets["size-series"] if case.ball]
        assert (radii[0], radii[-1]) == (0, reach)
        assert radii == sorted(set(radii))
        values = [case.ball.intensity for case in sets["contrast-series"] if case.ball]
        assert values == pytest.approx(np.arange(21) * 0.05)


def test_equal_counts_have_every_kind_and_difficulty_equally_often_and_half_normal_cases() -> None:
    challenge = _unstratified("demo-data.yaml")
    for slug, dataset in challenge.datasets.items():
        cases = _sets(challenge, slug)["equal-counts"]
        assert sum(case.label or 0 for case in cases) * 2 == len(cases)
        found = Counter((case.category, case.kind, case.difficulty) for case in cases if case.label)
        assert set(found.values()) == {1}
        for category in ("local", "global"):
            listed = SHIPPED.chosen(category, dataset.population, ["all"])
            for difficulty in ("easy", "medium", "hard"):
                assert {kind for c, kind, d in found if (c, d) == (category, difficulty)} == set(listed)


def test_only_series_show_a_person_more_than_once() -> None:
    challenge = _unstratified("demo-data.yaml")
    cases = plan.cases(challenge, "brain", Seeds(SECRET))
    persons = Counter(case.whose for case in cases)
    repeated = {case.analysis for case in cases if persons[case.whose] > 1}
    assert repeated == {"size-series", "contrast-series"}
    assert len({case.id for case in cases}) == len({case.name for case in cases}) == len(cases)


def test_global_kinds_serve_no_voxel_task_and_names_are_opaque() -> None:
    for cases in _sets(_unstratified("demo-data.yaml"), "abdom").values():
        for case in cases:
            assert ("pixel" in case.tasks) == (case.category != "global")
            assert set(case.name.removesuffix(".nii.gz")) <= set("0123456789abcdef")


@pytest.fixture(scope="module")
def analysed(demo: Challenge, tmp_path_factory: pytest.TempPathFactory) -> Built:
    dataset = small(demo).datasets["abdom"]
    counts = dataset.cases.model_copy(
        update={"test": {"sample": 2, "pixel": 2}, "training": 1, "toy_abnormal": 1}
    )
    kinds = {"local": ["textured-lesion"], "global": ["blur"]}
    changed = dataset.model_copy(update={"analysis": TINY, "cases": counts, "anomalies": kinds})
    challenge = demo.model_copy(update={"datasets": {"abdom": changed}})
    out = tmp_path_factory.mktemp("analysed")
    return Built(challenge, out, build(challenge, SECRET, out))


def test_the_manifest_has_the_sets_and_their_files_lie_apart(analysed: Built) -> None:
    described = analysed.manifests["abdom"]
    sizes = {name: len(cases) for name, cases in described.analysis_sets().items()}
    assert sizes == {"proxy": 3, "size-series": 4, "contrast-series": 3, "equal-counts": 4}
    assert described.cases_of("analysis") == [
        c for cases in described.analysis_sets().values() for c in cases
    ]
    for case in described.cases_of("analysis"):
        assert case.image.path == f"analysis/{case.name}"
        assert (case.mask is not None) == ("pixel" in case.tasks)
    batched = {c for arranged in described.arrangements.values() for a in arranged for b in a for c in b}
    assert batched == {case.id for case in described.cases_of("test", "pixel")}


def test_in_a_series_only_the_sphere_differs_and_its_mask_is_the_sphere(analysed: Built) -> None:
    folder = analysed.out / "abdom"
    series = analysed.manifests["abdom"].analysis_sets()["size-series"]
    assert [case.label for case in series] == [0, 1, 1, 1]
    assert len({str(case.parameters["centre"]) for case in series}) == 1
    scans = [volume.read(folder / case.image.path).data for case in series]
    masks = [volume.read(folder / case.mask.path).data > 0 for case in series if case.mask]
    counts = [int(mask.sum()) for mask in masks]
    assert counts[0] == 0 < counts[1] < counts[2] < counts[3]
    assert counts[3] == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.3)
    far = ~_grown(masks[3])
    for scan, mask in zip(scans[1:], masks[1:], strict=True):
        assert np.array_equal(scan[far], scans[0][far])
        assert scan[mask].mean() > 0.7


def _grown(mask: np.ndarray) -> np.ndarray:
    grown = np.pad(mask, 2)
    for _ in range(2):
        for axis in range(3):
            grown = grown | np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
    return grown[2:-2, 2:-2, 2:-2]


def test_contrast_rises_through_the_series(analysed: Built) -> None:
    folder = analysed.out / "abdom"
    series = analysed.manifests["abdom"].analysis_sets()["contrast-series"]
    means = []
    for case in series:
        assert case.mask is not None
        mask = volume.read(folder / case.mask.path).data > 0
        means.append(float(volume.read(folder / case.image.path).data[mask].mean()))
    assert means == sorted(means)
    assert means[-1] - means[0] > 0.6


def test_every_case_says_what_is_known_of_its_person(analysed: Built) -> None:
    for case in analysed.manifests["abdom"].cases:
        assert case.properties["modality"] == "CT"


def test_a_challenge_without_analysis_has_no_sets(built: Built) -> None:
    assert {str(described.analysis_sets()) for described in built.manifests.values()} == {"{}"}


def test_an_analysis_set_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    text = (CHALLENGES / "demo-data.yaml").read_text().replace("equal-counts:", "equal-shares:")
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"analysis\.equal-shares: is not known here"):
        load(tmp_path / "wrong.yaml")
