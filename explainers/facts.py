"""What is known of a model without touching it: read by methods, targets and the capability check."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from saliscope.explainers.encoding import Encoding
from saliscope.explainers.targets import Kind

if TYPE_CHECKING:
    from saliscope.explainers.chat import ChatTemplate, Message, Rendered

ModelKind = Literal["encoder-classifier", "decoder-classifier", "causal-lm"]
Capability = Literal[
    "class",
    "next-token",
    "causal",
    "gradients",
    "layers",
    "mask",
    "drop",
    "lm-head",
    "readable",
    "attention",
    "rules",
]

CAPABILITIES: Final[dict[Capability, str]] = {
    "class": "a classification head",
    "next-token": "a next-token head",
    "causal": "causal attention (a decoder)",
    "gradients": "gradients to its embeddings",
    "layers": "blocks that can be tapped",
    "mask": "a token that stands for nothing",
    "drop": "position ids that keep the other tokens in their places when some are left out",
    "lm-head": "a language-model head of its own",
    "readable": "a language-model head, or embeddings as wide as its layers (lm_head_from=MODEL lends a head)",
    "attention": "attention maps that can be watched (one a layer, computed by torch's own functions)",
    "rules": "attention and norms computed by torch's own functions, so that relevance rules can reach them",
}


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
    activation: Literal["softmax", "sigmoid"] = "softmax"
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Parameters by method that the checkpoint's maker recommends: `"saliscope": {method: {…}}` in its config."""
    window: int | None = None
    """How far the most short-sighted layer looks, in tokens."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of target it answers, the default first."""
        own: tuple[Kind, ...] = ("next-token",) if self.kind == "causal-lm" else ("class",)
        return (*own, "next-token") if "next-token" in self.capabilities and own == ("class",) else own


class ModelView(Protocol):
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

    def encode_pair(self, text: str, pair: str) -> Encoding:
        """Two texts as the model sees them together."""

    def encode_chat(self, rendered: Rendered, messages: tuple[Message, ...]) -> Encoding:
        """A rendered chat as the model sees it."""

    def token_text(self, token_id: int) -> str:
        """A vocabulary entry as text."""

    def find_token(self, text: str) -> int:
        """The first id of a text that continues another."""


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
