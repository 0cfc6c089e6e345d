"""Every method against exact truth, and what every result owes its reader."""

from __future__ import annotations

import copy
import html
import json
import math
import re
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from saliscope.explainers import Attribution, explain, load, methods
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable, TooLarge, UnknownMethod
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.registry import default_method, fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.protocol import results
from tests.explainers.core import core

TEXT = "the plot is a mess but the cast is wonderful"
TAGGED = "a <b>dull</b> film & \"a\" 'mess' <script>alert(1)</script>\nnew line, é 漢字 👩‍👩‍👧"
NAMES = ["demo-encoder", "demo-decoder", "bert", "roberta", "albert", "modernbert", "gpt2", "llama", "gemma2"]


@pytest.fixture
def model(request: pytest.FixtureRequest, demo_encoder: Any, demo_decoder: Any, tiny_model: Any) -> Any:
    demo = {"demo-encoder": demo_encoder, "demo-decoder": demo_decoder}
    return demo.get(request.param) or tiny_model(request.param)


def double(model: Any) -> Any:
    """The same plain model in double precision."""
    return copy.deepcopy(model.network.model).double()


def every_explanation(model: Any, text: str = TEXT, **options: Any) -> dict[tuple[str, str], Attribution]:
    """By method and kind of target, whatever of the core fits."""
    return {
        (method, kind): explain(model, text, method=method, target=None if kind == "class" else kind, **options)
        for kind in model.facts.kinds
        for method in core(model, kind)
    }


# -- exact truth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [name for name in NAMES if name != "modernbert"], indirect=True)
def test_input_x_gradient_is_the_slope_of_scaling_a_tokens_embedding(model: Any) -> None:
    plain, encoding = double(model), model.encode(TEXT)
    ids = torch.from_numpy(encoding.ids)[None]
    embeds = plain.get_input_embeddings()(ids).detach()
    step = 3e-3  # norms and rotations stay in single precision
    positions = [token.positions[0] for token in encoding.tokens if not token.special]
    rows = embeds.repeat(2 * len(positions), 1, 1)
    for k, position in enumerate(positions):
        rows[2 * k, position] *= 1 + step
        rows[2 * k + 1, position] *= 1 - step
    with torch.no_grad():
        outputs = [plain(inputs_embeds=row[None], attention_mask=torch.ones_like(ids)).logits[0, 1] for row in rows]
    values = torch.stack(outputs).reshape(-1, 2)
    slopes = (values[:, 0] - values[:, 1]) / (2 * step)
    got = explain(model, TEXT, method="input-x-gradient", target=1)
    np.testing.assert_allclose(got.scores, slopes.numpy(), atol=2e-4, rtol=2e-3)
    assert np.abs(got.scores).max() > 1e-2


def test_a_model_that_normalises_its_bare_embeddings_has_no_slope_along_them(tiny_model: Any) -> None:
    """ModernBERT: a longer embedding is the same to it, so the product with the gradient is all but nothing."""
    along = explain(tiny_model("modernbert"), TEXT, method="input-x-gradient", target=1)
    inside = explain(tiny_model("modernbert"), TEXT, method="grad-cam", target=1)
    assert np.abs(along.scores).max() < 0.01 * np.abs(inside.scores).max()


@pytest.mark.parametrize("model", NAMES, indirect=True)
@pytest.mark.parametrize("scale", ["logit", "margin"])
def test_grad_cam_is_relu_of_gradient_times_activation_by_plain_autograd(model: Any, scale: str) -> None:
    plain, encoding = copy.deepcopy(model.network.model), model.encode(TEXT)
    ids = torch.from_numpy(encoding.ids)[None]
    embeds = plain.get_input_embeddings()(ids).detach().requires_grad_(True)
    got = plain(inputs_embeds=embeds, attention_mask=torch.ones_like(ids), output_hidden_states=True)
    logits = got.logits[0]
    value = logits[1] - (torch.cat([logits[:1], logits[2:]]).logsumexp(0) if scale == "margin" else 0.0)
    states = got.hidden_states[:-1]
    for layer, gradient in enumerate(torch.autograd.grad(value, states)):
        products = (gradient * states[layer]).sum(-1)[0].detach().numpy()
        explained = explain(model, TEXT, method="grad-cam", target=1, scale=scale, layer=layer)
        wanted = [np.maximum(products[list(feature.positions)], 0).sum() for feature in explained.features]
        np.testing.assert_allclose(explained.scores, wanted, atol=1e-4, rtol=1e-4)
        assert explained.outputs[0].layer == layer
        special = np.abs(products[encoding.special]).sum() / np.abs(products).sum()
        assert explained.diagnostics["special_share"] == pytest.approx(special, abs=1e-4)


