"""The kinds of pathologies; each has a file of its own in this folder."""

from datasets.anomalies.pathologies.abdominal_cyst import AbdominalCyst
from datasets.anomalies.pathologies.aortic_aneurysm import AorticAneurysm
from datasets.anomalies.pathologies.arachnoid_cyst import ArachnoidCyst
from datasets.anomalies.pathologies.bowel_wall import BowelWall
from datasets.anomalies.pathologies.calcification import Calcification
from datasets.anomalies.pathologies.cerebral_aneurysm import CerebralAneurysm
from datasets.anomalies.pathologies.glioma import Glioma
from datasets.anomalies.pathologies.haemorrhage import Haemorrhage
from datasets.anomalies.pathologies.infarct import Infarct
from datasets.anomalies.pathologies.liver_metastases import LiverMetastases
from datasets.anomalies.pathologies.renal_mass import RenalMass
from datasets.anomalies.pathologies.ring_tumour import RingTumour
from datasets.anomalies.pathologies.textured_lesion import TexturedLesion
from datasets.anomalies.scene import Kind

KINDS: tuple[type[Kind], ...] = (
    AbdominalCyst,
    AorticAneurysm,
    ArachnoidCyst,
    BowelWall,
    Calcification,
    CerebralAneurysm,
    Glioma,
    Haemorrhage,
    Infarct,
    LiverMetastases,
    RenalMass,
    RingTumour,
    TexturedLesion,
)
