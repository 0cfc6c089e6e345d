"""The explanation methods, one module per family."""

from __future__ import annotations

from saliscope.explainers.methods.control import RANDOM
from saliscope.explainers.methods.decoded import DECODED_GRAD_CAM
from saliscope.explainers.methods.gradients import GRAD_CAM, INPUT_X_GRADIENT
from saliscope.explainers.methods.mase import MASE
from saliscope.explainers.methods.mase_sparse import MASE_SPARSE
from saliscope.explainers.methods.multi_pass import MP_PI
from saliscope.explainers.methods.perturbation import OCCLUSION
from saliscope.explainers.methods.progressive import SP_PI

#: In the order of the catalogue.
METHODS = (
    DECODED_GRAD_CAM,
    SP_PI,
    MP_PI,
    INPUT_X_GRADIENT,
    GRAD_CAM,
    OCCLUSION,
    MASE,
    MASE_SPARSE,
    RANDOM,
)
