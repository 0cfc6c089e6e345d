"""In which order features go, and how many at a time."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from saliscope.explainers.facts import Capability
from saliscope.explainers.metrics.subject import Erasure, Scores, Subject, Wide
from saliscope.explainers.texts.encoding import BoolArray

Orders = np.ndarray[Any, np.dtype[np.int64]]

#: Orders over which the random control is averaged: half of them drawn, and the reverse of each.
RANDOM_ORDERS: Final = 8

By = Annotated[
    Literal["signed", "abs"], msgspec.Meta(description="signed: what supports the target most; abs: what matters most")
]
Mass = Annotated[
    Literal["tokens", "features"],
    msgspec.Meta(description="what a fraction counts; tokens: texts keep the same share whatever the features' length"),
]
Hide = Annotated[
    Literal["auto", "replace", "attention", "drop", "zero", "unk", "random-word"],
    msgspec.Meta(
        description="replace: by the mask token; attention: nobody looks at it; drop: left out; zero: no embedding;"
        " unk: by the unknown token; random-word: by entries of the vocabulary, one drawn for each place of a text;"
        " auto: drop on encoders, or attention where they cannot, else replace"
    ),
]


def orders_of(subject: Subject, scores: Scores, by: Literal["signed", "abs"] = "signed") -> Orders:
    """Feature numbers, the most important first, `[R, n]`: one order, of the random control several.

    Equal scores are ordered by `ties` where a method has them, then at random by the seed; never as they stand.
    """
    if scores.is_random:
        return random_orders(subject)
    values, ties = scores.values, scores.values if scores.ties is None else scores.ties
    if by == "abs":
        values, ties = np.abs(values), np.abs(ties)
    lots = _generator(subject, 1).permutation(len(values))
    return np.lexsort((lots, -ties, -values))[None, :]


def random_orders(subject: Subject) -> Orders:
    """The random orders of a text, `[R, n]`; the same for every metric, and with each its reverse."""
    if "orders" not in subject.notes:
        rng = _generator(subject, 0)
        half = np.stack([rng.permutation(len(subject.features)) for _ in range(RANDOM_ORDERS // 2)])
        subject.notes["orders"] = np.concatenate([half, half[:, ::-1]])
    orders: Orders = subject.notes["orders"]
    return orders


def counts_at(orders: Orders, sizes: Wide, fractions: Wide, mass: Literal["tokens", "features"]) -> Orders:
    """How many features of each order come nearest to each fraction of the text, `[R, G]`; a half is rounded up."""
    weight = sizes[orders] if mass == "tokens" else np.ones(orders.shape)
    ends = np.cumsum(weight, axis=1)
    middles = ends - weight / 2
    wanted = fractions * sizes.sum() if mass == "tokens" else fractions * orders.shape[1]
    return np.asarray((middles[:, None, :] <= wanted[None, :, None] + 1e-9).sum(axis=2), dtype=np.int64)


def shares(orders: Orders, sizes: Wide, counts: Orders, mass: Literal["tokens", "features"]) -> Wide:
    """The share of the text that the first `counts [R, G]` features are, `[R, G]`."""
    weight = sizes[orders] if mass == "tokens" else np.ones(orders.shape)
    ends = np.concatenate([np.zeros((len(orders), 1)), np.cumsum(weight, axis=1)], axis=1)
    return np.asarray(np.take_along_axis(ends, counts, axis=1) / ends[:, -1:])


def first(orders: Orders, counts: Orders) -> BoolArray:
    """Rows `[R * G, n]` that hold the first `counts [R, G]` features of each order."""
    rank = np.argsort(orders, axis=1)
    return (rank[:, None, :] < counts[:, :, None]).reshape(-1, orders.shape[1])


def chosen_hiding(subject: Subject, hide: Erasure | Literal["auto"]) -> Erasure:
    """What hiding means for a model: on encoders nobody looks at what is hidden, which is leaving it out."""
    if hide != "auto":
        return hide
    facts = subject.facts
    if "causal" in facts.capabilities:
        return "replace"
    fits = facts.window is None or len(subject.encoding) <= facts.window
    if "drop" in facts.capabilities and fits:
        return "drop"
    return "attention" if "unseen" in facts.capabilities else "replace"


def needs_of_hide(params: Any) -> frozenset[Capability]:
    """What the way of hiding in `params.hide` takes."""
    needs: dict[str, Capability] = {
        "drop": "drop",
        "attention": "unseen",
        "zero": "embeddings",
        "unk": "unknown",
        "random-word": "vocabulary",
    }
    return frozenset({needs[params.hide]}) if params.hide in needs else frozenset()


def _generator(subject: Subject, purpose: int) -> np.random.Generator:
    return np.random.default_rng((subject.seed, subject.number, purpose))
