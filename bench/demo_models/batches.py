"""Training batches: running text for the language loss, near-equal sentences for the sentiment loss."""

import random
from typing import NamedTuple

import torch
from torch import Tensor

from .corpus import Corpus

SHARES = (0.35, 0.20, 0.45)
"""Of training sentences, of their variants, and of review sentences in the sentiment batches."""
UNKNOWN = -100


def pad(rows: list[list[int]], value: int) -> Tensor:
    """Rows of different lengths as one tensor [rows, longest]."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, float(value))


class Stream:
    """Shuffled documents as one long row of tokens, read in order and from the start again at its end."""

    def __init__(self, documents: list[list[int]], separator: int, seed: int) -> None:
        order = random.Random(seed).sample(documents, len(documents))
        self._row = torch.tensor([token for document in order for token in (*document, separator)])
        self._at = 0

    def __len__(self) -> int:
        return len(self._row)

    def take(self, rows: int, length: int) -> Tensor:
        """The next tokens [rows, length]."""
        if self._at + rows * length > len(self._row):
            self._at = 0
        start, self._at = self._at, self._at + rows * length
        return self._row[start : self._at].view(rows, length)


class SentenceBatch(NamedTuple):
    """Token ids [rows, tokens], the teacher's logits [rows, 2] and the true labels [rows], `UNKNOWN` where none."""

    ids: Tensor
    teacher: Tensor
    gold: Tensor

    def to(self, device: torch.device) -> "SentenceBatch":
        """The batch on a device."""
        return SentenceBatch(self.ids.to(device), self.teacher.to(device), self.gold.to(device))


class Sentences:
    """Draws taught texts by group, and packs texts of near-equal length together."""

    def __init__(
        self, corpus: Corpus, rows: list[list[int]], teacher: Tensor, pad_id: int, size: int, seed: int
    ) -> None:
        groups = (len(corpus.train), len(corpus.variants), len(corpus.review_sentences))
        self._weights = [share / count for share, count in zip(SHARES, groups, strict=True) for _ in range(count)]
        self._gold = [label for _, label in corpus.train] + [UNKNOWN] * (len(rows) - len(corpus.train))
        self._rows, self._teacher, self._pad_id, self._size = rows, teacher, pad_id, size
        self._rng = random.Random(seed)
        self._queue: list[list[int]] = []

    def take(self) -> SentenceBatch:
        """The next batch of `size` texts."""
        if not self._queue:
            pool = self._rng.choices(range(len(self._rows)), self._weights, k=32 * self._size)
            pool.sort(key=lambda i: len(self._rows[i]))
            self._queue = [pool[start : start + self._size] for start in range(0, len(pool), self._size)]
            self._rng.shuffle(self._queue)
        index = self._queue.pop()
        ids = pad([self._rows[i] for i in index], self._pad_id)
        return SentenceBatch(ids, self._teacher[index], torch.tensor([self._gold[i] for i in index]))
