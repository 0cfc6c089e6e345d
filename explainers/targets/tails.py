"""Targets behind the text: a method asks about the text, the model is asked about the text and what follows it.

A method's query becomes one query a tail, and their answers one answer: outputs are made of the tails' values, and
the scalar acts on these as it would on a head's own. Methods never see a tail.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from saliscope.explainers.answers import Answer, Decoded, Differentiated, Evaluated
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.problem import Scored
from saliscope.explainers.queries import (
    Along,
    Attend,
    Differentiate,
    Evaluate,
    ModelQuery,
    Moment,
    Outputs,
    Query,
    Solve,
    Value,
)
from saliscope.explainers.steps import answered
from saliscope.explainers.targets.aiming import Tails
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.targets.scales import grouped, resolved, valued
from saliscope.explainers.texts.encoding import Encoding, FloatArray, extended
from saliscope.explainers.variants import Replaced, Rows

LINEAR = frozenset({"activation", "displacement", "sum"})
"""Reductions of a gradient that add up over tails."""

Steps = Generator[Query | Scored, Answer | None, Scored]


@dataclass(eq=False)
class Relay:
    """Stands between a method, which sees `encoding`, and the model, which reads every tail behind it.

    `outputs [V]` are the model's own next-token outputs at the end of the text, once something was answered.
    """

    encoding: Encoding
    tails: Tails
    spell: Callable[[int], str]
    outputs: FloatArray | None = None
    longer: tuple[Encoding, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.longer = tuple(extended(self.encoding, ids, self.spell) for ids in self.tails.ids)

    def relayed(self, steps: Steps) -> Steps:
        """The same steps with queries that the model can answer."""
        return answered(steps, self._answer)

    def _answer(self, step: Query | Scored) -> Generator[Query | Scored, Answer | None, Answer | None]:
        return (yield step) if isinstance(step, Scored | Solve) else (yield from self._ask(step))

    def _ask(self, query: ModelQuery) -> Generator[Query | Scored, Answer | None, Answer]:
        if isinstance(query, Attend) or (isinstance(query, Evaluate) and isinstance(query.read, Along)):
            raise NotCapable("this method reads positions of the text, and none of them holds what follows it")
        answers: list[Answer] = []
        for index in range(len(self.longer)):
            answer = yield self._behind(query, index)
            assert answer is not None
            answers.append(answer)
        if self.outputs is None:
            first = answers[0]
            assert isinstance(first, Evaluated | Differentiated)
            self.outputs = first.outputs
        if isinstance(query, Evaluate):
            return self._evaluated(query, [answer for answer in answers if isinstance(answer, Evaluated)])
        return self._differentiated(query, [answer for answer in answers if isinstance(answer, Differentiated)])

    def _behind(self, query: Evaluate | Differentiate, index: int) -> Evaluate | Differentiate:
        """The query about the text with one tail."""
        tails, encoding = self.tails, self.longer[index]
        scalar = Scalar("next-token", 0, tails.scale, tail=tails.ids[index], part=tails.part)
        rows = _longer_rows(query.rows, tails.ids[index])
        if isinstance(query, Differentiate):
            if len(self.longer) > 1 and not LINEAR.issuperset(query.reductions):
                raise NotCapable(
                    "norms of a gradient do not add up over several continuations; use a signed form (norm, variant,"
                    " aggregate or reduce of this method), or input-x-gradient"
                )
            return replace(query, encoding=encoding, scalar=scalar, rows=rows)
        read: Value | Moment = Value(scalar)
        if isinstance(query.read, Moment):
            self._check_moment(query.read.scalar)
            read = Moment(scalar, query.read.about if index == query.read.scalar.index else 0.0)
        return replace(query, encoding=encoding, read=read, rows=rows, outputs=True)

    def _check_moment(self, scalar: Scalar) -> None:
        if scalar.scale != "logit" or any(len(group) > 1 for group in self.tails.groups):
            raise NotCapable("noise on the embeddings needs labels of single tokens; use space=feature")

    def _virtual(self, values: list[FloatArray]) -> Tensor:
        """Outputs `[B, G]` of the values `[B]` of each tail."""
        stacked = torch.stack([torch.from_numpy(np.asarray(row, dtype=np.float64)) for row in values], -1)
        outputs: Tensor = grouped(stacked, self.tails.groups, torch)
        return outputs

    def _evaluated(self, query: Evaluate, answers: list[Evaluated]) -> Evaluated:
        if isinstance(query.read, Moment):
            return Evaluated(self._moments(query.read.scalar, [answer.values for answer in answers]))
        outputs = self._virtual([answer.values for answer in answers])
        first = _float32(outputs[0])
        if isinstance(query.read, Outputs):
            return Evaluated(_float32(outputs), first)
        assert isinstance(query.read, Value)
        return Evaluated(_float32(valued(outputs, query.read.scalar, xp=torch)), first if query.outputs else None)

    def _moments(self, scalar: Scalar, moments: list[FloatArray]) -> FloatArray:
        """A moment is linear in the value, so those of the two outputs may be taken off each other."""
        length = len(self.encoding)
        moment, displacements = moments[scalar.index or 0][:, :length]
        if scalar.against is not None:
            moment = moment - moments[scalar.against][0, :length]
        return np.stack([moment, displacements])

    def _differentiated(self, query: Differentiate, answers: list[Differentiated]) -> Differentiated:
        """The chain rule: gradients of the tails' values, weighted by how much each moves the scalar."""
        stacked = torch.stack([torch.from_numpy(answer.values.astype(np.float64)) for answer in answers], -1)
        stacked.requires_grad_(True)
        with torch.enable_grad():
            outputs = grouped(stacked, self.tails.groups, torch)
            scalar = resolved(query.scalar, outputs[0].detach())
            values = valued(outputs, scalar, xp=torch)
            (slopes,) = torch.autograd.grad(values.sum(), stacked)
        length, first = len(self.encoding), answers[0]
        products = {
            key: np.sum(
                [slopes[:, k, None].numpy() * answer.products[key][:, :length] for k, answer in enumerate(answers)],
                axis=0,
            ).astype(np.float32)
            for key in first.products
        }
        if len(answers) == 1:
            products = {key: rows[:, :length] for key, rows in first.products.items()}
        decoded = {
            layer: Decoded(found.unique, found.share[:, :length], found.rate, found.head)
            for layer, found in first.decoded.items()
        }
        assert scalar.index is not None
        return Differentiated(_float32(outputs[0]), scalar.index, _float32(values), products, decoded)


def _longer_rows(rows: Rows | None, ids: tuple[int, ...]) -> Rows | None:
    if not isinstance(rows, Replaced):
        return rows
    tail = np.tile(np.asarray(ids, dtype=np.int64), (len(rows), 1))
    return Replaced(np.concatenate([rows.ids, tail], axis=1))


def _float32(values: Tensor) -> FloatArray:
    array: FloatArray = values.detach().to(torch.float32).numpy()
    return array
