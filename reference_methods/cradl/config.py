"""Settings of CRADL: the thesis', and one for CPUs."""

from dataclasses import dataclass, replace

from reference_methods.common.deep.slices import Slicing


@dataclass(frozen=True)
class Config:
    """As in the thesis for brains; see README.md for what it leaves open.

    `side` is 4 pixels, doubled once for every one of the encoder's `channels`. `head` has the widths of the
    projection's layers. `warm_up` is a share of the steps. `density` is "mixture", "flow" or "chosen": of
    all candidates the one by which held-out slices are likeliest. `ridge` is added to the variances and
    `converged` ends EM when a slice's mean log-likelihood gains less. `fit_slices` is how many slices the
    density learns from, all where it is None. `gradients` noisy copies of a slice, of the deviation `noise`,
    make its map; `median` and `sigma`, in pixels, smooth it. `top` is the share of slices whose mean scores
    the case.
    """

    axis: int = 2
    side: int = 128
    channels: tuple[int, ...] = (64, 128, 256, 512, 1024)
    features: int = 512
    head: tuple[int, ...] = (512, 256)
    temperature: float = 0.5
    limit: float = 1.5
    learning_rate: float = 1e-4
    weight_decay: float = 1e-6
    warm_up: float = 0.1
    batch: int = 64
    steps: int = 320_000
    validate_every: int = 3_200
    density: str = "mixture"
    components: tuple[int, ...] = (1, 2, 4, 8)
    ridge: float = 1e-5
    converged: float = 1e-2
    fit_slices: int | None = None
    flow_hidden: int = 512
    flow_steps: int = 48_000
    gradients: int = 4
    noise: float = 0.1
    median: int = 5
    sigma: float = 3.0
    top: float = 0.25

    @property
    def slicing(self) -> Slicing:
        """How volumes become slices."""
        return Slicing(self.axis, self.side)


BRAIN = Config()
ABDOMEN = Config(axis=1, steps=440_000, validate_every=4_400)


def small(paper: Config) -> Config:
    """The same method on 64² with a sixteenth of the features: about three minutes on one core."""
    return replace(
        paper,
        side=64,
        channels=(32, 64, 128, 256),
        features=64,
        head=(64, 64),
        learning_rate=1e-3,
        steps=500,
        validate_every=100,
        components=(1, 4),
        ridge=1e-3,
        fit_slices=8_000,
        flow_hidden=64,
        flow_steps=600,
        median=3,
        sigma=2.0,
    )


CONFIGS = {
    "paper": {"brain": BRAIN, "abdom": ABDOMEN},
    "small": {"brain": small(BRAIN), "abdom": small(ABDOMEN)},
}
