"""The kinds of mild corruptions of whole scans; each has a file of its own in this folder."""

from datasets.anomalies.global_corruptions.axis_scaling import AxisScaling
from datasets.anomalies.global_corruptions.bias_field import BiasField
from datasets.anomalies.global_corruptions.contrast_drift import ContrastDrift
from datasets.anomalies.global_corruptions.shear import Shear
from datasets.anomalies.global_corruptions.smooth_warp import SmoothWarp
from datasets.anomalies.global_corruptions.swirl import Swirl
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (
    AxisScaling,
    BiasField,
    ContrastDrift,
    Shear,
    SmoothWarp,
    Swirl,
)
