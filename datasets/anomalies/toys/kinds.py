"""The kinds of toys; each has a file of its own in this folder."""

from datasets.anomalies.scene import Kind
from datasets.anomalies.toys.cube import Cube
from datasets.anomalies.toys.sphere import Sphere

KINDS: tuple[type[Kind], ...] = (Cube, Sphere)
