"""The kinds of anomaly that a challenge may name: those that ship, and private ones from a folder.

Every group lists its kinds in its own `kinds.py`; `scene` says how to add one.
"""

from datasets.anomalies.alterations.kinds import KINDS as ALTERATIONS
from datasets.anomalies.conditions.kinds import KINDS as CONDITIONS
from datasets.anomalies.corruptions.kinds import KINDS as CORRUPTIONS
from datasets.anomalies.destructions.kinds import KINDS as DESTRUCTIONS
from datasets.anomalies.global_corruptions.kinds import KINDS as GLOBAL_CORRUPTIONS
from datasets.anomalies.images.kinds import KINDS as IMAGES
from datasets.anomalies.pathologies.kinds import KINDS as PATHOLOGIES
from datasets.anomalies.scene import Kind
from datasets.anomalies.toys.kinds import KINDS as TOYS

TOY = "sphere"

LOCAL: dict[str, type[Kind]] = {kind.name: kind for kind in (*TOYS, *IMAGES, *PATHOLOGIES, *CORRUPTIONS)}
GLOBAL: dict[str, type[Kind]] = {
    kind.name: kind for kind in (*GLOBAL_CORRUPTIONS, *CONDITIONS, *ALTERATIONS, *DESTRUCTIONS)
}
