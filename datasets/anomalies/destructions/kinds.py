"""The kinds of destructions of whole scans; each has a file of its own in this folder."""

from datasets.anomalies.destructions.constant_slices import ConstantSlices
from datasets.anomalies.destructions.cropping import Cropping
from datasets.anomalies.destructions.kspace_spikes import KspaceSpikes
from datasets.anomalies.destructions.nyquist_ghost import NyquistGhost
from datasets.anomalies.destructions.repeated_slab import RepeatedSlab
from datasets.anomalies.destructions.ring_artefact import RingArtefact
from datasets.anomalies.destructions.salt_and_pepper import SaltAndPepper
from datasets.anomalies.destructions.slice_dropout import SliceDropout
from datasets.anomalies.destructions.swapped_slices import SwappedSlices
from datasets.anomalies.destructions.wrong_scaling import WrongScaling
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (
    ConstantSlices,
    Cropping,
    KspaceSpikes,
    NyquistGhost,
    RepeatedSlab,
    RingArtefact,
    SaltAndPepper,
    SliceDropout,
    SwappedSlices,
    WrongScaling,
)
