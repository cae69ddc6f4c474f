"""An alteration: somebody moved their head while k-space was filled."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded
from datasets.populations.subject import Subject


@dataclass(frozen=True)
class Motion:
    """Lines of k-space along image axis `lines`, each read out along `readout`, are filled in order; from the
    share `times[i]` of them on, the head lies `moves[i]` away, along `lines` and `readout` and as shares of
    these sides."""

    name: ClassVar[str] = "motion"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "alterations"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    lines: int
    readout: int
    times: tuple[float, ...]
    moves: tuple[tuple[float, float], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Five, four or three moves by about 2.6, 1.4 or 0.7 % of a side, the middle lines not spared."""
        lines, readout = (int(axis) for axis in rng.permutation(3)[:2])
        count = graded(difficulty, 5, 4, 3)
        distance = graded(difficulty, (0.020, 0.032), (0.011, 0.017), (0.006, 0.009))
        times = np.sort(np.append(rng.uniform(0.05, 0.95, count - 1), rng.uniform(0.47, 0.53)))
        moves = rng.uniform(*distance, (count, 2)) * rng.choice([-1, 1], (count, 2))
        return cls(
            lines, readout, tuple(float(t) for t in times), tuple((float(a), float(b)) for a, b in moves)
        )

    def apply(self, scene: Scene) -> Floats:
        return moved(scene.subject, self)


def moved(subject: Subject, motion: Motion) -> Floats:
    """The magnitude image of that k-space, slice by slice; a stripped scan stays 0 outside the brain."""
    image = subject.image
    axes = (motion.lines, motion.readout, 3 - motion.lines - motion.readout)
    result = np.empty_like(image)
    phase = _phase(motion, image.shape[motion.lines], image.shape[motion.readout])
    before, after = image.transpose(axes), result.transpose(axes)
    for index in range(before.shape[2]):
        after[..., index] = np.abs(fft.ifft2(fft.fft2(before[..., index]) * phase))
    if subject.stripped:
        result[~subject.foreground] = 0
    return result


def _phase(motion: Motion, lines: int, readout: int) -> NDArray[np.complex64]:
    """What each place of k-space, (lines, readout), is multiplied with, in the transform's own order."""
    order = np.argsort(fft.fftfreq(lines), kind="stable")
    epoch = np.empty(lines, dtype=np.int64)
    epoch[order] = np.searchsorted(motion.times, (np.arange(lines) + 0.5) / lines)
    moves = np.array([(0.0, 0.0), *motion.moves])[epoch]
    across = fft.fftfreq(lines) * lines * moves[:, 0]
    along = np.outer(moves[:, 1], fft.fftfreq(readout) * readout)
    phase: NDArray[np.complex64] = np.exp(-2j * np.pi * (across[:, None] + along)).astype(np.complex64)
    return phase
