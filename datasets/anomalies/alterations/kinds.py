"""The kinds of alterations of whole scans; each has a file of its own in this folder."""

from datasets.anomalies.alterations.blur import Blur
from datasets.anomalies.alterations.breathing import Breathing
from datasets.anomalies.alterations.flip import Flip
from datasets.anomalies.alterations.gamma import Gamma
from datasets.anomalies.alterations.inverted_contrast import InvertedContrast
from datasets.anomalies.alterations.motion import Motion
from datasets.anomalies.alterations.rotation import Rotation
from datasets.anomalies.alterations.thick_slices import ThickSlices
from datasets.anomalies.alterations.wrong_window import WrongWindow
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (
    Blur,
    Breathing,
    Flip,
    Gamma,
    InvertedContrast,
    Motion,
    Rotation,
    ThickSlices,
    WrongWindow,
)
