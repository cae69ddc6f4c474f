"""The populations that a dataset may draw its people from."""

from datasets.populations import abdomen, brain
from datasets.populations.subject import Population

POPULATIONS: dict[str, Population] = {"brain": brain, "abdomen": abdomen}
IMPORTED = "imported"  # what `population` says where `dataset import` brings the scans
