"""The explanation methods, one module per family."""

from __future__ import annotations

from saliscope.explainers.methods.attention import ATTENTION_FLOW, ATTENTION_LAST, ATTENTION_ROLLOUT, GAE
from saliscope.explainers.methods.control import RANDOM
from saliscope.explainers.methods.decoded import DECODED_GRAD_CAM, DECODED_SIMPLE
from saliscope.explainers.methods.decoded_means import DECODED_INTEGRATED_GRADIENTS, DECODED_SMOOTH_GRAD
from saliscope.explainers.methods.gradient_shap import GRADIENT_SHAP
from saliscope.explainers.methods.gradients import GRAD_CAM, GRAD_L2, GRAD_X_ACTIVATION, INPUT_X_GRADIENT, SIMPLE
from saliscope.explainers.methods.integrated_gradients import INTEGRATED_GRADIENTS
from saliscope.explainers.methods.kernel_shap import KERNEL_SHAP
from saliscope.explainers.methods.lime import LIME
from saliscope.explainers.methods.mase import MASE
from saliscope.explainers.methods.mase_sparse import MASE_SPARSE
from saliscope.explainers.methods.multi_pass import MP_PI
from saliscope.explainers.methods.noise import SMOOTH_GRAD
from saliscope.explainers.methods.partition import PARTITION_SHAP
from saliscope.explainers.methods.perturbation import OCCLUSION
from saliscope.explainers.methods.progressive import SP_PI
from saliscope.explainers.methods.relevance import LRP
from saliscope.explainers.methods.replacement import PERMUTATION
from saliscope.explainers.methods.shapley import SHAPLEY_SAMPLING

#: In the order of the catalogue.
METHODS = (
    DECODED_GRAD_CAM,
    DECODED_SIMPLE,
    DECODED_INTEGRATED_GRADIENTS,
    DECODED_SMOOTH_GRAD,
    SP_PI,
    MP_PI,
    INPUT_X_GRADIENT,
    GRAD_CAM,
    SIMPLE,
    GRAD_L2,
    GRAD_X_ACTIVATION,
    SMOOTH_GRAD,
    INTEGRATED_GRADIENTS,
    GRADIENT_SHAP,
    OCCLUSION,
    MASE,
    MASE_SPARSE,
    LIME,
    KERNEL_SHAP,
    SHAPLEY_SAMPLING,
    PARTITION_SHAP,
    PERMUTATION,
    ATTENTION_LAST,
    ATTENTION_ROLLOUT,
    ATTENTION_FLOW,
    GAE,
    LRP,
    RANDOM,
)
