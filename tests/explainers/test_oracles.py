"""Captum as an oracle: it runs the plain Hugging Face model, from ids or through its embedding module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, InputXGradient, LayerGradientXActivation, Occlusion
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from saliscope.explainers import Attribution, explain
from saliscope.explainers.models.finding import find_source
from tests.explainers.tiny import DECODERS, ENCODERS

TEXTS = {
    "demo": "A dull, lifeless film; but the music is wonderful!",
    "tiny": "the plot is a mess, but the cast is wonderful",
}
TINY_CLASSIFIERS = [*ENCODERS, *DECODERS]
TINY_LANGUAGE_MODELS = ["gpt2", "gpt-neox", "llama", "qwen3", "gemma2"]
CASES = [
    ("demo-encoder", "class"),
    ("demo-decoder", "class"),
    ("demo-decoder", "next-token"),
    *((name, "class") for name in TINY_CLASSIFIERS),
    *((name, "next-token") for name in TINY_LANGUAGE_MODELS),
]
FEW = [case for case in CASES if case[0] in ("demo-encoder", "demo-decoder", "bert", "gpt2", "llama")]
SOME = FEW + [
    case for case in CASES if case[0] in ("roberta", "albert", "deberta-v2", "modernbert", "gpt-neox", "gemma2")
]


class Subject:
    """Our model, the plain one from the same folder, and one text in ids."""

    def __init__(self, ours: Any, folder: Any, kind: str, text: str) -> None:
        auto = AutoModelForSequenceClassification if kind == "class" else AutoModelForCausalLM
        self.ours, self.kind, self.text = ours, kind, text
        self.plain: Any = auto.from_pretrained(folder).eval().requires_grad_(False)
        self.encoding = ours.encode(text)
        self.ids = torch.from_numpy(self.encoding.ids)[None]

    def outputs(self, **inputs: Tensor) -> Tensor:
        """Class logits, or log-probabilities of what follows: the default scales of both kinds."""
        logits: Tensor = self.plain(**inputs).logits
        return logits if self.kind == "class" else logits[:, -1].log_softmax(-1)

    def explain(self, method: str, index: int, granularity: str, **params: Any) -> Attribution:
        target = {"kind": self.kind, "label": index}
        return explain(self.ours, self.text, method=method, target=target, granularity=granularity, **params)

    def indices(self) -> list[int]:
        """Two outputs; of the next tokens the likeliest is one."""
        if self.kind == "class":
            return [0, len(self.ours.facts.labels) - 1]
        return [int(self.outputs(input_ids=self.ids)[0].argmax()), 7]

    def groups(self, granularity: str) -> list[list[int]]:
        """The positions of tokens, or of words: runs between blanks."""
        plain = [token for token in self.encoding.tokens if not token.special]
        if granularity == "token":
            return [list(token.positions) for token in plain]
        return _by_word(self.text, plain)


def _by_word(text: str, tokens: list[Any]) -> list[list[int]]:
    number = np.cumsum([char.isspace() for char in text])
    words: dict[int, list[int]] = {}
    for token in tokens:
        words.setdefault(int(number[token.start]), []).extend(token.positions)
    return list(words.values())


@pytest.fixture(scope="module")
def subject(demo_encoder: Any, demo_decoder: Any, tiny_model: Any, tiny_folder: Any) -> Callable[[str, str], Subject]:
    made: dict[tuple[str, str], Subject] = {}

    def make(name: str, kind: str) -> Subject:
        if (name, kind) not in made:
            if name.startswith("demo"):
                ours = demo_encoder if name == "demo-encoder" else demo_decoder
                folder = find_source(name).folder
                made[name, kind] = Subject(ours, folder, kind, TEXTS["demo"])
            else:
                task = "ForSequenceClassification" if kind == "class" else "ForCausalLM"
                made[name, kind] = Subject(tiny_model(name, task), tiny_folder(name, task), kind, TEXTS["tiny"])
        return made[name, kind]

    return make


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_input_x_gradient_is_captums_at_the_embedding_module(name: str, kind: str, subject: Any) -> None:
    case = subject(name, kind)
    oracle = LayerGradientXActivation(lambda ids: case.outputs(input_ids=ids), case.plain.get_input_embeddings())
    case.plain.get_input_embeddings().weight.requires_grad_(True)
    for index in case.indices():
        per_position = oracle.attribute(case.ids, target=index)[0].sum(-1).detach().numpy()
        for granularity in ("token", "word"):
            wanted = [per_position[group].sum() for group in case.groups(granularity)]
            got = case.explain("input-x-gradient", index, granularity)
            np.testing.assert_allclose(got.scores, wanted, atol=1e-5)
            assert got.value == pytest.approx(case.outputs(input_ids=case.ids)[0, index].item(), abs=1e-5)


@pytest.mark.parametrize(("name", "kind"), FEW)
def test_input_x_gradient_is_captums_on_given_embeddings(name: str, kind: str, subject: Any) -> None:
    case = subject(name, kind)
    ones = torch.ones_like(case.ids)
    oracle = InputXGradient(lambda embeds: case.outputs(inputs_embeds=embeds, attention_mask=ones))
    embeds = case.plain.get_input_embeddings()(case.ids).detach()
    index = case.indices()[-1]
    per_position = oracle.attribute(embeds.requires_grad_(True), target=index)[0].sum(-1).detach().numpy()
    for granularity in ("token", "word"):
        wanted = [per_position[group].sum() for group in case.groups(granularity)]
        np.testing.assert_allclose(case.explain("input-x-gradient", index, granularity).scores, wanted, atol=1e-5)


@pytest.mark.parametrize(("name", "kind"), SOME)
def test_occlusion_is_captums_feature_ablation(name: str, kind: str, subject: Any) -> None:
    case = subject(name, kind)
    oracle = FeatureAblation(lambda ids: case.outputs(input_ids=ids))
    index = case.indices()[-1]
    for granularity in ("token", "word"):
        groups = case.groups(granularity)
        mask = torch.zeros_like(case.ids)
        for number, group in enumerate(groups):
            mask[0, group] = number + 1
        with torch.no_grad():
            per_position = oracle.attribute(
                case.ids, baselines=case.ours.facts.mask_id, target=index, feature_mask=mask
            )[0].numpy()
        got = case.explain("occlusion", index, granularity)
        np.testing.assert_allclose(got.scores, [per_position[group[0]] for group in groups], atol=1e-5)


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize(("name", "kind"), FEW)
def test_occlusion_with_a_window_is_captums_occlusion(name: str, kind: str, window: int, subject: Any) -> None:
    case = subject(name, kind)
    plain = torch.from_numpy(~case.encoding.special)

    def forward(inner: Tensor) -> Tensor:
        ids = case.ids.repeat(len(inner), 1)
        ids[:, plain] = inner
        return case.outputs(input_ids=ids)

    index = case.indices()[0]
    with torch.no_grad():
        wanted = Occlusion(forward).attribute(
            case.ids[:, plain], (window,), baselines=case.ours.facts.mask_id, target=index
        )[0]
    got = case.explain("occlusion", index, "token", window=window)
    np.testing.assert_allclose(got.scores, wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize("scale", ["margin", "logprob", "prob", "loss"])
@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder", "bert", "llama"])
def test_both_methods_agree_with_captum_on_every_scale(name: str, scale: str, subject: Any) -> None:
    case = subject(name, "class")

    def forward(ids: Tensor) -> Tensor:
        logits = case.outputs(input_ids=ids)
        others = torch.cat([logits[:, :1], logits[:, 2:]], 1).logsumexp(1)
        logprob = logits.log_softmax(1)[:, 1]
        return {"margin": logits[:, 1] - others, "logprob": logprob, "prob": logprob.exp(), "loss": -logprob}[scale]

    gradient = LayerGradientXActivation(forward, case.plain.get_input_embeddings())
    case.plain.get_input_embeddings().weight.requires_grad_(True)
    plain = [group[0] for group in case.groups("token")]
    wanted = gradient.attribute(case.ids)[0].sum(-1).detach().numpy()[plain]
    got = case.explain("input-x-gradient", 1, "token", scale=scale)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-5)
    with torch.no_grad():
        wanted = FeatureAblation(forward).attribute(case.ids, baselines=case.ours.facts.mask_id)[0].numpy()[plain]
    got = case.explain("occlusion", 1, "token", scale=scale)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-5)
