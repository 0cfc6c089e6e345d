"""Train one student in two phases: language alone, then language and sentiment together."""

import time
from typing import Any

import torch

from .batches import Sentences, Stream
from .corpus import Corpus
from .losses import decoder_loss, encoder_loss, text_loss
from .recipe import Recipe, half_precision
from .student import Student
from .tokenizer import encode_plain

LENGTHS = (128, 64, 128, 256)
"""Lengths of the running text by turns, so that every position is trained."""


class Taught:
    """What a student learns from, in its own tokens."""

    def __init__(self, kind: str, corpus: Corpus, tokenizer: Any, teacher: torch.Tensor, recipe: Recipe) -> None:
        sentences = encode_plain(tokenizer, [text for text, _ in corpus.train])
        self.tokenizer = tokenizer
        self._bounds = [tokenizer.cls_token_id, tokenizer.sep_token_id] if kind == "encoder" else []
        separator = tokenizer.sep_token_id if kind == "encoder" else tokenizer.eos_token_id
        self.stream = Stream(encode_plain(tokenizer, corpus.reviews) + 2 * sentences, separator, recipe.seed)
        rows = tokenizer(corpus.taught, truncation=True, max_length=64)["input_ids"]
        self.sentences = Sentences(
            corpus, rows, teacher, tokenizer.pad_token_id, recipe.sentences_per_batch, recipe.seed
        )

    def text(self, num_tokens: int, length: int) -> torch.Tensor:
        """Running text [rows, length], an encoder's with its first and last special token."""
        rows = max(1, num_tokens // length)
        body = self.stream.take(rows, length - len(self._bounds))
        if not self._bounds:
            return body
        first, last = (torch.full((rows, 1), token) for token in self._bounds)
        return torch.cat([first, body, last], 1)


def rate_at(share: float) -> float:
    """The share of the peak rate after a share of the training: 2 % warm-up, flat to half, linear to zero."""
    return min(1.0, (share + 2e-4) / 0.02, (1 - share) / 0.5)


def make_optimisers(student: Student, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for all else, at one rate.

    AdamW alone at this rate leaves the encoder on the plateau of word frequencies (docs/models.md).
    """
    matrices = [parameter for parameter in student.blocks.parameters() if parameter.ndim == 2]
    taken = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in student.parameters() if id(parameter) not in taken]
    groups = [
        {"params": [parameter for parameter in rest if parameter.ndim == 2], "weight_decay": 0.01},
        {"params": [parameter for parameter in rest if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98)),
    ]


def train(student: Student, taught: Taught, recipe: Recipe, device: torch.device) -> None:
    """Run both phases on `device`; the student ends in evaluation mode."""
    rng = torch.Generator().manual_seed(recipe.seed)
    first, second = recipe.steps(student.kind)
    student.to(device).train()
    optimisers = make_optimisers(student, recipe.rate)
    began = time.monotonic()
    for step in range(first + second):
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = recipe.rate * rate_at(step / (first + second))
        with half_precision(device):
            losses = step_losses(student, taught, step, step >= first, recipe, rng)
        loss = losses["text"] + losses.get("sentiment", 0.0) + 0.5 * losses.get("words", 0.0)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        if (step + 1) % 50 == 0 or step + 1 == first + second:
            parts = " ".join(f"{name} {value.item():.3f}" for name, value in losses.items())
            seconds = time.monotonic() - began
            print(f"{student.kind} {step + 1}/{first + second} {parts} {seconds:.0f} s", flush=True)
    student.eval()


def step_losses(
    student: Student, taught: Taught, step: int, joint: bool, recipe: Recipe, rng: torch.Generator
) -> dict[str, torch.Tensor]:
    """The losses of one step by name; the language batch is half as large in the joint phase."""
    mask_id = taught.tokenizer.mask_token_id if student.kind == "encoder" else None
    length = min(LENGTHS[step % len(LENGTHS)], recipe.context)
    text = taught.text(recipe.tokens_per_batch // (2 if joint else 1), length)
    losses = {"text": text_loss(student, text, mask_id, rng)}
    if joint:
        batch = taught.sentences.take().to(student.embeddings.device)
        real = batch.ids != taught.tokenizer.pad_token_id
        if mask_id is None:
            losses["sentiment"], losses["words"] = decoder_loss(student, batch, real)
        else:
            losses["sentiment"], losses["words"] = encoder_loss(student, batch, real, mask_id, rng)
    return losses
