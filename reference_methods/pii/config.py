"""Settings of PII: the paper's, on the slices that FPI was submitted with, and one for CPUs."""

from dataclasses import dataclass, replace

from reference_methods.common.deep.slices import Slicing


@dataclass(frozen=True)
class Config:
    """As published, on a brain's slices at native size: 50 epochs of 800 scans, a look at each's end.

    `core` is the share of a side in which patch centres lie; `tolerance` the change of intensity, as
    delivered, up to which a pixel counts as unchanged.
    """

    axis: int = 2
    side: int = 256
    widen: int = 4
    strides: int = 4
    core: float = 0.8
    tolerance: float = 1e-3
    learning_rate: float = 1e-3
    batch: int = 32
    steps: int = 320_000
    validate_every: int = 6_400

    @property
    def slicing(self) -> Slicing:
        """How volumes become slices."""
        return Slicing(self.axis, self.side)


BRAIN = Config()
ABDOMEN = Config(axis=1, side=512, steps=440_000, validate_every=8_800)


def small(paper: Config) -> Config:
    """The same method on 64² with a sixteenth of the parameters: about five minutes on one core."""
    return replace(paper, side=64, widen=1, steps=2_400, validate_every=300)


CONFIGS = {
    "paper": {"brain": BRAIN, "abdom": ABDOMEN},
    "small": {"brain": small(BRAIN), "abdom": small(ABDOMEN)},
}
