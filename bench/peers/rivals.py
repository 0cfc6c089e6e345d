"""Captum on the plain Hugging Face model, for the same rows that we compute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from captum.attr import FeatureAblation, KernelShap, LayerIntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor

from bench.peers.subjects import TARGET, Subject
from saliscope.explainers.texts.encoding import FloatArray

TOKENS_TRIED = (512, 1024, 2048, 4096)
DRAWS, STEPS, SIGMA = 10, 32, 0.01

Rival = Callable[[int | None], FloatArray]
"""Scores of the words, `[n]`, with so many rows in a batch; None leaves that to Captum."""


def occlusion(subject: Subject) -> Rival:
    """Captum's FeatureAblation with the mask token as baseline."""
    oracle = FeatureAblation(subject.logits)

    def run(rows: int | None) -> FloatArray:
        more = {} if rows is None else {"perturbations_per_eval": rows}
        with torch.inference_mode():
            found = oracle.attribute(
                subject.ids, subject.masked, target=TARGET, feature_mask=_features(subject), **more
            )
        return _words(subject, found)

    return run


def kernel_shap(subject: Subject, samples: int) -> Rival:
    """Captum's KernelShap on as many coalitions as ours."""
    oracle = KernelShap(subject.logits)

    def run(rows: int | None) -> FloatArray:
        more = {} if rows is None else {"perturbations_per_eval": rows}
        with torch.inference_mode(False), torch.no_grad():
            found = oracle.attribute(
                subject.ids,
                subject.masked,
                target=TARGET,
                feature_mask=_features(subject),
                n_samples=samples,
                **more,
            )
        return _words(subject, found)

    return run


def integrated_gradients(subject: Subject) -> Rival:
    """Captum's LayerIntegratedGradients at the word embeddings."""
    oracle = LayerIntegratedGradients(subject.logits, subject.plain.get_input_embeddings())

    def run(rows: int | None) -> FloatArray:
        _predict(subject)
        with _differentiable(subject):
            found = oracle.attribute(
                subject.ids,
                subject.masked,
                target=TARGET,
                n_steps=STEPS,
                method="riemann_middle",
                internal_batch_size=rows,
            )
        return _words(subject, found.sum(-1).detach())

    return run


def smooth_grad(subject: Subject) -> Rival:
    """Captum's NoiseTunnel over its Saliency at the word embeddings."""
    embeds = subject.plain.get_input_embeddings()(subject.ids).detach()

    def forward(rows: Tensor) -> Tensor:
        logits: Tensor = subject.plain(inputs_embeds=rows, attention_mask=torch.ones(rows.shape[:2])).logits
        return logits

    oracle = NoiseTunnel(Saliency(forward))
    words = embeds[0, subject.ordinary]
    sigma = SIGMA * float(words.max() - words.min())

    def run(rows: int | None) -> FloatArray:
        _predict(subject)
        found = oracle.attribute(
            embeds,
            nt_type="smoothgrad",
            nt_samples=DRAWS,
            nt_samples_batch_size=rows,
            stdevs=sigma,
            target=TARGET,
            abs=False,
        )
        return _words(subject, (found * embeds).sum(-1).detach())

    return run


def tuned(rival: Rival, subject: Subject, most: int) -> int:
    """The batch size, in rows, with which the rival is fastest; `most` rows are all it has."""
    sizes = sorted({max(1, min(most, tokens // subject.ids.shape[1])) for tokens in TOKENS_TRIED})
    rival(sizes[0])

    def seconds(rows: int) -> float:
        start = time.process_time()
        rival(rows)
        return time.process_time() - start

    return min(sizes, key=seconds)


def _features(subject: Subject) -> Tensor:
    """Each word a feature; special tokens go with the first, where they never change: they cost no row."""
    number = (torch.cumsum(subject.ordinary.long(), 0) - 1).clamp(min=0)
    return torch.where(subject.ordinary, number, torch.zeros_like(number))[None]


def _predict(subject: Subject) -> None:
    """What the model says of the text: in every answer of ours, and not in those of Captum's gradient methods."""
    with torch.inference_mode():
        subject.logits(subject.ids)


def _words(subject: Subject, scores: Tensor) -> FloatArray:
    return np.asarray(scores[0][subject.ordinary].numpy(), dtype=np.float32)


@contextmanager
def _differentiable(subject: Subject) -> Iterator[None]:
    weight = subject.plain.get_input_embeddings().weight
    weight.requires_grad_(True)
    try:
        yield
    finally:
        weight.requires_grad_(False)
