"""A text model that is a plain net: the mean of the word embeddings through linear maps and activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from tests.explainers import tiny

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU}


class BagConfig(PretrainedConfig):
    model_type = "bag"

    def __init__(self, vocab_size: int = 10, activation: str = "relu", **rest: Any) -> None:
        super().__init__(**rest)
        self.vocab_size, self.activation = vocab_size, activation
        self.hidden_size, self.num_hidden_layers, self.max_position_embeddings = 16, 2, 64
        self.bos_token_id = self.eos_token_id = None


class BagModel(PreTrainedModel):
    config_class = BagConfig
    base_model_prefix = "bag"

    def __init__(self, config: BagConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, inputs_embeds: Any = None, **rest: Any
    ) -> BaseModelOutput:
        embeds = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        seen = torch.ones(embeds.shape[:2]) if attention_mask is None else attention_mask
        shares = (seen / seen.sum(1, keepdim=True)).to(embeds.dtype)
        return BaseModelOutput(last_hidden_state=(shares[:, :, None] * embeds).sum(1, keepdim=True).expand_as(embeds))


class BagForSequenceClassification(PreTrainedModel):
    config_class = BagConfig
    base_model_prefix = "bag"

    def __init__(self, config: BagConfig) -> None:
        super().__init__(config)
        self.bag = BagModel(config)
        made, width = ACTIVATIONS[config.activation], config.hidden_size
        layers = [nn.Linear(width, 24), made(), nn.Linear(24, 24), made(), nn.Linear(24, config.num_labels)]
        self.net = nn.Sequential(*layers)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        for weight in module.parameters(recurse=False):
            nn.init.normal_(weight, std=0.5)

    def forward(self, attention_mask: Any = None, **inputs: Any) -> SequenceClassifierOutput:
        state: Tensor = self.bag(attention_mask=attention_mask, **inputs).last_hidden_state
        return SequenceClassifierOutput(logits=self.net(state[:, 0]))


AutoConfig.register("bag", BagConfig, exist_ok=True)
AutoModelForSequenceClassification.register(BagConfig, BagForSequenceClassification, exist_ok=True)


def save(folder: Path, activation: str) -> Path:
    """A folder with such a model."""
    pieces = tiny.tokenizer(False)
    torch.manual_seed(3)
    config = BagConfig(
        len(pieces),
        activation,
        id2label=tiny.LABELS,
        label2id={label: index for index, label in tiny.LABELS.items()},
        pad_token_id=pieces.pad_token_id,
    )
    return tiny.save(BagForSequenceClassification(config), folder, False)
