"""Runs inside another package's environment: one explanation for each line that is read.

python -I guest.py PACKAGE METHOD FOLDER BATCH: prints {"version": …}, then for each line {"seconds": …, "scores": […]}.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers

TARGET = 1
SAMPLES = 256


Run = Callable[[str], list[float]]


def shap_partition(model: Any, tokenizer: Any, batch: int) -> tuple[str, Run]:
    """The guest's own call: shap's partition explainer on a pipeline; its version and what runs it."""
    import shap

    pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None, device="cpu")
    explainer = shap.Explainer(shap.models.TransformersPipeline(pipe, rescale_to_logits=True), silent=True)
    more = {} if batch == 0 else {"batch_size": batch}
    return shap.__version__, lambda text: explainer([text], max_evals=500, **more).values[0][:, TARGET].tolist()


def interpreto(method: str, model: Any, tokenizer: Any, batch: int) -> tuple[str, Run]:
    """The guest's own call: a method of Interpreto; its version and what runs it."""
    import interpreto as package

    options = {"granularity": package.Granularity.TOKEN} | ({} if batch == 0 else {"batch_size": batch})
    made = {
        "occlusion": lambda: package.Occlusion(model, tokenizer, **options),
        "integrated-gradients": lambda: package.IntegratedGradients(model, tokenizer, n_perturbations=32, **options),
        "kernel-shap": lambda: package.KernelShap(model, tokenizer, n_perturbations=SAMPLES, **options),
    }[method]()
    target = torch.tensor([TARGET])
    from importlib.metadata import version

    def run(text: str) -> list[float]:
        scores: list[float] = made.explain(text, targets=target)[0].attributions.flatten().tolist()
        return scores

    return version("interpreto"), run


def main() -> None:
    """Run one guest on the texts that stdin gives; a line of version, then one of seconds and scores a text."""
    package, method, folder, batch = sys.argv[1:5]
    # Progress bars and warnings of the packages must not get between the lines of the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if package == "shap":
        version, run = shap_partition(model, tokenizer, int(batch))
    else:
        version, run = interpreto(method, model, tokenizer, int(batch))
    print(json.dumps({"version": version}), file=answers, flush=True)
    for line in sys.stdin:
        text = json.loads(line)
        start = time.process_time()
        scores = run(text)
        print(json.dumps({"seconds": time.process_time() - start, "scores": scores}), file=answers, flush=True)


if __name__ == "__main__":
    main()
