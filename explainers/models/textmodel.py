"""A loaded model, ready to answer queries."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import torch

from saliscope.explainers.answers import Answer, Solved
from saliscope.explainers.errors import NotCapable, TooLarge
from saliscope.explainers.facts import Constants, ModelFacts
from saliscope.explainers.models.continuing import Continuable, continued
from saliscope.explainers.models.execution import Executor
from saliscope.explainers.models.fingerprint import fingerprint, fingerprinting, summing
from saliscope.explainers.models.footprint import Footprint
from saliscope.explainers.models.heads import EmbeddingHead, Head
from saliscope.explainers.models.lines import Line
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.packing import cut
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.models.weighing import held_bytes
from saliscope.explainers.queries import Decoding, Evaluate, ModelQuery, Piece, Query, Solve, join
from saliscope.explainers.texts.chat import ChatTemplate, Message, Rendered, encode_chat, find_template
from saliscope.explainers.texts.encoding import Encoding, IntArray
from saliscope.explainers.texts.segments import encode_pair
from saliscope.explainers.texts.tokenizing import Tokenizing
from saliscope.explainers.texts.vocabulary import Tokens

MAX_TEXT_BYTES = 1 << 20
TOKENS_PER_MICRO_BATCH = 2048
ALWAYS_FITS = 64 << 20
"""Bytes for which nobody asks how much is left."""

HeadLoader = Callable[[str | None], Head]


class TextModel:
    """A model, its tokenizer and its heads: `encode` texts, `answer` queries, `compute` micro-batches.

    The shared model is never changed: no parameter requires a gradient, hooks are removed, the configuration and the
    tokenizer stay as they were (`fingerprint()` says so). Not safe for use from two threads at once.
    """

    def __init__(
        self, facts: ModelFacts, network: Surface, tokenizing: Tokens, load_head: HeadLoader, marks: Sequence[str] = ()
    ) -> None:
        self._facts = facts
        self._constants = Constants()
        self._network = network
        self._tokenizing = tokenizing
        self._load_head = load_head
        self._marks = tuple(marks)
        self.footprint: Footprint | None = None
        """What a row takes, where that was measured."""
        self.room: Callable[[], int] | None = None
        """How many bytes its device has left, where somebody says so."""
        self.continuable: Continuable | None = None
        """How its rows can be continued, where they can; `facts.lacking["prefixes"]` says why not."""
        self._executor = Executor(network, facts)
        self._decoders: dict[Decoding, Head | EmbeddingHead] = {}

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._facts

    @property
    def constants(self) -> Constants:
        """Answers that depend on the model alone."""
        return self._constants

    @property
    def network(self) -> Surface:
        """The model itself."""
        return self._network

    @property
    def tokenizer(self) -> Any:
        """The tokenizer itself."""
        return self._tokenizing.tokenizer

    @property
    def chat_template(self) -> ChatTemplate | None:
        """What makes a prompt of messages, if the tokenizer has it."""
        return find_template(self.tokenizer)

    def encode(self, text: str, most: int | None = None) -> Encoding:
        """The text as tokens with exact spans, cut at `most` tokens or the model's length; over 1 MiB it is
        `TooLarge`.
        """
        _check_size(text)
        return self._checked(self._tokenizing.encode(text, most or self._facts.max_tokens))

    def encode_pair(self, text: str, pair: str, most: int | None = None) -> Encoding:
        """Two texts as one, by the tokenizer's own template for pairs; cut and refused as one text is."""
        _check_size(text, pair)
        return self._checked(encode_pair(self._templates(), text, pair, most or self._facts.max_tokens))

    def encode_chat(self, rendered: Rendered, messages: tuple[Message, ...], most: int | None = None) -> Encoding:
        """A rendered chat; one longer than `most` tokens or the model reads is `TooLarge`."""
        return self._checked(encode_chat(self._templates(), rendered, messages, most or self._facts.max_tokens))

    def _templates(self) -> Tokenizing:
        """The tokenizer as one that has templates for pairs and chats."""
        if not isinstance(self._tokenizing, Tokenizing):
            raise NotCapable("a tokenizer of one's own has no template for pairs and chats; give one text")
        return self._tokenizing

    def _checked(self, encoding: Encoding) -> Encoding:
        """An encoding of ids that the model knows, without token types that it does not."""
        if encoding.type_ids is not None and int(encoding.type_ids.max()) >= self._network.num_types:
            encoding = replace(encoding, type_ids=None)
        known = self._network.num_embeddings
        if len(encoding) and int(encoding.ids.max()) >= known:
            raise NotCapable(
                f"the tokenizer gives id {int(encoding.ids.max())}, but the model has {known} embeddings;"
                " they do not belong together"
            )
        return encoding

    def token_text(self, token_id: int) -> str:
        """A vocabulary entry as text."""
        return self._tokenizing.token_text(token_id)

    def find_token(self, text: str) -> int:
        """The first id of a text that continues another; one that is a single token is preferred."""
        return self._tokenizing.find_token(text)

    def continuation(self, text: str) -> tuple[int, ...]:
        """The ids of a text that continues another."""
        return self._tokenizing.continuation(text)

    def word_forms(self, word: str) -> tuple[tuple[int, ...], ...]:
        """The ids of a word that continues a text, with a leading blank and without, the shortest only."""
        return self._tokenizing.word_forms(word)

    def decode(self, ids: Sequence[int]) -> str:
        """What ids say together."""
        return self._tokenizing.decode(ids)

    @property
    def end_ids(self) -> frozenset[int]:
        """The ids with which the model ends a text."""
        return self._tokenizing.end_ids | self._network.end_ids

    @property
    def unknown_id(self) -> int | None:
        """The id of the token for unknown words, if there is one."""
        return self._tokenizing.unknown_id

    @property
    def ordinary_ids(self) -> IntArray:
        """The ids of words and pieces of words that the model has embeddings for."""
        ids = self._tokenizing.ordinary_ids
        return ids[ids < self._network.num_embeddings]

    def answer(self, query: Query, budget: int = TOKENS_PER_MICRO_BATCH) -> Answer:
        """Compute one query in micro-batches of at most `budget` tokens."""
        if isinstance(query, Solve):
            return Solved(query.function(*query.arguments))
        return join(query, [self.compute([piece])[0] for piece in cut(query, budget)])

    def compute(self, pieces: Sequence[Piece]) -> list[Answer]:
        """Compute pieces that share a batch key in one pass, one answer a piece.

        A piece of which not even one row fits on the device is `TooLarge`, before anything is computed.
        """
        for piece in pieces:
            self._check_room(piece.query)
        wanted = {decoding for piece in pieces if (decoding := getattr(piece.query, "decoding", None))}
        for decoding in wanted:
            self.prepare(decoding)
        return self._executor.compute(pieces, self._decoders)

    def can_continue(self, found: Continuable | str) -> None:
        """Whether rows may be `continued`: what was found out, or why they may not."""
        if isinstance(found, Continuable):
            self.continuable = found
            self._executor.forward.shares = found.longest
            self._facts = replace(self._facts, capabilities=self._facts.capabilities | {"prefixes"})
        else:
            self._facts = replace(self._facts, lacking={**self._facts.lacking, "prefixes": found})

    def new_line(self) -> Line:
        """A line that holds nothing yet."""
        return Line(self._facts.num_layers)

    def continued(self, query: Evaluate, line: Line) -> Answer:
        """The answer to a plain row (see `continuing.can_continue`); only what the line does not hold is computed.

        It then holds the row. A model without the capability "prefixes" refuses; what does not fit is `TooLarge`.
        """
        if self.continuable is None or not isinstance(self._network, Network):
            raise NotCapable(f"rows of {self._facts.name} cannot be continued")
        self._check_room(query)
        activation = self._facts.activation_of(query.read.kind)
        return continued(query, line, self._network, activation, self.continuable)

    def _check_room(self, query: ModelQuery) -> None:
        if self.footprint is None or self.room is None:
            return
        needed = self.footprint.row(query)
        if needed <= ALWAYS_FITS:
            return
        available = self.room()
        if needed > available:
            raise TooLarge(
                f"text: one row of its {len(query.encoding)} tokens needs about {needed / 1e6:,.0f} MB, and"
                f" {available / 1e6:,.0f} MB are left on {self._network.device}; send a shorter text, unload another"
                " model, or load this one with dtype bfloat16",
                needed=needed,
                available=available,
            )

    def prepare(self, decoding: Decoding) -> None:
        """Load the head that a decoding names, once."""
        if decoding not in self._decoders:
            self._decoders[decoding] = self._decoder(decoding)

    def fingerprint(self) -> str:
        """A digest of weights, configuration and hooks as they are now."""
        return fingerprint(self._network.model, self._marks)

    def fingerprinting(self) -> Generator[None, None, str]:
        """The same digest in slices of milliseconds."""
        return fingerprinting(self._network.model, self._marks)

    def summing(self) -> Generator[None, None, str]:
        """A digest of every bit of the weights, in slices of milliseconds."""
        return summing(self._network.model)

    @property
    def num_bytes(self) -> int:
        """What its weights, and those of heads that it has borrowed, hold in memory."""
        return held_bytes([self._network.model, *getattr(self._load_head, "modules", ())])

    def _decoder(self, decoding: Decoding) -> Head | EmbeddingHead:
        weight: torch.Tensor = self._network.embedding.weight  # type: ignore[assignment]
        if decoding.lens == "input":
            hidden = int(self._network.model.config.hidden_size)
            if weight.shape[1] != hidden:
                raise NotCapable(
                    f"lens=input needs embeddings as wide as the layers; here {weight.shape[1]} and {hidden}: use head"
                )
            return EmbeddingHead(weight, "input-embeddings")
        if decoding.head is None and "lm-head" not in self._facts.capabilities:
            return EmbeddingHead(weight, "embedding", scale=weight.shape[1] ** -0.5)
        return self._load_head(decoding.head)


def _check_size(*texts: str) -> None:
    size = sum(len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > MAX_TEXT_BYTES:
        raise TooLarge(f"text: it has {size} bytes, over the limit of {MAX_TEXT_BYTES}; explain a part of it")
