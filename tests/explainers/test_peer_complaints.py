"""What users of other packages complain about, one test for each complaint."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from saliscope.explainers import Attribution, ExplainerError, Question, explain, load
from saliscope.explainers.answers import Solved
from saliscope.explainers.explaining import explaining
from saliscope.explainers.models.packing import batch_key
from saliscope.explainers.queries import ModelQuery, Piece, Solve
from saliscope.explainers.registry import fitting
from saliscope.explainers.texts.features import build_features
from saliscope.explainers.texts.tokenizing import Tokenizing
from tests.explainers.texts.test_chat import CHAT, CHATML, saved
from tests.explainers.tiny import ARCHITECTURES, TEXTS, save
from tests.explainers.tokenizers_zoo import NAMES_OF_ALL, Wrapped, get, zero_width

TEXT = "the plot is a mess but the cast is wonderful"


def words_of(tokenizer: Any, text: str) -> list[str]:
    encoding = Tokenizing(tokenizer).encode(text, 10**6)
    return [feature.text.strip() for feature in build_features(encoding, "word")]


# -- 5 --------------------------------------------------------------------------------------------


def test_zero_width_offsets_of_a_byte_level_tokenizer_do_not_lose_the_words() -> None:
    honest = get("llama3")
    lying = Wrapped(honest, zero_width)
    offsets = lying("the cat is all", return_offsets_mapping=True)["offset_mapping"]
    assert all(start == end for start, end in offsets)
    assert words_of(lying, "the cat is all") == ["the", "cat", "is", "all"] == words_of(honest, "the cat is all")


@pytest.mark.parametrize("name", ["bytes", "llama3", "llama2"])
def test_tokens_that_share_one_character_are_one_unit_so_that_no_text_is_there_twice(name: str) -> None:
    text = "a 🤖 žiž 👩‍👩‍👧 b"
    encoding = Tokenizing(get(name)).encode(text, 10**6)
    plain = [token for token in encoding.tokens if not token.special]
    assert any(len(token.positions) > 1 for token in plain)
    assert all(before.end <= after.start for before, after in pairwise(plain))
    assert "".join(token.text for token in plain).replace(" ", "") == text.replace(" ", "")


# -- 6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES_OF_ALL if name != "dropping"])
def test_words_are_the_words_of_the_source_and_carry_no_marks_of_the_tokenizer(name: str) -> None:
    text = "the naughty cat is all"
    assert words_of(get(name), text) == text.split()


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"])
def test_the_score_of_a_word_is_the_sum_of_its_pieces(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = "unwatchable plotlessness but funny"
    pieces, words = (
        explain(model, text, method="input-x-gradient", granularity=granularity) for granularity in ("token", "word")
    )
    assert [word.text.strip() for word in words.features] == text.split()
    assert len(pieces.features) > len(words.features)
    wanted = [
        sum(
            score
            for score, piece in zip(pieces.scores, pieces.features, strict=True)
            if set(piece.positions) <= set(word.positions)
        )
        for word in words.features
    ]
    np.testing.assert_allclose(words.scores, wanted, atol=1e-5)


# -- 7 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_special_tokens_are_told_apart_and_never_compete_with_words(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    got = explain(model, TEXT, method="simple")
    special = {position for token in got.tokens if token.special for position in token.positions}
    assert not special & {position for feature in got.features for position in feature.positions}
    assert bool(special) == (model.facts.kind == "encoder-classifier")
    # What they hold is reported beside the scores, and missing from them: shares sum to 1 with it.
    assert got.scores.sum() + got.diagnostics["special_share"] == pytest.approx(1.0, abs=1e-4)
    assert (got.diagnostics["special_share"] > 0) == bool(special)


# -- 8 --------------------------------------------------------------------------------------------


def test_a_chat_template_is_applied_once_and_its_own_tokens_are_not_scored(tmp_path: Path) -> None:
    model = load(str(saved(tmp_path / "chat", "<eos>" + CHATML)), device="cpu")
    got = explain(model, messages=CHAT, method="occlusion", granularity="word")
    ids = [id for token in got.tokens for id in token.ids]
    assert ids == model.tokenizer.apply_chat_template(CHAT, add_generation_prompt=True)["input_ids"]
    assert ids.count(model.tokenizer.eos_token_id) == 1
    assert [feature.text for feature in got.features] == [word for row in CHAT for word in row["content"].split()]
    assert [part.name for part in got.segments] == [row["role"] for row in CHAT]
    written = {index for feature in got.features for index in feature.tokens}
    assert all(token.special != (index in written) for index, token in enumerate(got.tokens))


# -- 9 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "roberta"])
def test_a_text_that_is_too_long_is_neither_a_crash_nor_cut_in_silence(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = " ".join([TEXT] * 40)
    got = explain(model, text, method="input-x-gradient")
    assert got.truncated_at is not None
    assert 0 < got.truncated_at < len(text)
    assert got.features[-1].end <= got.truncated_at
    assert any(f"ends the text at character {got.truncated_at}" in warning for warning in got.warnings)
    assert explain(model, TEXT, method="input-x-gradient").truncated_at is None


# -- 11 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_half_precision_gives_float32_scores_near_those_of_full_precision(
    dtype: str, architecture: str, tiny_folder: Any, tiny_model: Any
) -> None:
    half, whole = load(str(tiny_folder(architecture)), "cpu", dtype=dtype), tiny_model(architecture)
    for method in ("occlusion", "integrated-gradients", "deep-lift"):
        got = explain(half, TEXT, method=method, target=1)
        wanted = explain(whole, TEXT, method=method, target=1)
        assert got.scores.dtype == np.float32
        assert got.scores.any()
        assert np.corrcoef(got.scores, wanted.scores)[0, 1] > 0.9


def test_numbers_that_overflow_are_an_error_and_never_zeros(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    weight = model.network.model.classifier.weight
    with torch.no_grad():
        weight.copy_(3e38 * weight.sign())
    for method in ("occlusion", "input-x-gradient", "lrp", "kernel-shap"):
        with pytest.raises(ExplainerError, match="not finite"):
            explain(model, TEXT, method=method)


# -- 12 -------------------------------------------------------------------------------------------


class Int8Linear(nn.Module):
    """A linear layer that is no `nn.Linear`: eight-bit weights and a scale for each row."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        scale = weight.abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("eighth", (weight / scale).round().to(torch.int8))
        self.register_buffer("offset", bias)

    @property
    def weight(self) -> Tensor:
        return self.eighth.float() * self.scale

    def forward(self, entered: Tensor) -> Tensor:
        return nn.functional.linear(entered, self.weight, self.offset)


