"""Models of one's own for tests: an LSTM, a bag of embeddings and functions of texts, all over a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

PLANTED = "wonderful"
WORDS = "a dull film that never finds its feet the plot is mess but cast and music fine warm funny of best " + PLANTED
VOCABULARY = {word: index for index, word in enumerate(WORDS.split(), start=2)}
PAD, UNKNOWN = 0, 1
LABELS = ["plain", "planted"]


def tokenize(text: str) -> list[int]:
    """One id a word, as people write it for their first model."""
    return [VOCABULARY.get(word.strip(".,").lower(), UNKNOWN) for word in text.split()]


class Bag(nn.Module):
    """Outputs that are sums over the words of a weight times the embedding: every score is known."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.emb = nn.Embedding(len(VOCABULARY) + 2, 5)
        self.out = nn.Linear(5, 2)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits `[B, 2]`."""
        return self.out(self.emb(ids)).sum(1)


class Lstm(nn.Module):
    """A two-way LSTM with dropout and attention over its states, read without lengths or masks."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.emb = nn.Embedding(len(VOCABULARY) + 2, 12, padding_idx=PAD)
        self.dropout = nn.Dropout(0.1)
        self.rnn = nn.LSTM(12, 12, batch_first=True, bidirectional=True)
        self.out = nn.Linear(24, 2)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits `[B, 2]`."""
        states, _ = self.rnn(self.dropout(self.emb(ids)))
        return self.out(states.mean(1))


class Convolution(nn.Module):
    """A convolution over the sequence-first layout, which answers probabilities beside something else."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.emb = nn.Embedding(len(VOCABULARY) + 2, 6)
        self.conv = nn.Conv1d(6, 8, 3, padding=1)
        self.out = nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities `[B, 2]` of ids `[T, B]`, and the states."""
        embeds = self.emb(ids).permute(1, 2, 0)
        states = self.conv(embeds).relu_().amax(-1)
        return self.out(states).softmax(-1), states


def train(module: nn.Module, steps: int = 150) -> nn.Module:
    """Teach a module to answer whether the planted word is there; some seconds at most."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    planted = VOCABULARY[PLANTED]
    module.train()
    for _ in range(steps):
        ids = torch.randint(UNKNOWN, planted, (32, 7), generator=generator)
        wanted = torch.randint(0, 2, (32,), generator=generator)
        places = torch.randint(0, 7, (32,), generator=generator)
        ids[torch.arange(32)[wanted == 1], places[wanted == 1]] = planted
        loss = nn.functional.cross_entropy(module(ids), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return module


def count_words(texts: Sequence[str]) -> Any:
    """Logits `[B, 2]` of texts: the planted word and two others have weights."""
    weights = {PLANTED: 3.0, "warm": 1.0, "dull": -2.0}
    return [[0.0, sum(weights.get(word.strip(".,").lower(), 0.0) for word in text.split())] for text in texts]
