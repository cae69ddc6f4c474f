"""The kinds of images; each has a file of its own in this folder."""

from datasets.anomalies.images.lettering import Lettering
from datasets.anomalies.images.picture import Picture
from datasets.anomalies.images.silhouette import Silhouette
from datasets.anomalies.images.textured_solid import TexturedSolid
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (Lettering, Picture, Silhouette, TexturedSolid)
