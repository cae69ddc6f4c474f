"""The kinds of alterations of whole scans; each has a file of its own in this folder."""

from datasets.anomalies.alterations.blur import Blur
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (Blur,)
