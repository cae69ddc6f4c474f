"""The kinds of medical conditions of the whole body; each has a file of its own in this folder."""

from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = ()
