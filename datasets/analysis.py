"""The analysis sets of a dataset: how scores depend on kind, size and contrast, apart from what counts.

`proxy`, `size-series` and `contrast-series` are those of the thesis's toy-like examples, `equal-counts` its
comparison of kinds (Zimmerer, thesis, section 4.1.5).
"""

from dataclasses import replace

from challenges.spec import Challenge, Dataset
from datasets.anomalies.kinds import TOY, TOY_SHAPES, Kinds
from datasets.anomalies.scene import CATEGORIES, Category
from datasets.planned import Ball, Planned
from datasets.seeds import Seeds
from datasets.strata import combinations

SIZES, CONTRASTS = SERIES = ("size-series", "contrast-series")  # sets that show one person throughout
BRIGHT = 0.9  # intensity of the spheres whose size varies

Kindred = tuple[Category, str]


def cases(challenge: Challenge, slug: str, seeds: Seeds, kinds: Kinds) -> list[Planned]:
    """All cases of the sets that the dataset lists, one set after the other, series in their order."""
    dataset = challenge.datasets[slug]
    wanted, maker = dataset.analysis, _Maker(challenge, slug, seeds)
    made: list[Planned] = []
    if wanted.proxy:
        shapes: list[Kindred] = [("local", shape) for shape in TOY_SHAPES]
        made += maker.drawn("proxy", shapes, wanted.proxy.abnormal, wanted.proxy.normal)
    if wanted.size_series:
        steps = wanted.size_series.steps - 1
        radii = [max(wanted.size_series.radius * step / steps, 1.0) for step in range(1, steps + 1)]
        made += maker.series(SIZES, [Ball(0.0, BRIGHT), *(Ball(radius, BRIGHT) for radius in radii)])
    if wanted.contrast_series:
        step, radius = wanted.contrast_series.step, wanted.contrast_series.radius
        values = [min(index * step, 1.0) for index in range(int(1 / step + 1e-9) + 1)]
        made += maker.series(CONTRASTS, [Ball(radius, round(value, 6)) for value in values])
    if wanted.equal_counts:
        listed = _listed(dataset, kinds)
        count = wanted.equal_counts.per_kind * len(listed)
        made += maker.drawn("equal-counts", listed, count, count)
    return made


def _listed(dataset: Dataset, kinds: Kinds) -> list[Kindred]:
    return [
        (category, kind)
        for category in CATEGORIES
        for kind in kinds.chosen(category, dataset.population, dataset.anomalies.get(category, []))
    ]


class _Maker:
    def __init__(self, challenge: Challenge, slug: str, seeds: Seeds) -> None:
        self._challenge, self._dataset, self._seeds = challenge, challenge.datasets[slug], seeds
        self._key = (challenge.id, slug, "analysis")

    def drawn(self, name: str, kinds: list[Kindred], abnormal: int, normal: int) -> list[Planned]:
        """Kinds and difficulties in turn, every case another person."""
        difficulties, variants = self._dataset.difficulties, self._dataset.variants
        made = []
        for index in range(abnormal):
            number, difficulty, variant = combinations(index, len(kinds), difficulties, variants)
            case = self._case(name, f"abnormal-{index}", *kinds[number])
            made.append(replace(case, difficulty=difficulty, variant=variant))
        for index in range(normal):
            variant = variants[index % len(variants)] if variants else None
            made.append(replace(self._case(name, f"normal-{index}", None, None), variant=variant))
        return made

    def series(self, name: str, balls: list[Ball]) -> list[Planned]:
        """The same person, place and noise throughout; a ball without a radius is no anomaly."""
        person = self._seeds.name(*self._key, name, "person")
        variant = self._dataset.variants[0] if self._dataset.variants else None
        made = []
        for index, ball in enumerate(balls):
            case = self._case(name, str(index), *(("local", TOY) if ball.radius else (None, None)))
            made.append(replace(case, variant=variant, person=person, ball=ball))
        return made

    def _case(self, name: str, place: str, category: Category | None, kind: str | None) -> Planned:
        key = (*self._key, name, place)
        served = [
            task
            for task, about in self._challenge.tasks.items()
            if about.level == "case" or category != "global"
        ]
        return Planned(
            id=self._seeds.name(*key),
            part="analysis",
            name=f"{self._seeds.name(*key, 'file')}.nii.gz",
            tasks=tuple(served),
            label=1 if kind else 0,
            category=category,
            kind=kind,
            analysis=name,
        )
