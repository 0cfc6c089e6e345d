"""All figures of a pair of models, against TF-IDF with logistic regression, as JSON and as Markdown."""

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers

from .corpus import Corpus, Labelled
from .measure import PREFIXES, Figure, decode_rates, masked_words, mean, next_words, predict, predict_prefixes
from .recipe import KINDS
from .student import Student

TEXTS = {"held": "held-out sentences", "reviews": "IMDB reviews kept apart"}


def evaluate(models: Path, corpus: Corpus, seed: int) -> dict[str, Any]:
    """Measure `demo-encoder` and `demo-decoder` in `models`; every figure with standard error and count."""
    texts, gold = [text for text, _ in corpus.held], torch.tensor([label for _, label in corpus.held])
    began = time.monotonic()
    baselines = {name: right == gold for name, right in baseline_predictions(corpus, texts, seed).items()}
    strongest = max(baselines.values(), key=lambda right: int(right.sum()))
    report: dict[str, Any] = {
        "held": {"sentences": len(gold), "positive": int(gold.sum())},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "seed": seed,
        "baselines": {name: asdict(mean(right.float())) for name, right in baselines.items()},
        "models": {},
    }
    for kind in KINDS:
        folder = models / f"demo-{kind}"
        student, tokenizer = Student.load(folder), transformers.AutoTokenizer.from_pretrained(folder)
        right = predict(student, tokenizer, texts).argmax(-1) == gold
        report["models"][folder.name] = {
            "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
            "bytes": sum(file.stat().st_size for file in folder.iterdir()),
            "parameters": sum(weight.numel() for weight in student.weights().values()),
            "accuracy": asdict(mean(right.float())),
            "lead": asdict(mean(right.float() - strongest.float())),
            **(measure_encoder if kind == "encoder" else measure_decoder)(student, tokenizer, corpus),
        }
    report["seconds"] = round(time.monotonic() - began, 1)
    return report


def measure_encoder(student: Student, tokenizer: Any, corpus: Corpus) -> dict[str, Any]:
    """Decode rate by layer, and masked words."""
    texts = [text for text, _ in corpus.held]
    layers = decode_rates(student, tokenizer, texts)
    return {
        "decode_rate": [_plain(layer) for layer in layers],
        "masked_words": {
            "held": _plain(masked_words(student, tokenizer, texts)),
            "reviews": _plain(masked_words(student, tokenizer, corpus.validation_reviews)),
        },
    }


def measure_decoder(student: Student, tokenizer: Any, corpus: Corpus) -> dict[str, Any]:
    """Accuracy by prefix, and next words."""
    texts, gold = [text for text, _ in corpus.held], torch.tensor([label for _, label in corpus.held])
    right = (predict_prefixes(student, tokenizer, texts).argmax(-1) == gold[:, None]).float()
    return {
        "prefix_accuracy": {f"{share:.0%}": asdict(mean(right[:, i])) for i, share in enumerate(PREFIXES)},
        "next_words": {
            "held": _plain(next_words(student, tokenizer, texts)),
            "reviews": _plain(next_words(student, tokenizer, corpus.validation_reviews)),
        },
    }


def _plain(figures: dict[str, Figure]) -> dict[str, Any]:
    return {name: asdict(figure) for name, figure in figures.items()}


def baseline_predictions(corpus: Corpus, texts: list[str], seed: int) -> dict[str, torch.Tensor]:
    """TF-IDF with logistic regression on all labelled sentences: as it comes, and tuned by cross-validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import Pipeline

    sentences: list[Labelled] = corpus.train + corpus.validation
    train, gold = [text for text, _ in sentences], [label for _, label in sentences]
    plain = Pipeline([("words", TfidfVectorizer()), ("classes", LogisticRegression(max_iter=1000))])
    grid = {
        "words__ngram_range": [(1, 1), (1, 2)],
        "words__sublinear_tf": [False, True],
        "classes__C": [1, 3, 10, 30],
    }
    tuned = GridSearchCV(plain, grid, cv=StratifiedKFold(5, shuffle=True, random_state=seed))
    fitted = {"default": plain.fit(train, gold).predict(texts), "tuned": tuned.fit(train, gold).predict(texts)}
    return {name: torch.tensor(labels) for name, labels in fitted.items()}


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown tables."""
    encoder, decoder = (report["models"][f"demo-{kind}"] for kind in KINDS)
    baseline = report["baselines"]
    lines = [
        f"| {report['held']['sentences']:,} held-out sentences | accuracy | over the better baseline | on disk |",
        "|---|---|---|---|",
        *(
            f"| `{name}` | {_percent(model['accuracy'])} | {_percent(model['lead'], ' points')} "
            f"| {model['bytes'] / 1e6:.2f} MB |"
            for name, model in report["models"].items()
        ),
        f"| TF-IDF + logistic regression, tuned | {_percent(baseline['tuned'])} | | |",
        f"| TF-IDF + logistic regression, scikit-learn's defaults | {_percent(baseline['default'])} | | |",
        "",
        "| `demo-encoder`: decoding its own tokens, layer | mean probability | first choice |",
        "|---|---|---|",
        *(
            f"| {layer} | {_number(rate['probability'], 3)} | {_percent(rate['top1'])} |"
            for layer, rate in enumerate(encoder["decode_rate"])
        ),
        "",
        "| `demo-encoder`: masked words | first choice | among the first five |",
        "|---|---|---|",
        *(
            f"| {TEXTS[name]} ({hidden['top1']['count']:,} tokens) "
            f"| {_percent(hidden['top1'])} | {_percent(hidden['top5'])} |"
            for name, hidden in encoder["masked_words"].items()
        ),
        "",
        "| `demo-decoder`: share of the tokens seen | " + " | ".join(decoder["prefix_accuracy"]) + " |",
        "|---" * (1 + len(PREFIXES)) + "|",
        "| accuracy | " + " | ".join(_percent(value) for value in decoder["prefix_accuracy"].values()) + " |",
        "",
        "| `demo-decoder`: next words | perplexity per token | first choice | bits per byte |",
        "|---|---|---|---|",
        *(
            f"| {TEXTS[name]} ({words['top1']['count']:,} tokens) | {_number(words['perplexity'], 1)} "
            f"| {_percent(words['top1'])} | {_number(words['bits_per_byte'], 3)} |"
            for name, words in decoder["next_words"].items()
        ),
    ]
    return "\n".join(lines)


def _percent(figure: dict[str, float], unit: str = " %") -> str:
    sign = "+" if unit != " %" and figure["value"] > 0 else ""
    return f"{sign}{100 * figure['value']:.1f} ± {100 * figure['stderr']:.1f}{unit}"


def _number(figure: dict[str, float], digits: int) -> str:
    return f"{figure['value']:.{digits}f} ± {figure['stderr']:.{digits}f}"
