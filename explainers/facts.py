"""What is known of a model without touching it: read by methods, targets and the capability check."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from saliscope.explainers.targets.scalar import Kind, TargetKind, kinds_of
from saliscope.explainers.targets.scales import Activation
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.texts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from saliscope.explainers.texts.chat import ChatTemplate, Message, Rendered

ModelKind = Literal["encoder-classifier", "decoder-classifier", "causal-lm", "module", "callable"]
"""Transformers by what they are; a torch module of one's own; a function of texts."""
Capability = Literal[
    "class",
    "next-token",
    "probabilities",
    "causal",
    "embeddings",
    "gradients",
    "layers",
    "mask",
    "drop",
    "unseen",
    "lm-head",
    "readable",
    "attention",
    "rules",
    "unknown",
    "vocabulary",
    "prefixes",
]

CAPABILITIES: Final[dict[Capability, str]] = {
    "class": "a classification head",
    "next-token": "a next-token head",
    "probabilities": "an output that is a probability",
    "causal": "causal attention (a decoder)",
    "embeddings": "word embeddings that can be moved",
    "gradients": "gradients to its embeddings",
    "layers": "blocks that can be tapped",
    "mask": "a token that stands for nothing",
    "drop": "a way to leave tokens out (in transformers position ids that keep the others in their places)",
    "unseen": "an attention mask, so that nobody looks at a token",
    "lm-head": "a language-model head of its own",
    "readable": "a language-model head, or embeddings as wide as its layers (lm_head_from=MODEL lends a head)",
    "attention": "attention maps that can be watched (one a layer, computed by torch's own functions)",
    "rules": "attention and norms computed by torch's own functions, so that relevance rules can reach them",
    "unknown": "a token for unknown words, other than those that begin or end a text",
    "vocabulary": "a vocabulary of which words can be drawn",
    "prefixes": "keys and values that can be kept, so that an edited text is computed from the edit on",
}


@dataclass(frozen=True, slots=True)
class Check:
    """What a short run has found: `value` is how far from perfect (0), relative; at most `limit` is in order."""

    name: str
    ok: bool
    value: float
    limit: float

    def to_dict(self) -> dict[str, Any]:
        """As plain types; a value that is not finite is None."""
        value = self.value if isfinite(self.value) else None
        return {"name": self.name, "ok": self.ok, "value": value, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of a loaded model; `fingerprint` names its weights and configuration."""

    name: str
    kind: ModelKind
    labels: tuple[str, ...]
    capabilities: frozenset[Capability]
    num_layers: int
    max_tokens: int
    vocab_size: int
    mask_id: int
    mask_text: str
    fingerprint: str
    activation: Activation = "softmax"
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Parameters by method that the checkpoint's maker recommends: `"saliscope": {method: {…}}` in its config."""
    window: int | None = None
    """How far the most short-sighted layer looks, in tokens."""
    lacking: Mapping[Capability, str] = field(default_factory=dict)
    """Why it has not what one would expect it to have."""
    notes: tuple[str, ...] = ()
    """What a reader of any of its explanations must know."""
    scale_free: bool = False
    """Whether the length of a word embedding means nothing to it, so that a gradient along it is rounding."""
    checks: tuple[Check, ...] = ()
    """What was found when it was loaded; empty where that was not asked for."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of any of its answers must be warned of."""
        return tuple(
            f"the model failed its {check.name} check ({check.value:.2g}, at most {check.limit:.2g}): trust this less"
            for check in self.checks
            if not check.ok
        )

    def activation_of(self, kind: Kind) -> Activation:
        """What makes probabilities of the raw outputs of one of its heads."""
        return self.activation if kind == "class" else "softmax"

    @property
    def targets(self) -> tuple[TargetKind, ...]:
        """The kinds of target it answers, the default first."""
        return kinds_of(self.kinds, len(self.labels))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Its heads, the default first."""
        own: tuple[Kind, ...] = ("next-token",) if self.kind == "causal-lm" else ("class",)
        return (*own, "next-token") if "next-token" in self.capabilities and own == ("class",) else own


class ModelView(Vocabulary, Protocol):
    """The part of a model that an explanation may use before and between its queries."""

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""

    @property
    def constants(self) -> Constants:
        """Answers that depend on the model alone."""

    @property
    def chat_template(self) -> ChatTemplate | None:
        """What makes a prompt of messages, if the model has it."""

    def encode(self, text: str, most: int | None = None) -> Encoding:
        """The text as the model sees it, or the first `most` tokens of it."""

    def encode_pair(self, text: str, pair: str, most: int | None = None) -> Encoding:
        """Two texts as the model sees them together, at most `most` tokens."""

    def encode_chat(self, rendered: Rendered, messages: tuple[Message, ...], most: int | None = None) -> Encoding:
        """A rendered chat as the model sees it; one of more than `most` tokens is `TooLarge`."""


class Constants:
    """A small store of answers that are the same for every text, newest kept."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._rows: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any | None:
        """The stored answer, or None."""
        if key in self._rows:
            self._rows.move_to_end(key)
        return self._rows.get(key)

    def put(self, key: Any, value: Any) -> None:
        """Store an answer and drop the least used one beyond the limit."""
        self._rows[key] = value
        self._rows.move_to_end(key)
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)
