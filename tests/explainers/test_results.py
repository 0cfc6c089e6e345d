"""What every result owes its reader, and what is refused with what would work."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from saliscope.explainers import Attribution, explain, load, methods
from saliscope.explainers.errors import BadRequest, NotCapable, TooLarge, UnknownMethod
from saliscope.explainers.registry import default_method, fitting
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.results import MethodInfo
from saliscope.protocol.terms import PROTOCOL_VERSION
from tests.explainers.core import TEXT, core, every_explanation

TAGGED = "a <b>dull</b> film & \"a\" 'mess' <script>alert(1)</script>\nnew line, é 漢字 👩‍👩‍👧"


#: What the daemon adds to a result.
ADDED: dict[str, Any] = {"protocol": PROTOCOL_VERSION, "cached": False}


@pytest.mark.parametrize("model", ["demo-encoder", "demo-decoder", "bert", "gpt2"], indirect=True)
def test_a_result_travels_as_the_message_that_is_declared(model: Any) -> None:
    for granularity in ("token", "word"):
        for got in every_explanation(model, TAGGED, granularity=granularity).values():
            said = got.to_dict()
            assert set(said) == set(Explanation.__struct_fields__) - ADDED.keys()
            message = msgspec.convert(said, Explanation)
            assert msgspec.to_builtins(message) == {**said, **ADDED}
            assert json.loads(json.dumps(said, allow_nan=False)) == said
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=Explanation) == message


@pytest.mark.parametrize("model", ["bert", "gpt2"], indirect=True)
def test_any_result_travels_and_shows_itself_and_leaves_the_model_alone(model: Any) -> None:
    before = model.fingerprint()
    for method in fitting(model.facts, "class"):
        got = explain(model, "a dull film", method=method)
        said = got.to_dict()
        message = msgspec.convert(said, Explanation)
        assert msgspec.to_builtins(message) == {**said, **ADDED}, method
        assert json.loads(json.dumps(said, allow_nan=False)) == said
        assert method in got._repr_html_()
        assert model.fingerprint() == before, method


def test_partial_results_travel_too(demo_encoder: Any) -> None:
    partials: list[Attribution] = []
    explain(demo_encoder, "a dull film " * 30, method="occlusion", on_partial=partials.append)
    assert partials
    for part in partials:
        assert msgspec.convert(part.to_dict(), Explanation).estimate == "partial"


@pytest.mark.parametrize("model", ["demo-encoder", "demo-decoder", "gpt2"], indirect=True)
def test_a_notebook_shows_the_whole_text_and_runs_none_of_it(model: Any) -> None:
    for got in every_explanation(model, TAGGED).values():
        page = got._repr_html_()
        assert "<script" not in page
        assert "<b>dull" not in page
        visible = html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)))
        assert re.sub(r"\s+", "", TAGGED) in re.sub(r"\s+", "", visible)
        assert got.method in page


def test_features_and_tokens_cut_out_their_own_text(demo_encoder: Any, demo_decoder: Any) -> None:
    for model in (demo_encoder, demo_decoder):
        for granularity in ("token", "word", "sentence"):
            got = explain(model, TAGGED, method="random", granularity=granularity)
            seen = [index for feature in got.features for index in feature.tokens]
            assert sorted(seen) == [k for k, token in enumerate(got.tokens) if not token.special]
            for piece in (*got.features, *(token for token in got.tokens if not token.special)):
                assert piece.text == TAGGED[piece.start : piece.end]


def test_the_top_features_come_strongest_first(demo_encoder: Any) -> None:
    got = explain(demo_encoder, TEXT, method="occlusion", granularity="word")
    top = got.top(3)
    assert [score for _, score in top] == sorted(got.scores.tolist(), reverse=True)[:3]
    assert dict(top).keys() <= set(TEXT.split())
    assert len(got.top(99)) == len(got.features)


def test_only_an_additive_method_has_a_gap(demo_decoder: Any) -> None:
    gaps = {method: got.gap for (method, kind), got in every_explanation(demo_decoder).items() if kind == "class"}
    assert abs(gaps["sp-pi"]) < 1e-4
    for method, gap in gaps.items():
        assert gap is None or methods()[method].additive
    assert gaps["random"] is gaps["occlusion"] is gaps["input-x-gradient"] is None


def test_a_result_says_what_it_was_made_of(demo_encoder: Any) -> None:
    got = explain(demo_encoder, TEXT, method="occlusion", target="positive", scale="margin", seed=3, window=2)
    assert (got.model, got.method, got.scale, got.seed, got.granularity) == (
        "demo-encoder",
        "occlusion",
        "margin",
        3,
        "token",
    )
    assert got.params["window"] == 2
    assert got.fingerprint == demo_encoder.fingerprint()
    assert "[MASK]" in got.baseline
    assert (got.estimate, got.truncated_at, got.warnings) == ("final", None, ())
    assert got.timing_ms["total"] > 0
    assert got.scores.dtype == np.float32


# -- defaults and refusals ------------------------------------------------------------------------


def test_the_default_method_depends_on_the_model_and_says_why(
    demo_encoder: Any, demo_decoder: Any, tiny_model: Any
) -> None:
    for model, name in (
        (demo_encoder, "decoded-grad-cam"),
        (demo_decoder, "sp-pi"),
        (tiny_model("bert"), "input-x-gradient"),
        (tiny_model("llama"), "sp-pi"),
        (tiny_model("llama", "ForCausalLM"), "input-x-gradient"),
    ):
        got = explain(model, TEXT)
        assert got.method == default_method(model.facts, model.facts.kinds[0])[0] == name
        assert got.why[0] == f"method {name}: {default_method(model.facts, model.facts.kinds[0])[1]}"
        assert not any(line.startswith("method ") for line in explain(model, TEXT, method=name).why)


def test_the_catalogue_describes_every_method_as_declared() -> None:
    for name, method in methods().items():
        said = method.describe()
        assert said["name"] == name
        assert set(said) == set(MethodInfo.__struct_fields__)
        info = msgspec.convert(said, MethodInfo)
        assert set(info.params.get("properties", {})) == set(info.defaults)
        assert method.parse(info.defaults) == method.params()
        assert info.summary
        assert info.cost
        assert info.source


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\u3000"])
def test_an_empty_text_is_refused(text: str, demo_encoder: Any, demo_decoder: Any) -> None:
    for model in (demo_encoder, demo_decoder):
        with pytest.raises(BadRequest, match="nothing to explain"):
            explain(model, text)


def test_a_text_over_the_limit_is_refused_before_it_is_read(demo_encoder: Any) -> None:
    for text in ("a" * ((1 << 20) + 1), "é" * ((1 << 19) + 1)):
        with pytest.raises(TooLarge, match="over the limit of 1048576"):
            explain(demo_encoder, text)


def test_wrong_questions_are_refused_with_what_would_work(demo_encoder: Any, demo_decoder: Any) -> None:
    with pytest.raises(
        UnknownMethod, match="no method is called 'tea-leaves'; there are decoded-grad-cam, "
    ) as refused:
        explain(demo_encoder, TEXT, method="tea-leaves")
    assert all(name in refused.value.message for name in methods())
    for name, meant in {"oclusion": "occlusion", "sp_pi": "sp-pi"}.items():
        with pytest.raises(UnknownMethod, match=f"no method is called '{name}'; did you mean {meant}\\?$"):
            explain(demo_encoder, TEXT, method=name)
    with pytest.raises(BadRequest, match=r"params\.sample: lime has no .*; it has .* \(did you mean samples\?\)"):
        explain(demo_encoder, TEXT, method="lime", sample=3)
    with pytest.raises(BadRequest, match=r"params\.samples: Expected `int \| null`, got `str` \(lime\)"):
        explain(demo_encoder, TEXT, method="lime", samples="many")
    with pytest.raises(BadRequest, match="token, word, sentence"):
        explain(demo_encoder, TEXT, granularity="paragraph")
    with pytest.raises(BadRequest, match="logit, margin, logprob, prob, loss"):
        explain(demo_encoder, TEXT, scale="odds")
    with pytest.raises(BadRequest, match=r"occlusion has no such parameter; it has .*window"):
        explain(demo_encoder, TEXT, method="occlusion", size=3)
    with pytest.raises(BadRequest, match="random has no such parameter; it has none"):
        explain(demo_encoder, TEXT, method="random", size=3)
    for window in (0, -1, 1.5, "2", None, 1001):
        with pytest.raises(BadRequest, match="window"):
            explain(demo_encoder, TEXT, method="occlusion", window=window)
    with pytest.raises(BadRequest, match="layer: 5 is out of range; demo-decoder has 0 to 4"):
        explain(demo_decoder, TEXT, method="grad-cam", layer=5)


def test_a_refusal_costs_no_pass_through_the_model(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    calls: list[int] = []
    model.network.body.register_forward_pre_hook(lambda *_: calls.append(1))
    for question in ({"method": "sp-pi"}, {"target": "no"}, {"scale": "no"}, {"granularity": "no"}, {"method": "no"}):
        with pytest.raises((BadRequest, NotCapable, UnknownMethod)):
            explain(model, TEXT, **question)
    with pytest.raises(BadRequest):
        explain(model, TEXT, method="grad-cam", layer=9)
    assert calls == []
    explain(model, TEXT)
    assert len(calls) == 1


@pytest.mark.parametrize("model", ["bert", "gpt2", "modernbert"], indirect=True)
def test_what_the_model_does_not_see_is_said_and_not_scored(model: Any) -> None:
    text = " ".join(["the plot is a mess"] * 40)
    limit = model.facts.max_tokens
    for method in core(model):
        got = explain(model, text, method=method)
        assert sum(len(token.ids) for token in got.tokens) == limit
        assert got.truncated_at is not None
        assert got.features[-1].end <= got.truncated_at < len(text)
        assert any(str(got.truncated_at) in warning for warning in got.warnings)
        assert msgspec.convert(got.to_dict(), Explanation).truncated_at == got.truncated_at
    ids = torch.from_numpy(model.encode(text).ids)[None]
    with torch.no_grad():
        logits = model.network.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
    assert got.value == pytest.approx(float(logits[got.target.index]), abs=1e-4)


@pytest.mark.parametrize("name", ["bert", "deberta-v2", "gpt2", "qwen3"])
def test_scores_follow_the_seed_only_where_there_is_chance(name: str, tiny_model: Any) -> None:
    model = tiny_model(name)
    for method in {"random", "input-x-gradient", "grad-cam", "occlusion"}.union(
        default_method(model.facts, model.facts.kinds[0])[:1]
    ):
        one, two = (explain(model, "a dull film", method=method, seed=seed).scores for seed in (1, 2))
        assert np.array_equal(one, two) == (method != "random")


def test_what_a_checkpoint_recommends_is_used_and_said_unless_somebody_asks_otherwise(demo_encoder: Any) -> None:
    hinted = explain(demo_encoder, "a dull film", method="decoded-grad-cam")
    assert hinted.params["layer"] == 3
    assert any("layer 3" in line and "demo-encoder" in line for line in hinted.why)
    assert explain(demo_encoder, "a dull film", method="decoded-grad-cam", layer=1).params["layer"] == 1
