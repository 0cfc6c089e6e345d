"""The teacher: all-MiniLM-L6-v2 with a fresh sentiment head, fine-tuned on the labelled sentences."""

import random
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from .corpus import Labelled
from .recipe import Recipe, half_precision

MAX_TOKENS = 64


def fine_tune(base: Path, sentences: list[Labelled], recipe: Recipe, device: torch.device) -> tuple[Any, Any]:
    """The fine-tuned teacher and its tokenizer: AdamW, 5 % warm-up, then linearly to zero."""
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2, dtype=torch.float32)
    model.to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.teacher_rate, weight_decay=0.01)
    batches = [batch for _ in range(recipe.teacher_epochs) for batch in shuffled_batches(sentences, 32, rng)]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (0.05 * len(batches)), 1 - step / len(batches))
    )
    for step, batch in enumerate(batches):
        with half_precision(device):
            logits = model(**_encode(tokenizer, [text for text, _ in batch], device)).logits
        loss = torch.nn.functional.cross_entropy(logits.float(), torch.tensor([y for _, y in batch], device=device))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if (step + 1) % 50 == 0:
            print(f"teacher {step + 1}/{len(batches)} loss {loss.item():.3f}", flush=True)
    return model.eval(), tokenizer


def shuffled_batches(rows: list[Labelled], size: int, rng: random.Random) -> list[list[Labelled]]:
    """All rows in new order, `size` at a time."""
    order = rng.sample(rows, len(rows))
    return [order[start : start + size] for start in range(0, len(order), size)]


@torch.no_grad()
def label(model: Any, tokenizer: Any, texts: list[str], device: torch.device) -> torch.Tensor:
    """The teacher's logits [texts, 2]."""
    logits = torch.zeros(len(texts), 2)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), 64):
        index = order[start : start + 64]
        with half_precision(device):
            out = model(**_encode(tokenizer, [texts[i] for i in index], device)).logits
        logits[index] = out.float().cpu()
    return logits


def _encode(tokenizer: Any, texts: list[str], device: torch.device) -> Any:
    return tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt").to(device)
