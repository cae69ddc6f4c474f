"""The kinds of anomaly a challenge may name."""

from datasets.anomalies.blur import Blur
from datasets.anomalies.local_shuffle import LocalShuffle
from datasets.anomalies.poisson_patch import PoissonPatch
from datasets.anomalies.scene import Kind
from datasets.anomalies.slice_dropout import SliceDropout
from datasets.anomalies.sphere import Sphere
from datasets.anomalies.textured_lesion import TexturedLesion

TOY = "sphere"

LOCAL: dict[str, type[Kind]] = {
    "sphere": Sphere,
    "textured-lesion": TexturedLesion,
    "poisson-patch": PoissonPatch,
    "local-shuffle": LocalShuffle,
}

GLOBAL: dict[str, type[Kind]] = {
    "slice-dropout": SliceDropout,
    "blur": Blur,
}
