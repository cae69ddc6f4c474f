"""The kinds of pathologies; each has a file of its own in this folder."""

from datasets.anomalies.pathologies.textured_lesion import TexturedLesion
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (TexturedLesion,)
