"""The explanation methods, one module per family."""

from __future__ import annotations

from saliscope.explainers.methods.control import RANDOM
from saliscope.explainers.methods.decoded import DECODED_GRAD_CAM
from saliscope.explainers.methods.gradients import GRAD_CAM, INPUT_X_GRADIENT
from saliscope.explainers.methods.kernel_shap import KERNEL_SHAP
from saliscope.explainers.methods.lime import LIME
from saliscope.explainers.methods.mase import MASE
from saliscope.explainers.methods.mase_sparse import MASE_SPARSE
from saliscope.explainers.methods.multi_pass import MP_PI
from saliscope.explainers.methods.partition import PARTITION_SHAP
from saliscope.explainers.methods.perturbation import OCCLUSION
from saliscope.explainers.methods.progressive import SP_PI
from saliscope.explainers.methods.replacement import PERMUTATION
from saliscope.explainers.methods.shapley import SHAPLEY_SAMPLING

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
    LIME,
    KERNEL_SHAP,
    SHAPLEY_SAMPLING,
    PARTITION_SHAP,
    PERMUTATION,
    RANDOM,
)
