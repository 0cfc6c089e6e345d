"""Any function of texts as a model: nothing of it can be seen but what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from saliscope.explainers.answers import Answer, Evaluated, Solved
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable, TooLarge
from saliscope.explainers.facts import Capability, Constants, ModelFacts
from saliscope.explainers.foreign.outputs import NOTE, Form, logits_of, name_outputs
from saliscope.explainers.foreign.words import MASKED, OTHERS, encode_words, write_rows
from saliscope.explainers.queries import Evaluate, Outputs, Piece, Query, Solve, Value
from saliscope.explainers.targets.scales import Activation, valued
from saliscope.explainers.texts.chat import Message, Rendered
from saliscope.explainers.texts.encoding import Encoding, FloatArray
from saliscope.explainers.texts.vocabulary import OneForm

MAX_TEXT_BYTES = 1 << 20
SUM_TOLERANCE = 1e-3
UNSEEN: Final = "a function of texts shows nothing but its answers"
LACKING: Final[tuple[Capability, ...]] = (
    "attention",
    "causal",
    "embeddings",
    "gradients",
    "layers",
    "readable",
    "rules",
    "unknown",
    "vocabulary",
)
Predict = Callable[[list[str]], Any]
Wide = np.ndarray[Any, np.dtype[np.float64]]


class CallableModel(OneForm):
    """A function of texts, ready to answer queries; its tokens are the words of a text.

    `predict` is called with at most `max_batch` texts and never otherwise.
    """

    def __init__(
        self, predict: Predict, labels: Sequence[str], name: str, mask: str | None, max_batch: int, form: Form,
        activation: Activation | None,
    ) -> None:  # fmt: skip
        if not callable(predict):
            raise BadRequest(f"predict: expected a function of a list of texts, got {type(predict).__name__}")
        if isinstance(max_batch, bool) or not isinstance(max_batch, int) or max_batch < 1:
            raise BadRequest(f"max_batch: expected a whole number from 1, got {max_batch!r}")
        self._predict, self._max_batch, self._form, self._mask = predict, max_batch, form, mask or ""
        self._labelling = name_outputs(labels, form, activation)
        self._num_outputs = 1 if self._labelling.both_ways else len(self._labelling.labels)
        self._others: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._constants = Constants()
        found: set[Capability] = {"class", "mask", "drop"}
        if self._labelling.activation != "identity":
            found.add("probabilities")
        self._facts = ModelFacts(
            name=name,
            kind="callable",
            labels=self._labelling.labels,
            capabilities=frozenset(found),
            num_layers=0,
            max_tokens=MAX_TEXT_BYTES,
            vocab_size=0,
            mask_id=MASKED,
            mask_text=self._mask,
            fingerprint=f"callable {name}",
            activation=self._labelling.activation,
            lacking=dict.fromkeys(LACKING, UNSEEN),
            notes=(NOTE,) if form == "probabilities" else (),
        )

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._facts

    @property
    def constants(self) -> Constants:
        """Answers that depend on the model alone."""
        return self._constants

    def encode(self, text: str, most: int | None = None) -> Encoding:
        """The words of a text. Over 1 MiB it is `TooLarge`."""
        if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
            raise TooLarge(f"text: it is over the limit of {MAX_TEXT_BYTES} bytes; explain a part of it")
        return encode_words(text)

    chat_template = None

    def encode_pair(self, text: str, pair: str, most: int | None = None) -> Encoding:
        """Never: the function gets one text."""
        raise NotCapable("pair: a function of texts reads one text; put both in it")

    def encode_chat(self, rendered: Rendered, messages: tuple[Message, ...], most: int | None = None) -> Encoding:
        """Never: there is no template."""
        raise NotCapable("messages: a function of texts has no chat template; give one text")

    def token_text(self, token_id: int) -> str:
        """The word of an id that `find_token` gave, or the mask text."""
        return self._others.get(token_id, self._mask)

    def find_token(self, text: str) -> int:
        """An id that stands for these words; blank text is `BadRequest`."""
        word = text.strip()
        if not word:
            raise BadRequest(f"{text!r} has no word")
        token_id = self._ids.setdefault(word, OTHERS + len(self._ids))
        self._others[token_id] = word
        return token_id

    def answer(self, query: Query) -> Answer:
        """Write the rows of a query as texts, ask the function, and read what the query wants."""
        if isinstance(query, Solve):
            return Solved(query.function(*query.arguments))
        if not isinstance(query, Evaluate) or not isinstance(query.read, Outputs | Value):
            raise NotCapable(f"{UNSEEN}; use a method that hides or replaces words, such as occlusion")
        read = query.read
        steps = range(0, query.num_rows, self._max_batch)
        pieces = [Piece(query, at, min(at + self._max_batch, query.num_rows)) for at in steps]
        outputs = np.concatenate([self._ask(write_rows(piece, self._mask, self._others), piece) for piece in pieces])
        first: FloatArray | None = outputs[0].astype(np.float32) if query.outputs else None
        if isinstance(read, Outputs):
            return Evaluated(outputs.astype(np.float32), first)
        values = valued(outputs, read.scalar, self._labelling.activation)
        return Evaluated(np.asarray(values, dtype=np.float32), first)

    def _ask(self, texts: list[str], piece: Piece) -> Wide:
        """Raw outputs `[B, C]` of texts, checked; an error names the row and shows its text."""
        # A list of its own: what the function does to it is no concern of ours.
        answered = _array(self._predict(list(texts)))
        if answered.ndim == 1 and self._num_outputs == 1:
            answered = answered[:, None]
        if answered.shape != (len(texts), self._num_outputs):
            raise BadRequest(
                f"{self._facts.name}: predict gave an array of shape {answered.shape} for {len(texts)} texts; expected"
                f" {(len(texts), self._num_outputs)}, one row a text and one number a label"
            )
        for row in np.flatnonzero(~np.isfinite(answered).all(axis=1)).tolist():
            place = _place(texts, row, piece)
            raise NonFinite(f"{self._facts.name}: predict gave {answered[row].tolist()} for {place}")
        if self._form == "probabilities":
            answered = logits_of(self._checked(answered, texts, piece), self._labelling.activation, np)
        return np.concatenate([answered, -answered], axis=1) if self._labelling.both_ways else answered

    def _checked(self, shares: Wide, texts: list[str], piece: Piece) -> Wide:
        outside = np.asarray(((shares < -SUM_TOLERANCE) | (shares > 1 + SUM_TOLERANCE)).any(axis=1))
        off = np.abs(shares.sum(axis=1) - 1) > SUM_TOLERANCE if self._labelling.activation == "softmax" else outside
        for row in np.flatnonzero(outside | off).tolist():
            what = "no probabilities" if outside[row] else "probabilities that do not add up to 1"
            hint = "outputs='logits'" if outside[row] else "activation='sigmoid' if labels do not exclude each other"
            said = f"predict gave {what}, {shares[row].tolist()}, for {_place(texts, row, piece)}"
            raise BadRequest(f"{self._facts.name}: {said}; use {hint}")
        return shares


def _array(answered: Any) -> Wide:
    """What a function answered as an array; tensors come off their device."""
    if hasattr(answered, "detach"):
        answered = answered.detach().to("cpu").double()
    try:
        return np.asarray(answered, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"predict: expected an array of numbers, one row a text ({error})") from error


def _place(texts: list[str], row: int, piece: Piece) -> str:
    shown = texts[row] if len(texts[row]) <= 80 else f"{texts[row][:79]}…"
    return f"row {piece.start + row}, {shown!r}"
