"""The kinds of destructions of whole scans; each has a file of its own in this folder."""

from datasets.anomalies.destructions.slice_dropout import SliceDropout
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (SliceDropout,)
