"""What a causal model would write next, token by token."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.facts import ModelView
from saliscope.explainers.queries import Evaluate, Outputs, Query
from saliscope.explainers.texts.encoding import Encoding, extended


def generate(model: ModelView, encoding: Encoding, most: int) -> Generator[Query, Answer, tuple[int, ...]]:
    """The likeliest continuation, at most `most` ids, up to the end that the model sets itself; one row each."""
    ids: list[int] = []
    for _ in range(most):
        longer = replace(extended(encoding, tuple(ids), model.token_text), tail=0)
        answer = yield Evaluate(longer, Outputs("next-token"), outputs=True)
        assert isinstance(answer, Evaluated)
        assert answer.outputs is not None
        best = int(answer.outputs.argmax())
        if best in model.end_ids:
            break
        ids.append(best)
    if not ids:
        raise BadRequest("target: the model ends the text at once, so there is no continuation; give its text")
    return tuple(ids)
