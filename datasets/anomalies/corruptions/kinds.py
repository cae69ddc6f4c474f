"""The kinds of local corruptions; each has a file of its own in this folder."""

from datasets.anomalies.corruptions.contrast_change import ContrastChange
from datasets.anomalies.corruptions.copy_paste import CopyPaste
from datasets.anomalies.corruptions.local_blur import LocalBlur
from datasets.anomalies.corruptions.local_reflection import LocalReflection
from datasets.anomalies.corruptions.local_shuffle import LocalShuffle
from datasets.anomalies.corruptions.local_twist import LocalTwist
from datasets.anomalies.corruptions.noise_burst import NoiseBurst
from datasets.anomalies.corruptions.poisson_patch import PoissonPatch
from datasets.anomalies.corruptions.sink_deformation import SinkDeformation
from datasets.anomalies.corruptions.smooth_intensity import SmoothIntensity
from datasets.anomalies.corruptions.source_deformation import SourceDeformation
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (
    ContrastChange,
    CopyPaste,
    LocalBlur,
    LocalReflection,
    LocalShuffle,
    LocalTwist,
    NoiseBurst,
    PoissonPatch,
    SinkDeformation,
    SmoothIntensity,
    SourceDeformation,
)
