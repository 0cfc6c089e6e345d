"""SP-PI on real decoders: prefixes, sums, and what stands before the first word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from saliscope.explainers import explain, load
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.registry import fitting
from tests.explainers import tiny
from tests.explainers.tiny import DECODERS

TEXT = "the plot is a mess. but the cast is wonderful, and the music is fine"
LONG = "one of the best films of the year: funny, warm and clever. " * 6


def logits(model: Any, ids: Any, kind: str = "class") -> Any:
    """Raw outputs of the plain model at the last of `ids`, read off its body and its head."""
    row = torch.tensor([list(ids)])
    network = model.network
    with torch.no_grad():
        state = network.body(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False)[0][:, -1]
        return network.heads[kind](state)[0].float().numpy()


def framed(folder: Path, template: str, architecture: str = "llama") -> Any:
    """A tiny decoder whose tokenizer puts <eos> where `template` says, around the text `$A`."""
    core = Tokenizer.from_str(tiny.tokenizer(True).backend_tokenizer.to_str())
    fixed = [("<eos>", core.token_to_id("<eos>"))]
    core.post_processor = processors.TemplateProcessing(single=template, special_tokens=fixed)
    tiny.build(architecture).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<eos>", pad_token="<pad>", model_max_length=64
    ).save_pretrained(folder)
    return load(str(folder), "cpu")


@pytest.fixture
def fresh(tiny_folder: Any) -> Any:
    """A model that has answered nothing yet."""
    return lambda architecture="llama", task="ForSequenceClassification": load(
        str(tiny_folder(architecture, task)), "cpu"
    )


# -- prefixes and sums ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-decoder", "gpt2", "mistral"])
@pytest.mark.parametrize("granularity", ["token", "word", "sentence"])
def test_the_curve_is_the_prediction_on_every_prefix(
    name: str, granularity: str, demo_decoder: Any, tiny_model: Any
) -> None:
    model = demo_decoder if name == "demo-decoder" else tiny_model(name)
    got = explain(model, TEXT, method="sp-pi", target=1, granularity=granularity)
    ids = model.encode(TEXT).ids
    ends = [max(feature.positions) for feature in got.features]
    assert ends[-1] == len(ids) - 1
    wanted = [logits(model, ids[: end + 1])[1] for end in ends]
    np.testing.assert_allclose(got.diagnostics["curve"], wanted, atol=1e-5)
    np.testing.assert_allclose(got.scores, np.diff([got.base_value, *wanted]), atol=1e-4)
    assert got.value == pytest.approx(wanted[-1], abs=1e-5)


@pytest.mark.parametrize("architecture", DECODERS)
def test_scores_sum_to_the_change_from_the_empty_text_for_all_classes(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    ids = model.encode(TEXT).ids
    end, start = logits(model, ids), logits(model, np.full(len(ids), model.facts.mask_id))
    for granularity in ("token", "word", "sentence"):
        got = explain(model, TEXT, method="sp-pi", target="neutral", granularity=granularity)
        assert [output.target.index for output in got.outputs] == [1, 0, 2]
        assert [output.target.label for output in got.outputs] == ["neutral", "negative", "positive"]
        for output in got.outputs:
            assert len(output.scores) == len(got.features)
            change = end[output.target.index] - start[output.target.index]
            assert output.scores.sum(dtype=np.float64) == pytest.approx(change, abs=1e-4)
        assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)
        assert abs(got.gap) < 1e-4
        assert (got.value, got.base_value) == (pytest.approx(end[1], abs=1e-5), pytest.approx(start[1], abs=1e-5))


@pytest.mark.parametrize("scale", ["logit", "margin", "logprob", "prob", "loss"])
def test_scores_sum_on_every_scale(scale: str, demo_decoder: Any) -> None:
    got = explain(demo_decoder, "A dull, lifeless and boring film!", method="sp-pi", scale=scale)
    assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)
    if scale == "prob":
        total = sum(output.scores.astype(np.float64) for output in got.outputs)
        np.testing.assert_allclose(total, 0.0, atol=1e-6)
    words = explain(demo_decoder, "A dull, lifeless and boring film!", method="sp-pi", scale=scale, granularity="word")
    for feature, score in zip(words.features, words.scores, strict=True):
        assert score == pytest.approx(got.scores[list(feature.tokens)].sum(), abs=1e-5)


def test_later_words_leave_earlier_scores_alone(demo_decoder: Any) -> None:
    short = explain(demo_decoder, "a dull film", method="sp-pi", target=0)
    longer = explain(demo_decoder, "a dull film with a wonderful cast", method="sp-pi", target=0)
    np.testing.assert_allclose(longer.scores[1:3], short.scores[1:], atol=1e-5)
    shift = short.base_value - longer.base_value
    assert longer.scores[0] == pytest.approx(short.scores[0] + shift, abs=1e-5), (
        "the masked text is as long as the text"
    )


@pytest.mark.parametrize("name", ["demo-decoder", "llama", "gpt-neox"])
def test_a_next_token_is_followed_along_the_text(name: str, demo_decoder: Any, tiny_model: Any) -> None:
    model = demo_decoder if name == "demo-decoder" else tiny_model(name, "ForCausalLM")
    ids = model.encode(TEXT).ids
    likeliest = int(np.argmax(logits(model, ids, "next-token")))
    for label, index in ((None, likeliest), (7, 7)):
        got = explain(model, TEXT, method="sp-pi", target={"kind": "next-token", "label": label})
        assert (got.target.kind, got.target.index, got.scale) == ("next-token", index, "logprob")
        rows = [torch.tensor(logits(model, ids[: k + 1], "next-token")).log_softmax(0)[index] for k in range(len(ids))]
        np.testing.assert_allclose(got.diagnostics["curve"], rows, atol=2e-5)
        assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)
        assert len(got.outputs) == 1


# -- the empty text -------------------------------------------------------------------------------


def test_the_empty_text_is_asked_for_once_per_model(fresh: Any) -> None:
    model = fresh()
    first = explain(model, TEXT, method="sp-pi")
    assert (first.cost.forward_rows, first.cost.promised_forward_rows) == (2, 2)
    for text in (TEXT, "a dull film", "funny", "one of the best films of the year"):
        for target in (0, 1):
            got = explain(model, text, method="sp-pi", target=target)
            assert got.cost.forward_rows == 1
            masked = logits(model, np.full(len(model.encode(text)), model.facts.mask_id))
            assert got.base_value == pytest.approx(masked[target], abs=1e-5)


def test_a_next_token_has_its_own_empty_text(fresh: Any) -> None:
    model = fresh("llama", "ForCausalLM")
    for label, rows in ((5, 2), (9, 2), (5, 1)):
        got = explain(model, "a dull film", method="sp-pi", target=label)
        assert got.cost.forward_rows == rows
        masked = torch.tensor(logits(model, np.full(len(got.tokens), model.facts.mask_id), "next-token"))
        assert got.base_value == pytest.approx(float(masked.log_softmax(0)[label]), abs=1e-5)


def test_the_empty_text_of_a_long_one_is_masked_in_full_length(demo_decoder: Any) -> None:
    got = explain(demo_decoder, LONG, method="sp-pi", target=1)
    length = len(demo_decoder.encode(LONG))
    assert length > 64
    masked = logits(demo_decoder, np.full(length, demo_decoder.facts.mask_id))
    assert got.base_value == pytest.approx(masked[1], abs=1e-5)
    assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)


def test_starting_from_zero_needs_one_row_and_says_so(fresh: Any) -> None:
    got = explain(fresh(), TEXT, method="sp-pi", p0="zero", target=2)
    assert (got.cost.forward_rows, got.cost.promised_forward_rows) == (1, 1)
    assert (got.base_value, got.baseline) == (0.0, "zero")
    assert got.scores.sum() == pytest.approx(got.value, abs=1e-4)


def test_one_feature_takes_the_whole_change(demo_decoder: Any) -> None:
    for text, granularity in (("film", "token"), ("film", "word"), (TEXT.replace(".", ""), "sentence")):
        got = explain(demo_decoder, text, method="sp-pi", granularity=granularity)
        assert len(got.features) == len(got.scores) == 1
        assert got.scores[0] == pytest.approx(got.value - got.base_value, abs=1e-5)


# -- fixed tokens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_fixed_prefix_is_the_empty_text_for_free(architecture: str, tmp_path: Path) -> None:
    model = framed(tmp_path, "<eos> $A", architecture)
    encoding = model.encode(TEXT)
    assert [token.special for token in encoding.tokens] == [True] + [False] * (len(encoding.tokens) - 1)
    for granularity in ("token", "word"):
        got = explain(model, TEXT, method="sp-pi", target=1, granularity=granularity)
        assert (got.cost.forward_rows, got.cost.promised_forward_rows) == (1, 1)
        assert got.base_value == pytest.approx(logits(model, encoding.ids[:1])[1], abs=1e-5)
        assert "prefix" in got.baseline
        assert all(0 not in feature.positions for feature in got.features)
        ends = [max(feature.positions) for feature in got.features]
        wanted = [logits(model, encoding.ids[: end + 1])[1] for end in (0, *ends)]
        np.testing.assert_allclose(got.scores, np.diff(wanted), atol=1e-5)
        for output in got.outputs:
            change = (
                logits(model, encoding.ids)[output.target.index] - logits(model, encoding.ids[:1])[output.target.index]
            )
            assert output.scores.sum() == pytest.approx(change, abs=1e-4)


@pytest.mark.parametrize("template", ["<eos> $A", "$A <eos>", "<eos> $A <eos> <eos>"])
def test_the_masked_text_keeps_its_fixed_tokens(template: str, tmp_path: Path) -> None:
    model = framed(tmp_path, template)
    encoding = model.encode(TEXT)
    masked = np.where(encoding.special, encoding.ids, model.facts.mask_id)
    for _ in range(2):
        got = explain(model, TEXT, method="sp-pi", p0="mask", target=0)
        assert (got.cost.forward_rows, got.cost.promised_forward_rows) == (2, 2)
        assert got.base_value == pytest.approx(logits(model, masked)[0], abs=1e-5)
        assert got.value == pytest.approx(logits(model, encoding.ids)[0], abs=1e-5)
        assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)


def test_the_last_word_is_read_with_the_fixed_tokens_that_follow_it(tmp_path: Path) -> None:
    model = framed(tmp_path, "$A <eos>")
    encoding = model.encode("a dull film")
    got = explain(model, "a dull film", method="sp-pi", target=0)
    last = logits(model, encoding.ids)[0] - logits(model, encoding.ids[:-2])[0]
    assert got.scores[-1] == pytest.approx(last, abs=1e-5)
    assert got.value == pytest.approx(logits(model, encoding.ids)[0], abs=1e-5)


# -- where it does not fit ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-encoder", "modernbert", "roberta"])
def test_an_encoder_is_refused_with_the_methods_that_fit(name: str, demo_encoder: Any, tiny_model: Any) -> None:
    model = demo_encoder if name == "demo-encoder" else tiny_model(name)
    names = fitting(model.facts, "class")
    assert "sp-pi" not in names
    assert {"input-x-gradient", "occlusion", "grad-cam", "random"} <= set(names)
    with pytest.raises(NotCapable, match="causal attention") as refused:
        explain(model, TEXT, method="sp-pi")
    assert refused.value.message.endswith(f"these fit: {', '.join(names)}")
    assert refused.value.code == "not_capable"
