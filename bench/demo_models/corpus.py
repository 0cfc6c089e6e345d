"""What the models read: the sentence sets repaired, split and widened, always the same for the same seed."""

import html
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .data import read_reviews, read_sentences, squash
from .recipe import Recipe

Labelled = tuple[str, int]
T = TypeVar("T")

_CP1252 = str.maketrans({"\x96": "–", "\x97": "—", "\x85": "...", "\x91": "'", "\x92": "'"})


@dataclass(frozen=True, slots=True)
class Corpus:
    """All texts of one run; nothing of the held-out set is in any other field."""

    train: list[Labelled]
    validation: list[Labelled]
    held: list[Labelled]
    reviews: list[str]
    """For the language-model loss; their labels are not used."""
    validation_reviews: list[str]
    variants: list[str]
    """Texts made of training sentences, for the teacher to label."""
    review_sentences: list[str]
    """Sentences out of the reviews, for the teacher to label."""

    @property
    def taught(self) -> list[str]:
        """Every text that the teacher labels; the training sentences come first."""
        return [text for text, _ in self.train] + self.variants + self.review_sentences


def build_corpus(folder: Path, recipe: Recipe) -> Corpus:
    """Make the texts of a run from the sets in `folder`, seeded by the recipe."""
    rng = random.Random(recipe.seed)
    sentences = [(repair_spacing(text), label) for text, label in read_sentences(folder, "rt_train")]
    validation, train = split(sentences, recipe.num_validation_sentences, rng)
    unique = {tidy(text) for text, _, source in read_reviews(folder) if source == "imdb"}
    validation_reviews, reviews = split(sorted(unique), recipe.num_validation_reviews, rng)
    reviews = reviews[: recipe.num_reviews]
    held = read_sentences(folder, "rt_held")
    banned = {squash(text) for text, _ in validation + held}
    review_sentences = cut_sentences(reviews, banned)
    rng.shuffle(review_sentences)
    train = train[: recipe.num_sentences]
    return Corpus(
        train=train,
        validation=validation,
        held=held[:: len(held) // recipe.num_held] if recipe.num_held else held,  # the file has positives first
        reviews=reviews,
        validation_reviews=validation_reviews,
        variants=make_variants([text for text, _ in train], recipe.variants_per_sentence, rng),
        review_sentences=review_sentences[: recipe.num_imdb_sentences],
    )


def split(rows: list[T], num_first: int, rng: random.Random) -> tuple[list[T], list[T]]:
    """Shuffle in place, then cut: the first `num_first` rows, and the rest."""
    rng.shuffle(rows)
    return rows[:num_first], rows[num_first:]


def repair_spacing(text: str) -> str:
    """Undo the corpus's spacing ("the film 's pace ." becomes "the film's pace.") and its mangled dashes."""
    text = html.unescape(text).translate(_CP1252)
    text = re.sub(r"\s+([.,!?;:%)\]]|'(?:s|t|re|ve|ll|d|m)\b|n't\b)", r"\1", text)
    text = re.sub(r"([(\[])\s+", r"\1", text)
    text = re.sub(r'"\s+([^"]*?)\s+"', r'"\1"', text)
    return re.sub(r"\s+", " ", text).strip()


def tidy(review: str) -> str:
    """A review without line-break tags and with single spaces."""
    return re.sub(r"\s+", " ", review.replace("<br />", " ")).strip()


def cut_sentences(reviews: list[str], banned: set[str]) -> list[str]:
    """The sentences of 5 to 32 words, each once, without those whose squashed form is banned."""
    sentences, seen = [], set(banned)
    for review in reviews:
        for sentence in re.split(r"(?<=[.!?])\s+", review):
            if 5 <= len(sentence.split()) <= 32 and (key := squash(sentence)) not in seen:
                seen.add(key)
                sentences.append(sentence)
    return sentences


def make_variants(sentences: list[str], num_each: int, rng: random.Random) -> list[str]:
    """New texts in the training set's own words: by turns two clauses of two sentences, and a span of one."""
    clauses = [[part for part in re.split(r"(?<=[,;:.])\s+|\s+--?\s+", text) if part.strip()] for text in sentences]
    variants = []
    for text, own in zip(sentences, clauses, strict=True):
        for turn in range(num_each):
            other = clauses[rng.randrange(len(clauses))]
            if turn % 2 == 0 and len(own) + len(other) > 2:
                pair = [rng.choice(own), rng.choice(other)]
                rng.shuffle(pair)
                variants.append(" ".join(pair))
            else:
                words = text.split()
                length = rng.randint(min(4, len(words)), len(words))
                start = rng.randint(0, len(words) - length)
                variants.append(" ".join(words[start : start + length]))
    return variants