def quantise(body: nn.Module) -> nn.Module:
    """The weights of all linear layers rounded to eight bits: in place of `nn.Linear`, another class."""
    for name, module in list(body.named_modules()):
        if isinstance(module, nn.Linear):
            parent = body.get_submodule(name.rpartition(".")[0])
            bias = None if module.bias is None else module.bias.detach()
            setattr(parent, name.rpartition(".")[2], Int8Linear(module.weight.detach(), bias))
    return body


@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_layers_that_are_no_plain_linear_ones_are_explained_by_the_same_rules(
    architecture: str, tiny_folder: Any, tmp_path: Any
) -> None:
    folder = tiny_folder(architecture)
    quantised = load(str(folder), "cpu")
    quantise(quantised.network.body)
    rounded: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for module in rounded.base_model.modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(Int8Linear(module.weight, None).weight)
    plain = load(str(save(rounded, tmp_path / "rounded", architecture == "llama")), "cpu")
    for method in ("lrp", "deep-lift", "input-x-gradient", "occlusion"):
        got, wanted = (explain(model, TEXT, method=method, target=1) for model in (quantised, plain))
        np.testing.assert_allclose(got.scores, wanted.scores, atol=1e-5, err_msg=method)
    before = explain(load(str(folder), "cpu"), TEXT, method="lrp", target=1)
    assert np.abs(explain(quantised, TEXT, method="lrp", target=1).scores - before.scores).max() > 1e-4


# -- 13 -------------------------------------------------------------------------------------------


def together(model: Any, questions: list[Question]) -> list[Attribution]:
    """Several explanations at once: whatever may share a pass does, in a random order."""
    steps = [explaining(model, question) for question in questions]
    replies: dict[int, Any] = dict.fromkeys(range(len(steps)))
    waiting: dict[int, ModelQuery] = {}
    done: dict[int, Attribution] = {}
    dice = random.Random(0)
    while len(done) < len(steps):
        for index in [index for index in replies if index not in done]:
            try:
                step = steps[index].send(replies.pop(index))
            except StopIteration as end:
                done[index] = end.value
                continue
            if isinstance(step, Attribution):
                replies[index] = None
            elif isinstance(step, Solve):
                replies[index] = Solved(step.function(*step.arguments))
            else:
                waiting[index] = step
        if waiting and not replies:
            first = next(iter(waiting.values()))
            group = [index for index, query in waiting.items() if batch_key(query) == batch_key(first)]
            dice.shuffle(group)
            pieces = [Piece(waiting[index], 0, waiting[index].num_rows) for index in group]
            for index, answer in zip(group, model.compute(pieces), strict=True):
                replies[index] = answer
                del waiting[index]
    return [done[index] for index in range(len(steps))]


@pytest.mark.parametrize("architecture", ["bert", "roberta", "gpt2", "llama"])
def test_who_else_is_in_the_batch_does_not_change_an_answer(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    for method in fitting(model.facts, "class"):
        questions = [Question(text, method, granularity="word", target=1) for text in (*TEXTS, "film")]
        for question, merged in zip(questions, together(model, questions), strict=True):
            alone = explain(model, question.text, method=method, granularity="word", target=1)
            size = max(1.0, float(np.abs(alone.scores).max()))
            np.testing.assert_allclose(merged.scores / size, alone.scores / size, atol=2e-5, err_msg=method)


# -- 17 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_every_result_says_against_what_on_which_scale_with_which_seed_and_rows(
    architecture: str, tiny_model: Any
) -> None:
    model = tiny_model(architecture)
    for method in fitting(model.facts, "class"):
        got = explain(model, TEXT, method=method, granularity="word", seed=3)
        said = got.to_dict()
        assert (said["method"], said["seed"], said["granularity"]) == (method, 3, "word")
        assert said["scale"] in ("logit", "loss")
        assert said["target"]["label"] == got.prediction.label
        assert said["cost"]["forward_rows"] >= 1
        assert np.isfinite(said["value"])
        if said["base_value"] is not None:
            assert said["baseline"], method
        if said["additive"]:
            assert said["gap"] == pytest.approx(said["value"] - said["base_value"] - sum(said["scores"]), abs=1e-4)
