"""What the students are asked for: hidden or next words, and the teacher's opinion."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .batches import UNKNOWN, SentenceBatch
from .student import Student
from .tokenizer import NUM_SPECIAL

TEMPERATURE = 2.0


def words_loss(student: Student, states: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the language-model head on states [n, width] for token ids [n]."""
    return F.cross_entropy(student.word_logits(states).float(), targets)


def taught_loss(logits: Tensor, teacher: Tensor, gold: Tensor) -> Tensor:
    """Divergence from the teacher's softened opinion, plus 0.3 times the true label's loss where it is known."""
    softened = F.log_softmax(logits / TEMPERATURE, -1), F.log_softmax(teacher / TEMPERATURE, -1)
    loss = F.kl_div(*softened, reduction="batchmean", log_target=True) * TEMPERATURE**2
    known = gold != UNKNOWN
    return loss + 0.3 * F.cross_entropy(logits[known], gold[known]) if known.any() else loss


def mask_tokens(ids: Tensor, mask_id: int, num_tokens: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Choose 20 % of the ordinary tokens: 80 % of these become the mask, 10 % another token, 10 % stay.

    Returns the changed ids and the chosen places. Kept tokens teach an unmasked position to decode to itself.
    """
    num_special = NUM_SPECIAL["encoder"]
    chosen = (torch.rand(ids.shape, generator=rng) < 0.2) & (ids >= num_special)
    dice = torch.rand(ids.shape, generator=rng)
    noise = torch.randint(num_special, num_tokens, ids.shape, generator=rng)
    ids = torch.where(chosen & (dice < 0.8), mask_id, ids)
    return torch.where(chosen & (dice >= 0.9), noise, ids), chosen


def text_loss(student: Student, ids: Tensor, mask_id: int | None, rng: torch.Generator) -> Tensor:
    """Language loss on running text [rows, tokens]: hidden words for an encoder, next words for a decoder."""
    device = student.embeddings.device
    if mask_id is None:
        ids = ids.to(device)
        return words_loss(student, student.states(ids)[-1][:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    changed, chosen = mask_tokens(ids, mask_id, len(student.embeddings), rng)
    chosen = chosen.to(device)
    return words_loss(student, student.states(changed.to(device))[-1][chosen], ids.to(device)[chosen])


def encoder_loss(
    student: Student, batch: SentenceBatch, real: Tensor, mask_id: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Sentiment and word loss; half of the sentences lose up to 30 % of their words to the mask.

    Asked for are the hidden words and 5 % of the visible ones, so that plain text decodes to itself.
    """
    shape, device = batch.ids.shape, batch.ids.device
    share = 0.3 * torch.rand(shape[0], 1, generator=rng) * (torch.rand(shape[0], 1, generator=rng) < 0.5)
    word = batch.ids >= NUM_SPECIAL["encoder"]
    hidden = (torch.rand(shape, generator=rng) < share).to(device) & word
    asked = hidden | ((torch.rand(shape, generator=rng) < 0.05).to(device) & word)
    states = student.states(torch.where(hidden, mask_id, batch.ids), real.long())[-1]
    sentiment = taught_loss(student.class_logits(states).float(), batch.teacher, batch.gold)
    return sentiment, words_loss(student, states[asked], batch.ids[asked])


def decoder_loss(student: Student, batch: SentenceBatch, real: Tensor) -> tuple[Tensor, Tensor]:
    """Sentiment and next-word loss; every prefix is asked for the whole text's sentiment, at half weight."""
    states = student.states(batch.ids)[-1]  # causal attention never looks at the padding on the right
    logits = student.class_logits(states).float()
    last = logits[torch.arange(len(real), device=real.device), real.sum(1) - 1]
    row = real.nonzero()[:, 0]
    prefixes = taught_loss(logits[real], batch.teacher[row], batch.gold[row])
    sentiment = taught_loss(last, batch.teacher, batch.gold) + 0.5 * prefixes
    later = real[:, 1:]
    return sentiment, words_loss(student, states[:, :-1][later], batch.ids[:, 1:][later])
