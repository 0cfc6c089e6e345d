"""A model that is no model: words are tokens, and the outputs are a known set function of the words that are kept."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from saliscope.explainers import Attribution, Question, drive
from saliscope.explainers.answers import Answer, Differentiated, Evaluated, Solved
from saliscope.explainers.explaining import explaining
from saliscope.explainers.facts import Constants, ModelFacts
from saliscope.explainers.queries import Along, Differentiate, Evaluate, Outputs, Query, Solve
from saliscope.explainers.targets.scales import scaled_every, valued
from saliscope.explainers.texts.encoding import Encoding, Token
from saliscope.explainers.variants import Masked, Moved, Replaced

MASK, LEAD, TRAIL, UNKNOWN = 1, 2, 3, 4
Game = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
"""Raw outputs `[C]` of a text whose positions `[T]` are visible (True) or masked."""

BASIC = frozenset({"class", "probabilities", "embeddings", "mask", "drop", "unseen"})
DECODER = BASIC | {"causal"}
ENCODER = BASIC | {"gradients", "layers", "readable", "lm-head"}
PARAMS = ("window", "p0", "layer", "relu", "split", "tau", "include_special")


@dataclass
class FakeModel:
    """A `ModelView` whose answers are computed from `game`; `queries` holds what was asked."""

    game: Game
    labels: tuple[str, ...] = ("no", "yes")
    capabilities: frozenset[Any] = DECODER
    leading: int = 0
    trailing: int = 0
    max_tokens: int = 4096
    inner: Mapping[int, Any] = field(default_factory=dict)
    decoded: Mapping[int, Any] = field(default_factory=dict)
    constants: Constants = field(default_factory=Constants)
    queries: list[Query] = field(default_factory=list)

    @property
    def facts(self) -> ModelFacts:
        kind: Any = "decoder-classifier" if "causal" in self.capabilities else "encoder-classifier"
        return ModelFacts(
            name="fake",
            kind=kind,
            labels=self.labels,
            capabilities=self.capabilities,
            num_layers=4,
            max_tokens=self.max_tokens,
            vocab_size=1000,
            mask_id=MASK,
            mask_text="...",
            fingerprint="fake",
        )

    def encode(self, text: str, most: int | None = None) -> Encoding:
        """One token a word, with fixed tokens around; "~" cuts a word in two tokens, "+" joins two positions.

        The word "|" is a fixed token of a template, and "^" is the leading token's id typed by a person.
        """
        tokens: list[Token] = [Token("<", 0, 0, True, (k,), (LEAD,)) for k in range(self.leading)]
        at = self.leading
        for match in re.finditer(r"[^\s~]+", text):
            if match[0] in ("|", "^"):
                fixed = match[0] == "|"
                span = (match.start(), match.start()) if fixed else match.span()
                tokens.append(Token(match[0], *span, fixed, (at,), (TRAIL if fixed else LEAD,)))
                at += 1
                continue
            width = 1 + match[0].count("+")
            ids = tuple(10 + sum(map(ord, match[0])) % 900 + k for k in range(width))
            tokens.append(Token(match[0], *match.span(), False, tuple(range(at, at + width)), ids))
            at += width
        tokens += [Token(">", len(text), len(text), True, (at + k,), (TRAIL,)) for k in range(self.trailing)]
        return Encoding(text, np.asarray([i for token in tokens for i in token.ids], dtype=np.int64), tuple(tokens))

    def token_text(self, token_id: int) -> str:
        return f"<{token_id}>"

    def find_token(self, text: str) -> int:
        return 10

    unknown_id = UNKNOWN

    @property
    def ordinary_ids(self) -> Any:
        return np.arange(10, 1000)

    def answer(self, query: Query) -> Answer:
        """What a model would say; a query that masks a fixed token is an error of the method."""
        self.queries.append(query)
        if isinstance(query, Solve):
            # As a worker does it: through another process.
            function, arguments = pickle.loads(pickle.dumps((query.function, query.arguments)))
            return Solved(pickle.loads(pickle.dumps(function(*arguments))))
        if isinstance(query, Differentiate):
            outputs = self.game(np.ones(len(query.encoding), dtype=bool))
            index = int(np.argmax(outputs)) if query.scalar.index is None else query.scalar.index
            inner = {layer: np.asarray(self.inner[layer], dtype=np.float32) for layer in query.layers}
            products = {(layer, "activation"): row[None] for layer, row in inner.items()}
            return Differentiated(_float32(outputs), index, _float32(outputs[[index]]), products, dict(self.decoded))
        visible = self.visible(query)
        rows = np.stack([self.game(row) for row in visible]).astype(np.float64)
        outputs = _float32(rows[0]) if query.outputs else None
        read = query.read
        if isinstance(read, Outputs):
            return Evaluated(_float32(rows), outputs)
        if isinstance(read, Along):
            prefixes = [[self.game(row & (np.arange(len(row)) <= p)) for p in read.positions] for row in visible]
            return Evaluated(_float32(scaled_every(np.asarray(prefixes, dtype=np.float64), read.scalar.scale)), outputs)
        return Evaluated(_float32(valued(rows, read.scalar)), outputs)

    def visible(self, query: Evaluate) -> np.ndarray[Any, Any]:
        """Which positions `[B, T]` hold their own id: read off the rows as a model would see them."""
        if query.rows is None:
            return (query.encoding.ids != MASK)[None, :]
        if isinstance(query.rows, Replaced):
            changed = query.rows.ids != query.encoding.ids
            assert not changed[:, query.encoding.special].any(), "a fixed token was replaced"
            return ~changed & (query.rows.ids != MASK)
        if isinstance(query.rows, Moved):
            # Wholly there or wholly gone: anything between has no answer in a set function.
            assert query.rows.reference == "zero"
            assert np.isin(query.rows.z, (0, -1)).all()
            query = replace(query, rows=Masked(query.rows.z == 0, query.rows.groups))
        assert isinstance(query.rows, Masked)
        hidden = query.rows.hidden(len(query.encoding), 0, query.num_rows)
        assert not hidden[:, query.encoding.special].any(), "a fixed token was masked"
        return ~hidden & (query.encoding.ids != MASK)

    @property
    def rows(self) -> int:
        """How many rows were asked for so far."""
        return sum(query.num_rows for query in self.queries if not isinstance(query, Solve))


def table_game(num_positions: int, seed: int, num_classes: int = 2) -> Game:
    """A random set function: one number a class for each of the 2^T coalitions."""
    table = np.random.default_rng(seed).normal(size=(2**num_positions, num_classes))

    def game(visible: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(table[int(visible @ (1 << np.arange(len(visible))))])

    return game


def linear_game(weights: Any) -> Game:
    """Outputs `[0, sum of the visible weights]`."""
    weights = np.asarray(weights, dtype=np.float64)
    return lambda visible: np.asarray([0.0, float(weights @ visible)])


def _float32(values: Any) -> Any:
    return np.asarray(values, dtype=np.float32)


def words(count: int) -> str:
    """A text of so many words."""
    return " ".join(f"w{k}" for k in range(count))


def run(model: FakeModel, text: str, method: str, **options: Any) -> Attribution:
    """Explain with a method; its parameters and what is asked of the explanation come side by side."""
    params = {name: options.pop(name) for name in list(options) if name in PARAMS}
    partials = options.pop("partials", None)
    question = Question(text, method, params=params, **options)
    return drive(explaining(model, question), model.answer, None if partials is None else partials.append)
