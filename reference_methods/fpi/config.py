"""Settings of FPI: the paper's, and one for CPUs."""

from dataclasses import dataclass, replace

from reference_methods.common.deep.slices import Slicing


@dataclass(frozen=True)
class Config:
    """As submitted to MOOD 2020 for the brain: 50 epochs of 800 scans, and a look at every one's end.

    `core` is the share of a side in which patch centres lie; `tolerance` the difference up to which two
    pixels are the same; `classes` is 1 for the factor itself, 5 for its five levels.
    """

    axis: int = 2
    side: int = 256
    widen: int = 4
    strides: int = 4
    classes: int = 1
    core: float = 0.5
    tolerance: float = 0.0
    learning_rate: float = 1e-3
    batch: int = 32
    steps: int = 320_000
    validate_every: int = 6_400

    @property
    def slicing(self) -> Slicing:
        """How volumes become slices."""
        return Slicing(self.axis, self.side)


BRAIN = Config()
ABDOMEN = Config(
    axis=1, side=512, strides=5, classes=5, core=0.8, tolerance=1e-3, steps=440_000, validate_every=8_800
)


def small(paper: Config) -> Config:
    """The same method on 64² with a sixteenth of the parameters: about five minutes on one core."""
    return replace(paper, side=64, widen=1, strides=4, steps=2_400, validate_every=300)


CONFIGS = {
    "paper": {"brain": BRAIN, "abdom": ABDOMEN},
    "small": {"brain": small(BRAIN), "abdom": small(ABDOMEN)},
}
