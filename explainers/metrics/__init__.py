"""Metrics of explanations, one module per family, and the evaluation of many methods on the same texts.

A metric is a generator of queries as a method is; `evaluating.py` says how whoever has a model drives them.
"""

from __future__ import annotations

from saliscope.explainers.metrics.activation import ACTIVATION, INVERSE_ACTIVATION
from saliscope.explainers.metrics.costs import COST, TIME
from saliscope.explainers.metrics.erasure import COMPREHENSIVENESS, DELTA_ACCURACY, SUFFICIENCY
from saliscope.explainers.metrics.games import HIDING, REVEALING
from saliscope.explainers.metrics.infidelity import INFIDELITY
from saliscope.explainers.metrics.overlap import TOKEN_OVERLAP
from saliscope.explainers.metrics.reading import DECODE_RATE, PI_GAP
from saliscope.explainers.metrics.robustness import SENSITIVITY_MAX, STABILITY
from saliscope.explainers.metrics.similarity import SHAP_SIMILARITY

#: In the order of the catalogue.
METRICS = (
    HIDING,
    REVEALING,
    ACTIVATION,
    INVERSE_ACTIVATION,
    COMPREHENSIVENESS,
    SUFFICIENCY,
    DELTA_ACCURACY,
    INFIDELITY,
    SENSITIVITY_MAX,
    STABILITY,
    SHAP_SIMILARITY,
    TOKEN_OVERLAP,
    PI_GAP,
    DECODE_RATE,
    COST,
    TIME,
)