@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_occlusion_is_the_drop_of_the_plain_model_on_the_masked_text(model: Any) -> None:
    encoding = model.encode(TEXT)
    got = explain(model, TEXT, method="occlusion", target=0, granularity="word", scale="logprob")

    def logprob(ids: Any) -> float:
        row = torch.from_numpy(ids)[None]
        with torch.no_grad():
            return float(
                model.network.model(input_ids=row, attention_mask=torch.ones_like(row)).logits[0].log_softmax(0)[0]
            )

    for feature, score in zip(got.features, got.scores, strict=True):
        masked = encoding.ids.copy()
        masked[list(feature.positions)] = model.facts.mask_id
        assert score == pytest.approx(logprob(encoding.ids) - logprob(masked), abs=1e-5)
    assert got.value == pytest.approx(logprob(encoding.ids), abs=1e-5)
    assert got.cost.forward_rows == len(got.features) + 1


@pytest.mark.parametrize("model", ["bert", "gpt2", "llama"], indirect=True)
def test_a_token_that_already_is_the_mask_is_a_null_player(model: Any) -> None:
    text = f"a dull {model.facts.mask_text.strip()} film"
    got = explain(model, text, method="occlusion")
    encoding = model.encode(text)
    null = [k for k, f in enumerate(got.features) if all(encoding.ids[p] == model.facts.mask_id for p in f.positions)]
    assert len(null) == 1
    assert abs(got.scores[null[0]]) < 1e-6
    assert (np.abs(np.delete(got.scores, null)) > 1e-5).all()


@pytest.mark.parametrize("model", ["demo-encoder", "demo-decoder", "bert", "llama"], indirect=True)
def test_words_and_sentences_sum_what_gradients_give_to_tokens(model: Any) -> None:
    text = "The plot is a mess. But the cast is wonderful, and the music is fine!"
    tokens = explain(model, text, method="input-x-gradient")
    for granularity, count in (("word", 15), ("sentence", 2)):
        groups = explain(model, text, method="input-x-gradient", granularity=granularity)
        assert len(groups.features) == count
        for feature, score in zip(groups.features, groups.scores, strict=True):
            assert feature.text == text[feature.start : feature.end]
            assert score == pytest.approx(tokens.scores[[_place(tokens, k) for k in feature.tokens]].sum(), abs=1e-5)
        assert groups.granularity == granularity


def _place(got: Attribution, token: int) -> int:
    return next(k for k, feature in enumerate(got.features) if feature.tokens == (token,))


def test_a_repeated_token_has_its_own_gradient_at_each_place(demo_encoder: Any) -> None:
    got = explain(demo_encoder, "good good good film", method="input-x-gradient", target="positive")
    assert [feature.text for feature in got.features[:3]] == ["good"] * 3
    assert len({round(float(score), 6) for score in got.scores[:3]}) == 3


def test_the_bundled_models_find_the_words_that_decide(demo_encoder: Any, demo_decoder: Any) -> None:
    text = "a dull, lifeless and boring film"
    got = explain(demo_encoder, text, granularity="word")
    assert (got.method, got.prediction.label) == ("decoded-grad-cam", "negative")
    assert got.top(1)[0][0] in ("dull,", "lifeless", "boring")
    got = explain(demo_decoder, text, granularity="word")
    assert (got.method, got.prediction.label) == ("sp-pi", "negative")
    assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)


# -- the model stays as it was --------------------------------------------------------------------


@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_no_method_changes_the_model(model: Any) -> None:
    before, training = model.fingerprint(), [module.training for module in model.network.model.modules()]
    assert before == model.facts.fingerprint
    every_explanation(model)
    assert model.fingerprint() == before
    assert [module.training for module in model.network.model.modules()] == training
    assert all(weight.grad is None and not weight.requires_grad for weight in model.network.model.parameters())


