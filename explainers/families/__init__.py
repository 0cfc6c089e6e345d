"""The explanation methods, one module per family or method; the registry names them."""

from __future__ import annotations

from saliscope.explainers.families.attention import ATTENTION_FLOW, ATTENTION_LAST, ATTENTION_ROLLOUT, GAE
from saliscope.explainers.families.control import RANDOM
from saliscope.explainers.families.decoded import DECODED_GRAD_CAM, DECODED_SIMPLE
from saliscope.explainers.families.decoded_means import DECODED_INTEGRATED_GRADIENTS, DECODED_SMOOTH_GRAD
from saliscope.explainers.families.deep_lift import DEEP_LIFT
from saliscope.explainers.families.deep_lift_shap import DEEP_LIFT_SHAP
from saliscope.explainers.families.gradient_shap import GRADIENT_SHAP
from saliscope.explainers.families.gradients import GRAD_CAM, GRAD_L2, GRAD_X_ACTIVATION, INPUT_X_GRADIENT, SIMPLE
from saliscope.explainers.families.integrated_gradients import INTEGRATED_GRADIENTS
from saliscope.explainers.families.kernel_shap import KERNEL_SHAP
from saliscope.explainers.families.lime import LIME
from saliscope.explainers.families.mase import MASE
from saliscope.explainers.families.mase_sparse import MASE_SPARSE
from saliscope.explainers.families.multi_pass import MP_PI
from saliscope.explainers.families.noise import SMOOTH_GRAD
from saliscope.explainers.families.partition import PARTITION_SHAP
from saliscope.explainers.families.perturbation import OCCLUSION
from saliscope.explainers.families.progressive import SP_PI
from saliscope.explainers.families.relevance import LRP
from saliscope.explainers.families.replacement import PERMUTATION
from saliscope.explainers.families.shapley import SHAPLEY_SAMPLING

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
    DEEP_LIFT,
    DEEP_LIFT_SHAP,
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
