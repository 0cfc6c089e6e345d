"""Classifiers with the shapes of real ones, random weights, and texts of a wanted length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from saliscope.explainers import load
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.texts.encoding import Encoding

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = 1000
SHAPES = ("minilm", "gpt2")
TARGET = 1


def build(shape: str, folder: Path) -> Path:
    """A model folder: "minilm" is BERT 6 x 384 of 12 heads, "gpt2" is GPT-2 small; two labels."""
    causal = shape == "gpt2"
    torch.manual_seed(0)
    # Wider than usual: scores must be large enough to tell whether two of them agree.
    common: dict[str, Any] = {
        "initializer_range": 0.05,
        "num_labels": 2,
        "pad_token_id": 0,
        "eos_token_id": None,
        "bos_token_id": None,
    }
    made: Any
    if causal:
        made = transformers.GPT2ForSequenceClassification(transformers.GPT2Config(vocab_size=50257, **common))
    else:
        sizes = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
        made = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=30522, **sizes, **common))
    made.save_pretrained(folder)
    _tokenizer(causal).save_pretrained(folder)
    return folder


def _tokenizer(causal: bool) -> Any:
    entries = [*SPECIAL, "...", *(f"word{i}" for i in range(WORDS))]
    core = Tokenizer(models.WordLevel({entry: index for index, entry in enumerate(entries)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if causal:
        return transformers.PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", model_max_length=512)
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=512, **names)


@dataclass(frozen=True)
class Subject:
    """A model, as we load it and as it is, and one text of `num_tokens` tokens beside the special ones."""

    shape: str
    folder: Path
    model: TextModel
    num_tokens: int

    @property
    def plain(self) -> Any:
        """The Hugging Face model itself."""
        return self.model.network.model

    @cached_property
    def text(self) -> str:
        """Words drawn from the vocabulary."""
        rng = np.random.default_rng(self.num_tokens)
        return " ".join(f"word{i}" for i in rng.integers(0, WORDS, self.num_tokens))

    @cached_property
    def encoding(self) -> Encoding:
        """The text as the model sees it."""
        return self.model.encode(self.text)

    @cached_property
    def ids(self) -> Tensor:
        """`[1, T]`."""
        return torch.from_numpy(self.encoding.ids)[None]

    @cached_property
    def ordinary(self) -> Tensor:
        """Which positions are words, `[T]`."""
        return torch.from_numpy(~self.encoding.special)

    @cached_property
    def masked(self) -> Tensor:
        """The ids with every word replaced by the mask token, `[1, T]`."""
        ids = self.ids.clone()
        ids[0, self.ordinary] = self.model.facts.mask_id
        return ids

    def logits(self, ids: Tensor) -> Tensor:
        """The plain model as its users call it, without padding and so without a mask."""
        found: Tensor = self.plain(input_ids=ids).logits
        return found


def subjects(shape: str, folder: Path, sizes: list[int]) -> list[Subject]:
    """One model with a text of each size."""
    model = load(str(build(shape, folder)), "cpu")
    return [Subject(shape, folder, model, size) for size in sizes]
