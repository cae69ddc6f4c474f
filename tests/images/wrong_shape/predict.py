"""Writes maps of the right name with one slice too few."""

import sys
from pathlib import Path

import nibabel
import numpy as np

for path in sorted(Path(sys.argv[1]).glob("*.nii.gz")):
    image = nibabel.Nifti1Image.from_filename(path)
    scores = np.asarray(image.dataobj, dtype=np.float32)[:, :, :-1]
    nibabel.Nifti1Image(np.clip(scores, 0, 1), image.affine).to_filename(Path(sys.argv[2]) / path.name)
