"""Tiny models with random weights, one of each architecture, saved as users' folders are."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "the plot is a mess but the cast is wonderful and the music is fine",
    "a dull, lifeless and boring film that never finds its feet",
    "one of the best films of the year: funny, warm and clever",
    "it is hard to hate this movie, and harder to love it . . . ...",
]
TEXTS = ["a dull film", "the plot is a mess but the cast is wonderful", "funny, warm and clever"]
LABELS = {0: "negative", 1: "neutral", 2: "positive"}

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
GROUPED = {**SMALL, "num_key_value_heads": 2, "head_dim": 8}
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", SMALL),
    "roberta": ("Roberta", {**SMALL, "max_position_embeddings": 66}),
    "distilbert": ("DistilBert", {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48}),
    "albert": ("Albert", {**SMALL, "embedding_size": 16}),
    "electra": ("Electra", {**SMALL, "embedding_size": 16}),
    "mpnet": ("MPNet", {**SMALL, "max_position_embeddings": 66}),
    "deberta-v2": ("DebertaV2", {**SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "modernbert": ("ModernBert", {**SMALL, "local_attention": 8, "global_attn_every_n_layers": 2}),
    "xlm-roberta": ("XLMRoberta", {**SMALL, "max_position_embeddings": 66}),
}
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}),
    "gpt-neox": ("GPTNeoX", SMALL),
    "opt": (
        "OPT",
        {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_dim": 48, "word_embed_proj_dim": 32},
    ),
    "llama": ("Llama", GROUPED),
    "qwen2": ("Qwen2", {**SMALL, "num_key_value_heads": 2}),
    "qwen3": ("Qwen3", GROUPED),
    "mistral": ("Mistral", {**GROUPED, "sliding_window": 16}),
    "gemma2": ("Gemma2", {**GROUPED, "query_pre_attn_scalar": 8, "sliding_window": 16}),
    "phi3": ("Phi3", {**SMALL, "num_key_value_heads": 2}),
}
ARCHITECTURES = [*ENCODERS, *DECODERS]


@cache
def tokenizer(causal: bool) -> Any:
    """A word-piece tokenizer with [CLS] and [SEP], or a byte-level one without special tokens.

    Their vocabularies are written out, not trained: a trainer breaks ties in another order in each process.
    """
    return _byte_level() if causal else _word_piece()


def _words(pattern: str) -> list[str]:
    return sorted({word for line in CORPUS for word in re.findall(pattern, line.lower())})


def _byte_level() -> Any:
    vocab = {text: index for index, text in enumerate(["<eos>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    merges: list[tuple[str, str]] = []
    for word in _words(r" ?\w+|\.\.\.|[^\w\s]"):
        word = word.replace(" ", "Ġ")
        for end in range(1, len(word)):
            if word[: end + 1] not in vocab:
                merges.append((word[:end], word[end]))
                vocab[word[: end + 1]] = len(vocab)
    core = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<eos>", pad_token="<pad>", model_max_length=64)


def _word_piece() -> Any:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({char for line in CORPUS for char in line.lower() if not char.isspace()})
    pieces = [*special, *letters, *(f"##{char}" for char in letters), *_words(r"\w\w+")]
    core = Tokenizer(models.WordPiece(vocab={text: index for index, text in enumerate(pieces)}, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    ends = [("[CLS]", pieces.index("[CLS]")), ("[SEP]", pieces.index("[SEP]"))]
    core.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {
        name: f"[{name[:-6].upper()}]" for name in ("unk_token", "cls_token", "sep_token", "pad_token", "mask_token")
    }
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, **names)


def build(architecture: str, task: str = "ForSequenceClassification", **overrides: Any) -> Any:
    """A seeded model of an architecture: `task` is ForSequenceClassification, ForCausalLM or ForMaskedLM."""
    causal = architecture in DECODERS
    name, sizes = {**ENCODERS, **DECODERS}[architecture]
    pieces = tokenizer(causal)
    options = {
        "vocab_size": len(pieces),
        "max_position_embeddings": 64,
        "initializer_range": 0.2,
        "pad_token_id": pieces.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": pieces.eos_token_id if causal else None,
        "id2label": LABELS,
        "label2id": {label: index for index, label in LABELS.items()},
        **sizes,
        **overrides,
    }
    if architecture == "gpt2":
        del options["max_position_embeddings"]
    config = getattr(transformers, f"{name}Config")(**options)
    head = "LMHeadModel" if (name, task) == ("GPT2", "ForCausalLM") else task
    torch.manual_seed(7)
    return getattr(transformers, f"{name}{head}")(config).eval()


def save(model: Any, folder: Path, causal: bool) -> Path:
    """The model and its tokenizer as a folder."""
    model.save_pretrained(folder)
    tokenizer(causal).save_pretrained(folder)
    return folder


Builder = Callable[..., Path]
