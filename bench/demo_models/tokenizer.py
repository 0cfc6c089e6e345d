"""The two lower-casing tokenizers, and token embeddings to start from."""

from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from .recipe import Recipe

NUM_SPECIAL = {"encoder": 5, "decoder": 2}
"""The special tokens have the lowest ids."""


def train_tokenizer(kind: str, texts: Iterable[str], recipe: Recipe) -> Any:
    """A tokenizer in Hugging Face form: WordPiece for the encoder, byte-level BPE for the decoder."""
    return _train_wordpiece(texts, recipe) if kind == "encoder" else _train_byte_bpe(texts, recipe)


def _train_wordpiece(texts: Iterable[str], recipe: Recipe) -> Any:
    raw: Any = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=recipe.vocab_size,
        min_frequency=2,
        special_tokens=special,
        limit_alphabet=300,
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    # the trainer numbers tokens of one rank in another order each time
    ordered = special + sorted(set(raw.get_vocab()) - set(special))
    raw.model = models.WordPiece({token: i for i, token in enumerate(ordered)}, unk_token="[UNK]")
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, special.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=recipe.context,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _train_byte_bpe(texts: Iterable[str], recipe: Recipe) -> Any:
    raw: Any = Tokenizer(models.BPE())
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.post_processor = processors.ByteLevel(trim_offsets=False)
    end, pad = "<|endoftext|>", "<|pad|>"
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocab_size,
        min_frequency=2,
        special_tokens=[end, pad],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        unk_token=end,
        bos_token=end,
        eos_token=end,
        pad_token=pad,
        model_max_length=recipe.context,
    )


def encode_plain(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids without special tokens, of any length."""
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return rows


def start_embeddings(
    tokenizer: Any, kind: str, teacher_tokenizer: Any, table: torch.Tensor, recipe: Recipe
) -> torch.Tensor:
    """Embeddings [vocabulary, width] from the teacher's `table`: the mean of each token's pieces, by PCA."""
    known, rows = teacher_tokenizer.get_vocab(), []
    for i in range(len(tokenizer)):
        piece = tokenizer.convert_ids_to_tokens(i)
        text = piece.removeprefix("##") if kind == "encoder" else tokenizer.decode([i]).strip()
        ids = [known[piece]] if piece in known else encode_plain(teacher_tokenizer, [text])[0]
        rows.append(table[ids].mean(0) if ids else table.mean(0))
    centred = torch.stack(rows) - torch.stack(rows).mean(0)
    directions = torch.linalg.svd(centred, full_matrices=False)[2]
    reduced = centred @ directions[: recipe.width].T
    # a random rotation spreads the variance evenly over the dimensions, and so over the heads
    random = torch.randn(recipe.width, recipe.width, generator=torch.Generator().manual_seed(recipe.seed))
    rotated = reduced @ torch.linalg.qr(random)[0]
    return torch.mul(rotated, 0.02 / rotated.std())
