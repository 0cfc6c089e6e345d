"""A causal language model that says the last word but one again: nothing else of the text matters to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from tests.explainers import tiny

LOUD = 8.0
"""The logit of the token that is copied; all others have 0."""


class CopyConfig(PretrainedConfig):
    model_type = "copy"

    def __init__(self, vocab_size: int = 10, **rest: Any) -> None:
        super().__init__(**rest)
        self.vocab_size = self.hidden_size = vocab_size
        self.num_hidden_layers, self.max_position_embeddings = 2, 64
        self.bos_token_id = None


class CopyModel(PreTrainedModel):
    """The state at each position is the embedding of the position before it."""

    config_class = CopyConfig
    base_model_prefix = "copy"

    def __init__(self, config: CopyConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def _init_weights(self, module: nn.Module) -> None:
        nn.init.eye_(self.words.weight)

    def forward(self, input_ids: Any = None, inputs_embeds: Any = None, **rest: Any) -> BaseModelOutput:
        embeds = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        return BaseModelOutput(last_hidden_state=torch.cat([torch.zeros_like(embeds[:, :1]), embeds[:, :-1]], 1))


class CopyForCausalLM(PreTrainedModel):
    config_class = CopyConfig
    base_model_prefix = "copy"

    def __init__(self, config: CopyConfig) -> None:
        super().__init__(config)
        self.copy = CopyModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def _init_weights(self, module: nn.Module) -> None:
        if module is self.lm_head:
            nn.init.eye_(self.lm_head.weight)
            self.lm_head.weight.data.mul_(LOUD)

    def forward(self, **inputs: Any) -> CausalLMOutput:
        return CausalLMOutput(logits=self.lm_head(self.copy(**inputs).last_hidden_state))


AutoConfig.register("copy", CopyConfig, exist_ok=True)
AutoModelForCausalLM.register(CopyConfig, CopyForCausalLM, exist_ok=True)


def save(folder: Path) -> Path:
    """A folder with such a model."""
    pieces = tiny.tokenizer(True)
    config = CopyConfig(len(pieces), pad_token_id=pieces.pad_token_id, eos_token_id=pieces.eos_token_id)
    config.tie_word_embeddings = False
    return tiny.save(CopyForCausalLM(config), folder, True)
