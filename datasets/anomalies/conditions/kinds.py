"""The kinds of medical conditions of the whole body; each has a file of its own in this folder."""

from datasets.anomalies.conditions.ascites import Ascites
from datasets.anomalies.conditions.atrophy import Atrophy
from datasets.anomalies.conditions.distended_bowel import DistendedBowel
from datasets.anomalies.conditions.hemispheric_asymmetry import HemisphericAsymmetry
from datasets.anomalies.conditions.hepatomegaly import Hepatomegaly
from datasets.anomalies.conditions.microcephaly import Microcephaly
from datasets.anomalies.conditions.portal_hypertension import PortalHypertension
from datasets.anomalies.conditions.renal_failure import RenalFailure
from datasets.anomalies.conditions.splenomegaly import Splenomegaly
from datasets.anomalies.conditions.ventriculomegaly import Ventriculomegaly
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (
    Ascites,
    Atrophy,
    DistendedBowel,
    HemisphericAsymmetry,
    Hepatomegaly,
    Microcephaly,
    PortalHypertension,
    RenalFailure,
    Splenomegaly,
    Ventriculomegaly,
)