def test_the_fingerprint_notices_what_must_not_happen(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    plain, before = model.network.model, model.fingerprint()
    hook = plain.classifier.register_forward_hook(lambda *_: None)
    assert model.fingerprint() != before
    hook.remove()
    assert model.fingerprint() == before
    for undo in (plain.eval, lambda: plain.requires_grad_(False)):
        plain.train() if undo == plain.eval else plain.requires_grad_(True)
        assert model.fingerprint() != before
        undo()
        assert model.fingerprint() == before
    with torch.no_grad():
        plain.classifier.bias[0] += 1
    assert model.fingerprint() != before


class Boom(Exception):
    """Thrown inside a pass."""


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("output", ["raises", "nonsense"])
def test_an_exception_inside_a_hooked_pass_leaves_no_hook_behind(name: str, output: str, tiny_folder: Any) -> None:
    model = load(str(tiny_folder(name)), "cpu")
    before, wanted = model.fingerprint(), explain(model, TEXT, method="grad-cam", layer=1).scores
    block = model.network.anatomy.blocks[1]

    def forward(*args: Any, **kwargs: Any) -> Any:
        if output == "raises":
            raise Boom
        return 7

    block.forward = forward
    try:
        for method in ("grad-cam", "decoded-grad-cam", "input-x-gradient", "occlusion"):
            with pytest.raises((Boom, TypeError, AttributeError, IndexError, ValueError)):
                explain(model, TEXT, method=method)
    finally:
        del block.forward
    assert model.fingerprint() == before
    np.testing.assert_array_equal(explain(model, TEXT, method="grad-cam", layer=1).scores, wanted)


def test_an_exception_while_a_target_is_read_leaves_no_hook_behind(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    before = model.fingerprint()
    with pytest.raises(IndexError):
        model.answer(Differentiate(model.encode(TEXT), Scalar("class", 99, "logit"), (0, 2)))
    assert model.fingerprint() == before


# -- numbers that are none ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_model_that_answers_nan_is_an_error_and_not_a_map(bad: float, tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    with torch.no_grad():
        model.network.model.classifier.bias[2] = bad
    for method in fitting(model.facts, "class"):
        with pytest.raises(NonFinite, match="not finite"):
            explain(model, TEXT, method=method)


def test_a_mask_that_breaks_the_model_names_the_word(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    with torch.no_grad():
        model.network.embedding.weight[model.facts.mask_id] = math.nan
    with pytest.raises(NonFinite, match="not finite with 'a' hidden"):
        explain(model, "a dull film", method="occlusion")
    assert np.isfinite(explain(model, "a dull film", method="input-x-gradient").scores).all()


# -- results --------------------------------------------------------------------------------------


#: What the daemon adds to a result.
ADDED: dict[str, Any] = {"protocol": results.PROTOCOL_VERSION, "cached": False}


@pytest.mark.parametrize("model", ["demo-encoder", "demo-decoder", "bert", "gpt2"], indirect=True)
def test_a_result_travels_as_the_message_that_is_declared(model: Any) -> None:
    for granularity in ("token", "word"):
        for got in every_explanation(model, TAGGED, granularity=granularity).values():
            said = got.to_dict()
            assert set(said) == set(results.Explanation.__struct_fields__) - ADDED.keys()
            message = msgspec.convert(said, results.Explanation)
            assert msgspec.to_builtins(message) == {**said, **ADDED}
            assert json.loads(json.dumps(said, allow_nan=False)) == said
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=results.Explanation) == message


@pytest.mark.parametrize("model", ["bert", "gpt2"], indirect=True)
def test_any_result_travels_and_shows_itself_and_leaves_the_model_alone(model: Any) -> None:
    before = model.fingerprint()
    for method in fitting(model.facts, "class"):
        got = explain(model, "a dull film", method=method)
        said = got.to_dict()
        message = msgspec.convert(said, results.Explanation)
        assert msgspec.to_builtins(message) == {**said, **ADDED}, method
        assert json.loads(json.dumps(said, allow_nan=False)) == said
        assert method in got._repr_html_()
        assert model.fingerprint() == before, method


def test_partial_results_travel_too(demo_encoder: Any) -> None:
    partials: list[Attribution] = []
    explain(demo_encoder, "a dull film " * 30, method="occlusion", on_partial=partials.append)
    assert partials
    for part in partials:
        assert msgspec.convert(part.to_dict(), results.Explanation).estimate == "partial"


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
        assert set(said) == set(results.MethodInfo.__struct_fields__)
        info = msgspec.convert(said, results.MethodInfo)
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
        assert msgspec.convert(got.to_dict(), results.Explanation).truncated_at == got.truncated_at
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
