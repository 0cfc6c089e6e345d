"""The explanation methods, one module per family."""

from __future__ import annotations

from saliscope.explainers.methods.attention import ATTENTION_FLOW, ATTENTION_LAST, ATTENTION_ROLLOUT, GAE
from saliscope.explainers.methods.control import RANDOM
from saliscope.explainers.methods.decoded import DECODED_GRAD_CAM
from saliscope.explainers.methods.gradients import GRAD_CAM, INPUT_X_GRADIENT
from saliscope.explainers.methods.perturbation import OCCLUSION
from saliscope.explainers.methods.progressive import SP_PI
from saliscope.explainers.methods.relevance import LRP

#: In the order of the catalogue.
METHODS = (
    DECODED_GRAD_CAM,
    SP_PI,
    INPUT_X_GRADIENT,
    GRAD_CAM,
    OCCLUSION,
    ATTENTION_LAST,
    ATTENTION_ROLLOUT,
    ATTENTION_FLOW,
    GAE,
    LRP,
    RANDOM,
)
