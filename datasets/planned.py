"""One case that will be made: everything about it that is decided before anything is drawn."""

from dataclasses import dataclass
from typing import Literal

from challenges.spec import Difficulty, Part
from datasets.anomalies.scene import Category


@dataclass(frozen=True)
class Ball:
    """A sphere of a series. `radius` in voxels, `intensity` in the image's units."""

    radius: float
    intensity: float


@dataclass(frozen=True)
class Planned:
    """One case to be made; fields as in `manifest.Case`.

    `variant`: how the person is scanned. `person`: whose scan it is where several cases show one person; None
    for one that no other case shows. `ball`: what is put there instead of a draw of the kind.
    """

    id: str
    part: Part
    name: str
    tasks: tuple[str, ...]
    label: Literal[0, 1] | None
    category: Category | None
    kind: str | None
    difficulty: Difficulty | None = None
    variant: str | None = None
    analysis: str | None = None
    person: str | None = None
    ball: Ball | None = None

    @property
    def whose(self) -> str:
        """The name of the person's source of randomness."""
        return self.person or self.id
