"""Language-model heads on loan: a checkpoint's own, or another model's, for reading layers with."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from saliscope.explainers.errors import LoadingFailed, NotCapable, first_line
from saliscope.explainers.models.checkpoint import Trust, check_weights, read_model, read_tokenizer
from saliscope.explainers.models.finding import Source, find_source
from saliscope.explainers.models.heads import Head
from saliscope.explainers.models.network import Network
from saliscope.explainers.texts.tokenizing import Tokenizing


class HeadLoader:
    """Loads the language-model head of a checkpoint, its own or another's, if it is trained and fits."""

    def __init__(
        self,
        source: Source,
        network: Network,
        tokenizing: Tokenizing,
        options: dict[str, Any],
        trust: Trust,
    ) -> None:
        self.source, self.network, self.tokenizing = source, network, tokenizing
        self.options, self.trust = options, trust
        self._loaded: dict[str | None, Head] = {}

    def __call__(self, source: str | None) -> Head:
        """The head of model `source`, or of this checkpoint; refused unless it is trained and fits."""
        own = self.network.heads.get("next-token")
        if source is None and isinstance(own, Head):
            return own
        if source not in self._loaded:
            self._loaded[source] = self._load(source)
        return self._loaded[source]

    @property
    def modules(self) -> list[Any]:
        """What it has loaded, as modules."""
        return [head.module for head in self._loaded.values()]

    def _load(self, source: str | None) -> Head:
        found = self.source
        if source is not None:
            # A head is never fetched on the way: `saliscope load NAME --download` does that.
            found = find_source(source)
            check_weights(found, self.trust)
        auto_class = AutoModelForCausalLM if self.network.causal else AutoModelForMaskedLM
        try:
            model, _ = read_model(found, auto_class, self.options, self.trust)
            other = None if source is None else read_tokenizer(found, self.trust)
        except LoadingFailed as error:
            raise NotCapable(
                f"the language-model head of {source or 'this checkpoint'} does not serve: {error}"
            ) from error
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise NotCapable(
                f"{source or 'this checkpoint'} gives no language-model head: {first_line(error)}"
            ) from error
        self._check_fit(model, other, source)
        return Head(model.to(self.network.device).eval().requires_grad_(False), source or "own")

    def _check_fit(self, model: Any, other: Any, source: str | None) -> None:
        """Same hidden size, same vocabulary size, and the same ids for ordinary words."""
        ours, theirs = self.network.model.config, model.config
        if ours.hidden_size != theirs.hidden_size:
            raise NotCapable(
                f"the head of {source} reads {theirs.hidden_size} dimensions, this model has {ours.hidden_size}"
            )
        if other is None:
            return
        if theirs.vocab_size < ours.vocab_size:
            raise NotCapable(f"the head of {source} knows {theirs.vocab_size} tokens, this model {ours.vocab_size}")
        words = "the of and to a in is that it was for on are as with his they at be this from I have or by one had"
        for word in [*words.split(), *(f" {word}" for word in words.split())]:
            if self.tokenizing.tokenizer(word)["input_ids"] != other(word)["input_ids"]:
                raise NotCapable(f"the head of {source} has another vocabulary: {word!r} has different ids there")
