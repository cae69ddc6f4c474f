"""Settings of the ceVAE: the thesis', and one for CPUs."""

from dataclasses import dataclass, replace

from reference_methods.common.deep.slices import Slicing

PIXEL_SCORES = ("rec", "rec_smoothed", "sampling_variance", "rec_grad", "kl_grad", "elbo_grad", "combi")


@dataclass(frozen=True)
class Config:
    """As in the thesis (section 3.2.4), for the brain: 60 epochs of 800 scans, a look at every one's end.

    What is learned from: `limit` clips standardised values; slices are mirrored left to right at random,
    turned by up to `rotation` radians and multiplied by 1 ± `brightness`.
    What is learned: `factor` is the share of context encoding in the loss (0: a VAE, 1: a context encoder),
    `kl_weight` that of one nat against one standard deviation of one pixel.
    How it scores: `pixel_score` is one of PIXEL_SCORES, `smoothing` a Gaussian's size in pixels;
    `gradient_noise` the deviation of SmoothGrad's noise in standard deviations of the scans.
    """

    axis: int = 2
    side: int = 64
    channels: tuple[int, ...] = (16, 64, 256, 1024)
    latent: int = 1024
    coordinates: bool = True
    limit: float = 1.5
    mirror: bool = True
    rotation: float = 0.1
    brightness: float = 0.1
    factor: float = 0.5
    kl_weight: float = 1.0
    pixel_score: str = "combi"
    smoothing: int = 5
    gradient_samples: int = 16
    gradient_noise: float = 0.3
    latent_samples: int = 16
    learning_rate: float = 2e-4
    batch: int = 64
    steps: int = 192_000
    validate_every: int = 3_200

    def __post_init__(self) -> None:
        if self.pixel_score not in PIXEL_SCORES:
            raise ValueError(
                f"pixel score {self.pixel_score!r}; one of {', '.join(PIXEL_SCORES)} was expected"
            )
        if not 0 <= self.factor <= 1:
            raise ValueError(f"a factor of {self.factor}; 0 to 1 was expected")
        if self.side % 2 ** len(self.channels):
            raise ValueError(f"a side of {self.side} cannot be halved {len(self.channels)} times")

    @property
    def slicing(self) -> Slicing:
        """How volumes become slices."""
        return Slicing(self.axis, self.side)


BRAIN = Config()
# A body is not its own mirror image: the liver is on the right.
ABDOMEN = Config(axis=1, mirror=False, steps=264_000, validate_every=4_400)


def small(paper: Config) -> Config:
    """The same method with 0.76 million parameters instead of 59: about two minutes on one core."""
    return replace(
        paper,
        channels=(16, 32, 64, 128),
        latent=64,
        pixel_score="rec_smoothed",
        mirror=False,
        rotation=0.0,
        brightness=0.0,
        gradient_samples=8,
        learning_rate=1e-3,
        batch=32,
        steps=1_000,
        validate_every=250,
    )


CONFIGS = {
    "paper": {"brain": BRAIN, "abdom": ABDOMEN},
    "small": {"brain": small(BRAIN), "abdom": small(ABDOMEN)},
}
