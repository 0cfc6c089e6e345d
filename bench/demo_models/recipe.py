"""The sizes of one run, and the device it runs on."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch

LABELS = ("negative", "positive")
KINDS = ("encoder", "decoder")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one run; the defaults are the full run."""

    seed: int = 0
    vocab_size: int = 8000
    num_layers: int = 4
    width: int = 192
    num_heads: int = 4
    context: int = 256
    num_validation_sentences: int = 500
    num_validation_reviews: int = 300
    num_reviews: int | None = None
    """Reviews read by the language models; None is all of them."""
    num_sentences: int | None = None
    """Labelled sentences used; None is all of them."""
    num_imdb_sentences: int = 60_000
    variants_per_sentence: int = 2
    teacher_epochs: int = 2
    teacher_rate: float = 5e-5
    tokens_per_batch: int = 2048
    sentences_per_batch: int = 48
    encoder_steps: tuple[int, int] = (1385, 1520)
    """Steps of phase 1 (language only) and of phase 2 (language and sentiment)."""
    decoder_steps: tuple[int, int] = (900, 1250)
    rate: float = 2e-3
    num_held: int | None = None
    """Held-out sentences measured; None is all of them."""

    def steps(self, kind: str) -> tuple[int, int]:
        """Steps of the two phases for a kind of model."""
        return self.encoder_steps if kind == "encoder" else self.decoder_steps

    def longer(self, factor: float) -> "Recipe":
        """The same run with both phases of both models stretched by `factor`."""
        encoder, decoder = self.encoder_steps, self.decoder_steps
        return replace(
            self,
            encoder_steps=(round(encoder[0] * factor), round(encoder[1] * factor)),
            decoder_steps=(round(decoder[0] * factor), round(decoder[1] * factor)),
        )

    def seeded(self, seed: int) -> "Recipe":
        """The same run with another seed."""
        return replace(self, seed=seed)


FULL = Recipe()
QUICK = Recipe(
    num_validation_sentences=100,
    num_validation_reviews=20,
    num_reviews=400,
    num_sentences=600,
    num_imdb_sentences=400,
    variants_per_sentence=1,
    teacher_epochs=1,
    encoder_steps=(20, 20),
    decoder_steps=(20, 20),
    num_held=200,
)
"""Proves in minutes that every stage runs; its models know nothing."""


def pick_device() -> torch.device:
    """A CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where the hardware computes in it, else a context that does nothing."""
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else "avx512_bf16" in _cpu_abilities()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=able)


def _cpu_abilities() -> set[str]:
    # emulated bfloat16 is slower than float32, so the CPU must say that it has it
    abilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return {name for name, present in abilities.items() if present is True}
