"""``python -m bench.demo_models data|teach|train|evaluate|all [--quick]``, from the root of the repository."""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import transformers
from safetensors.torch import load_file, save_file

from .corpus import Corpus, build_corpus
from .data import fetch, fetch_minilm
from .evaluate import evaluate, markdown
from .recipe import FULL, KINDS, QUICK, Recipe, pick_device
from .student import Student, start
from .teacher import fine_tune, label
from .tokenizer import start_embeddings, train_tokenizer
from .train import Taught, train

ROOT = Path(__file__).resolve().parents[2]


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.demo_models", description=__doc__)
    parser.add_argument("stage", choices=["data", "teach", "train", "evaluate", "all"])
    parser.add_argument("--quick", action="store_true", help="a tiny run that proves the recipe works, in minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longer", type=float, default=1.0, help="multiply the training steps of both models")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "demo-models", help="downloads and results")
    parser.add_argument("--models", type=Path, help="the pair to evaluate; default: what `train` made")
    parser.add_argument("--save", type=Path, help="write the figures to this file too")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to torch")
    return parser.parse_args()


class Run:
    """The stages of one run; each reads what the one before it left in `work`."""

    def __init__(self, data: Path, work: Path, recipe: Recipe) -> None:
        self.data, self.work, self.recipe = data, work, recipe
        self.device = pick_device()

    def corpus(self) -> Corpus:
        """The texts of the run."""
        return build_corpus(self.data, self.recipe)

    def teach(self) -> None:
        """Fine-tune the teacher, then keep its labels and its token embeddings."""
        corpus = self.corpus()
        model, tokenizer = fine_tune(fetch_minilm(self.data), corpus.train, self.recipe, self.device)
        gold = torch.tensor([gold for _, gold in corpus.validation])
        right = label(model, tokenizer, [text for text, _ in corpus.validation], self.device).argmax(-1) == gold
        print(f"teacher: {right.float().mean():.1%} of {len(gold)} validation sentences", flush=True)
        lessons = {
            "logits": label(model, tokenizer, corpus.taught, self.device),
            "embeddings": model.get_input_embeddings().weight.detach().float().cpu().contiguous(),
        }
        self.work.mkdir(parents=True, exist_ok=True)
        save_file(lessons, self.work / "teacher.safetensors")
        tokenizer.save_pretrained(self.work / "teacher-tokenizer")

    def train(self) -> None:
        """Train both students from the teacher's lessons."""
        corpus, lessons = self.corpus(), load_file(self.work / "teacher.safetensors")
        teacher_tokenizer = transformers.AutoTokenizer.from_pretrained(self.work / "teacher-tokenizer")
        for kind in KINDS:
            torch.manual_seed(self.recipe.seed)
            tokenizer = train_tokenizer(kind, [text for text, _ in corpus.train] + corpus.reviews, self.recipe)
            student = Student.create(kind, tokenizer, self.recipe)
            embeddings = start_embeddings(tokenizer, kind, teacher_tokenizer, lessons["embeddings"], self.recipe)
            start(student, embeddings, self.recipe.seed)
            taught = Taught(kind, corpus, tokenizer, lessons["logits"], self.recipe)
            train(student, taught, self.recipe, self.device)
            student.save(self.work / f"demo-{kind}", tokenizer)

    def evaluate(self, models: Path, save: Path | None) -> None:
        """Print the figures of a pair of models, and write them to `figures.json`."""
        report = evaluate(models, self.corpus(), self.recipe.seed)
        self.work.mkdir(parents=True, exist_ok=True)
        for path in filter(None, (self.work / "figures.json", save)):
            path.write_text(json.dumps(report, indent=1) + "\n")
        print(json.dumps(report), markdown(report), sep="\n\n", flush=True)


def main() -> None:
    """Run the stages asked for, and say how long each took."""
    arguments = parse_arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    recipe = (QUICK if arguments.quick else FULL).longer(arguments.longer).seeded(arguments.seed)
    run = Run(arguments.data, arguments.data / ("quick" if arguments.quick else "full"), recipe)
    stages: dict[str, Callable[[], Any]] = {
        "data": lambda: fetch(arguments.data),
        "teach": run.teach,
        "train": run.train,
        "evaluate": lambda: run.evaluate(arguments.models or run.work, arguments.save),
    }
    for name, stage in stages.items():
        if arguments.stage in (name, "all"):
            began = time.monotonic()
            stage()
            print(f"[{name}: {time.monotonic() - began:.0f} s on {run.device}]", flush=True)


if __name__ == "__main__":
    main()
