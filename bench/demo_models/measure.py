"""Figures of one model, each with its standard error: accuracy, decode rate, masked words, perplexity."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .batches import pad
from .student import Student
from .tokenizer import NUM_SPECIAL, encode_plain

PREFIXES = (0.25, 0.50, 0.75, 1.00)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, its standard error over texts, and the number of things counted."""

    value: float
    stderr: float
    count: int

    def map(self, function: Callable[[float], float]) -> "Figure":
        """The figure of a function of the value, by the delta method."""
        value, step = function(self.value), 1e-5
        slope = (function(self.value + step) - function(self.value - step)) / (2 * step)
        return Figure(value, abs(slope) * self.stderr, self.count)


def ratio(sums: Tensor, counts: Tensor) -> Figure:
    """Total over total of one entry per text, the texts being the sample (not the tokens, which go together)."""
    sums, counts = sums.double(), counts.double()
    value = sums.sum() / counts.sum()
    spread = ((sums - value * counts) ** 2).sum().sqrt() * math.sqrt(len(sums) / max(1, len(sums) - 1))
    return Figure(float(value), float(spread / counts.sum()), int(counts.sum()))


def mean(hits: Tensor) -> Figure:
    """The mean of one entry per text."""
    return ratio(hits, torch.ones(len(hits)))


def batched(rows: list[list[int]], size: int, pad_id: int) -> Iterator[tuple[list[int], Tensor]]:
    """Rows by length, `size` at a time: their places in `rows`, and their ids [rows, tokens]."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(order), size):
        index = order[start : start + size]
        yield index, pad([rows[i] for i in index], pad_id)


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids as a user's text is encoded, cut at the model's length."""
    rows: list[list[int]] = tokenizer(texts, truncation=True, max_length=tokenizer.model_max_length)["input_ids"]
    return rows


def chunk(rows: list[list[int]], length: int, shortest: int) -> tuple[list[list[int]], list[int]]:
    """Rows cut into pieces of `length`, without pieces under `shortest`; and the row that each is from."""
    pieces = [(row[s : s + length], i) for i, row in enumerate(rows) for s in range(0, len(row), length)]
    kept = [(piece, i) for piece, i in pieces if len(piece) >= shortest]
    return [piece for piece, _ in kept], [i for _, i in kept]


@torch.no_grad()
def predict(student: Student, tokenizer: Any, texts: list[str]) -> Tensor:
    """Class logits [texts, 2], through the model class that a user loads."""
    logits = torch.zeros(len(texts), 2)
    for index, ids in batched(encode(tokenizer, texts), 50, tokenizer.pad_token_id):
        mask = (ids != tokenizer.pad_token_id).long()
        logits[index] = student.classifier(input_ids=ids, attention_mask=mask).logits.float()
    return logits


@torch.no_grad()
def predict_prefixes(student: Student, tokenizer: Any, texts: list[str]) -> Tensor:
    """A decoder's class logits [texts, prefixes, 2] after each share of the tokens, rounded up."""
    logits = torch.zeros(len(texts), len(PREFIXES), 2)
    rows = encode(tokenizer, texts)
    for index, ids in batched(rows, 50, tokenizer.pad_token_id):
        every = student.class_logits(student.states(ids)[-1])
        for row, i in enumerate(index):
            logits[i] = every[row, [math.ceil(share * len(rows[i])) - 1 for share in PREFIXES]]
    return logits


@torch.no_grad()
def decode_rates(student: Student, tokenizer: Any, texts: list[str]) -> list[dict[str, Figure]]:
    """For every layer, how well nothing-masked positions decode to their own token through the masked-LM head.

    `probability` is the mean probability of that token, `top1` how often it is the first.
    """
    sums = torch.zeros(student.classifier.config.num_hidden_layers + 1, 2, len(texts))
    counts = torch.zeros(len(texts))
    for index, ids in batched(encode(tokenizer, texts), 50, tokenizer.pad_token_id):
        own = ids >= NUM_SPECIAL["encoder"]
        where = torch.tensor(index)[own.nonzero()[:, 0]]
        counts[index] = own.sum(1).float()
        for layer, states in enumerate(student.states(ids, (ids != tokenizer.pad_token_id).long())):
            probabilities = student.word_logits(states[own]).softmax(-1)
            sums[layer, 0].index_add_(0, where, probabilities.gather(1, ids[own][:, None])[:, 0])
            sums[layer, 1].index_add_(0, where, (probabilities.argmax(-1) == ids[own]).float())
    return [{"probability": ratio(layer[0], counts), "top1": ratio(layer[1], counts)} for layer in sums]


@torch.no_grad()
def masked_words(student: Student, tokenizer: Any, texts: list[str], seed: int = 1) -> dict[str, Figure]:
    """`top1` and `top5` for 15 % of the tokens, all of them masked at once, in pieces of 126 tokens."""
    rng = torch.Generator().manual_seed(seed)
    pieces, source = chunk(encode_plain(tokenizer, texts), 126, 4)
    rows = [[tokenizer.cls_token_id, *piece, tokenizer.sep_token_id] for piece in pieces]
    sums = torch.zeros(3, len(texts))
    for index, ids in batched(rows, 32, tokenizer.pad_token_id):
        hidden = (torch.rand(ids.shape, generator=rng) < 0.15) & (ids >= NUM_SPECIAL["encoder"])
        changed = torch.where(hidden, tokenizer.mask_token_id, ids)
        states = student.states(changed, (ids != tokenizer.pad_token_id).long())[-1]
        best = student.word_logits(states[hidden]).topk(5).indices == ids[hidden][:, None]
        where = torch.tensor([source[i] for i in index])[hidden.nonzero()[:, 0]]
        for row, values in zip(sums, (best[:, 0], best.any(1), torch.ones(len(best))), strict=True):
            row.index_add_(0, where, values.float())
    return {"top1": ratio(sums[0], sums[2]), "top5": ratio(sums[1], sums[2])}


@torch.no_grad()
def next_words(student: Student, tokenizer: Any, texts: list[str]) -> dict[str, Figure]:
    """`perplexity` per token, `top1`, `bits_per_byte`, in pieces as long as the context without their first token."""
    rows = [[tokenizer.eos_token_id, *row] for row in encode_plain(tokenizer, texts)]
    pieces, source = chunk(rows, student.classifier.config.max_position_embeddings, 2)
    sums = torch.zeros(3, len(texts))
    for index, ids in batched(pieces, 16, tokenizer.pad_token_id):
        targets = torch.where(ids == tokenizer.pad_token_id, -100, ids)[:, 1:]
        logits = student.word_logits(student.states(ids)[-1][:, :-1]).float()
        surprise = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        where = torch.tensor([source[i] for i in index])
        for row, values in zip(sums, (surprise, logits.argmax(-1) == targets, targets >= 0), strict=True):
            row.index_add_(0, where, values.float().sum(1))
    num_bytes = torch.tensor([len(text.encode()) for text in texts])
    return {
        "perplexity": ratio(sums[0], sums[2]).map(math.exp),
        "top1": ratio(sums[1], sums[2]),
        "bits_per_byte": ratio(sums[0] / math.log(2), num_bytes),
    }
