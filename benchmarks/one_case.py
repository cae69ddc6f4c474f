"""One case of a dataset, made as the build makes it: person, anomaly, finaliser, files."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from challenges.spec import Challenge, load
from datasets.anomalies.kinds import GLOBAL, SHIPPED, TOY
from datasets.anomalies.scene import Category
from datasets.make import Job, make
from datasets.planned import Planned
from datasets.seeds import Seeds

CHALLENGE = Path(__file__).resolve().parent.parent / "challenges/mood.yaml"
SECRET = b"what is measured is no secret"
WARM = 48  # voxels a side of the case that comes first, so that nothing is compiled while time is taken
Work = Callable[[], str]


def kinds(slug: str) -> list[str]:
    """All kinds that suit a dataset, as category/name."""
    population = load(CHALLENGE).datasets[slug].population
    found: list[str] = []
    for category in ("local", "global"):
        names = (name for name in SHIPPED.suiting(category, population) if name not in (TOY, "cube"))
        found += [f"{category}/{name}" for name in names]
    return found


def case(slug: str, kind: str, difficulty: str, sides: int) -> Work:
    """Make a case of `sides`³ voxels, or a normal one for the kind "normal"; gives the scan's digest."""
    _made(slug, kind, difficulty, WARM)
    return lambda: _made(slug, kind, difficulty, sides)


def _made(slug: str, kind: str, difficulty: str, sides: int) -> str:
    with tempfile.TemporaryDirectory(prefix="moodarena-benchmark-") as folder:
        job = Job(_sized(load(CHALLENGE), slug, sides), slug, Seeds(SECRET), Path(folder))
        return make(job, _planned(kind, difficulty)).image.sha256


def _planned(kind: str, difficulty: str) -> Planned:
    normal = Planned("one", "test", "one.nii.gz", ("sample", "pixel"), 0, None, None)
    if kind == "normal":
        return normal
    category: Category = "global" if kind.startswith("global/") else "local"
    name = kind.removeprefix(f"{category}/")
    tasks = ("sample",) if category == "global" and name in GLOBAL else ("sample", "pixel")
    level = next(one for one in ("easy", "medium", "hard") if one == difficulty)
    return replace(normal, tasks=tasks, label=1, category=category, kind=name, difficulty=level)


def _sized(challenge: Challenge, slug: str, sides: int) -> Challenge:
    """The same field of view in so many voxels."""
    dataset = challenge.datasets[slug]
    x, y, z = (n * mm / sides for n, mm in zip(dataset.shape, dataset.spacing_mm, strict=True))
    smaller = dataset.model_copy(update={"shape": (sides,) * 3, "spacing_mm": (x, y, z)})
    return challenge.model_copy(update={"datasets": {slug: smaller}})
