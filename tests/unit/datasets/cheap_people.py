"""A population that costs nothing: bodies of smooth random texture. It stands in for `brain`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from challenges.spec import Analysis, CaseCounts, Challenge, ContrastSeries, EqualCounts, Proxy, SizeSeries
from datasets.populations import brain
from datasets.populations.subject import NOTHING_UNUSUAL, Subject

LABELS = brain.LABELS
SIDES = 24


def draw(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    condition: Mapping[str, float] = NOTHING_UNUSUAL,
    variant: str | None = None,
) -> Subject:
    """A ball with structure; T2 is darker."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij"))
    foreground = (grid**2).sum(axis=0) < rng.uniform(0.7, 0.9)
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), 2) * 0.4
    image = np.where(foreground, (0.3 if variant == "t2" else 0.5) + texture, 0).clip(0, 1)
    labels = np.where(foreground, LABELS["white"], 0).astype(np.uint8)
    age = round(float(rng.uniform(20, 80)), 1)
    facts = {"age": age, "brain_ml": float(foreground.sum()), "modality": variant or "t1"}
    return Subject(
        image.astype(np.float32), foreground, 0.02, True, labels, spacing_mm=spacing_mm, properties=facts
    )


def with_noise(rng: np.random.Generator, image: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    return image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(deviation)


def challenge_of(demo: Challenge) -> Challenge:
    """The demo's brains, few and small, with a local and a global kind and every analysis set."""
    dataset = demo.datasets["brain"].model_copy(
        update={
            "shape": (SIDES, SIDES + 2, SIDES - 2),
            "spacing_mm": (2.0, 2.0, 4.0),
            "cases": CaseCounts(training=5, toy_abnormal=1, toy_normal=1, test={"sample": 4, "pixel": 2}),
            "variants": ("t1", "t2"),
            "anomalies": {"local": ["textured-solid"], "global": ["blur"]},
            "analysis": Analysis(
                proxy=Proxy(abnormal=2, normal=1),
                size_series=SizeSeries(radius=6, steps=3),
                contrast_series=ContrastSeries(radius=4, step=0.5),
                equal_counts=EqualCounts(per_kind=3),
            ),
        }
    )
    return demo.model_copy(update={"datasets": {"brain": dataset}})
