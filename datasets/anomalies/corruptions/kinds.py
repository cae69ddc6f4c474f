"""The kinds of local corruptions; each has a file of its own in this folder."""

from datasets.anomalies.corruptions.local_shuffle import LocalShuffle
from datasets.anomalies.corruptions.poisson_patch import PoissonPatch
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (LocalShuffle, PoissonPatch)
