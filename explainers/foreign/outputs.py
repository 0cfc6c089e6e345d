"""What a model of one's own answers, made into the raw outputs that methods read."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final, Literal

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.models.labels import Labelling, both_ways, distinct
from saliscope.explainers.targets.scales import Activation

Form = Literal["logits", "probabilities"]
FLOOR: Final = 1e-7
"""The smallest probability whose logarithm is taken."""
NOTE: Final = f"logits are logarithms of the model's probabilities, of which none counts as less than {FLOOR:g}"


def name_outputs(labels: Sequence[str], form: str, activation: Activation | None) -> Labelling:
    """The labelling of a model of one's own; what makes no sense together is `BadRequest`.

    Without an activation several labels share a softmax, and one label is the sigmoid of it against its negation.
    """
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels) or not labels:
        raise BadRequest(f"labels: expected at least one name, as in ['negative', 'positive'], got {labels!r}")
    if form not in ("logits", "probabilities"):
        raise BadRequest(f"outputs {form!r} is none of logits, probabilities")
    if activation not in (None, "softmax", "sigmoid", "identity"):
        raise BadRequest(f"activation {activation!r} is none of softmax, sigmoid, identity")
    if activation == "identity" and (len(labels) > 1 or form == "probabilities"):
        raise BadRequest("activation: identity is for one label whose output is a number of its own (logits)")
    if activation == "softmax" and len(labels) == 1:
        raise BadRequest("activation: a softmax of one label is always 1; give two labels, or sigmoid, or identity")
    names = distinct(labels)
    if len(names) == 1 and activation != "identity":
        return both_ways(names[0])
    return Labelling(names, activation or "softmax")


def logits_of(probabilities: Any, activation: Activation, xp: ModuleType) -> Any:
    """Logits `[B, C]` of probabilities: their logarithms (softmax) or log-odds (sigmoid), none beyond the floor's."""
    held = probabilities.clip(FLOOR, 1.0)
    return xp.log(held) if activation == "softmax" else xp.log(held) - xp.log((1.0 - probabilities).clip(FLOOR, 1.0))
