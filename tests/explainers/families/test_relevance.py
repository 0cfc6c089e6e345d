"""Relevance propagation against models whose modules are patched by hand, and where it must conserve exactly."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AutoModelForSequenceClassification
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from saliscope.explainers import ExplainerError, explain, load
from saliscope.explainers.models.packing import batch_key
from saliscope.explainers.models.relevance import find_activations, obeying
from saliscope.explainers.queries import Differentiate, Piece
from saliscope.explainers.registry import find_method
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT
from tests.explainers.tiny import ARCHITECTURES, TEXTS, build, save

WITHOUT_SDPA = ("deberta-v2", "mpnet", "gemma2")
MODES = [(name, "eager" if name in WITHOUT_SDPA else "sdpa") for name in ARCHITECTURES]
MODES += [("bert", "eager"), ("gpt2", "eager"), ("llama", "eager"), ("modernbert", "eager")]
RULES = ("cp-lrp", "attn-lrp")


@pytest.fixture(params=MODES, ids="-".join)
def model(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    architecture, mode = request.param
    return tiny_model(architecture, attention=mode)


def asking(model: Any, text: str, rule: Any = None, layers: tuple[int, ...] = (INPUT,)) -> Differentiate:
    return Differentiate(model.encode(text), Scalar(model.facts.kinds[0], 1, "logit"), layers, rule=rule)


# -- the same by hand -----------------------------------------------------------------------------


def damp(tensor: Tensor, factor: float) -> Tensor:
    """The same values, `factor` times the gradient."""
    return tensor * factor + (tensor * (1 - factor)).detach()


def attend_cp(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    return sdpa_attention_forward(module, query.detach(), key.detach(), value, mask, **options)


def attend_even(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
    return sdpa_attention_forward(module, damp(query, 0.25), damp(key, 0.25), damp(value, 0.5), mask, **options)


def layer_norm(module: Any, entered: Tensor) -> Tensor:
    centred = entered - entered.mean(-1, keepdim=True)
    spread = (entered.var(-1, unbiased=False, keepdim=True) + module.eps).sqrt().detach()
    return centred / spread * module.weight + module.bias  # type: ignore[no-any-return]


def rms_norm(module: Any, entered: Tensor) -> Tensor:
    scale = (entered.square().mean(-1, keepdim=True) + module.variance_epsilon).rsqrt().detach()
    return module.weight * (entered * scale)  # type: ignore[no-any-return]


def identity_rule(forward: Callable[[Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    return lambda module, entered: entered * (forward(entered) / entered).detach()


def gated(module: Any, entered: Tensor) -> Tensor:
    return module.down_proj(damp(module.act_fn(module.gate_proj(entered)) * module.up_proj(entered), 0.5))  # type: ignore[no-any-return]


def patched(folder: Any, rule: str) -> Any:
    """The plain model with its attention replaced through transformers' interface and its modules one by one."""
    name = f"by-hand-{rule}"
    AttentionInterface.register(name, attend_cp if rule == "cp-lrp" else attend_even)
    # Without the mask of the same name padding would be attended to.
    AttentionMaskInterface.register(name, sdpa_mask)
    plain: Any = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation=name).eval()
    for module in plain.requires_grad_(False).modules():
        kind = type(module).__name__
        if isinstance(module, nn.LayerNorm):
            module.forward = MethodType(layer_norm, module)
        elif kind.endswith("RMSNorm"):
            module.forward = MethodType(rms_norm, module)
        elif rule == "attn-lrp" and (kind.endswith("Activation") or isinstance(module, nn.Tanh)):
            module.forward = MethodType(identity_rule(module.forward), module)
        elif rule == "attn-lrp" and kind in ("LlamaMLP", "Qwen2MLP"):
            module.forward = MethodType(gated, module)
    return plain


@pytest.mark.parametrize("architecture", ["bert", "albert", "gpt2", "gpt-neox", "llama", "qwen2"])
@pytest.mark.parametrize("rule", RULES)
def test_it_is_input_times_gradient_of_a_model_patched_by_hand(
    architecture: str, rule: str, tiny_model: Any, tiny_folder: Any
) -> None:
    model, plain = tiny_model(architecture), patched(tiny_folder(architecture), rule)
    encoding = model.encode(TEXTS[1])
    rows = torch.from_numpy(encoding.ids)[None]
    embeds = plain.get_input_embeddings()(rows).detach().requires_grad_(True)
    logits = plain(inputs_embeds=embeds, attention_mask=torch.ones_like(rows)).logits
    relevance = (torch.autograd.grad(logits[0, 1], embeds)[0] * embeds).sum(-1)[0].detach().numpy()
    got = explain(model, TEXTS[1], method="lrp", rule=rule, target=1)
    expected = [relevance[list(feature.positions)].sum() for feature in got.features]
    np.testing.assert_allclose(got.scores, expected, atol=1e-5 * max(1.0, np.abs(relevance).max()))
    assert got.value == pytest.approx(logits[0, 1].item(), abs=1e-5)
    assert got.diagnostics["relevance_sum"] == pytest.approx(float(relevance.sum()), abs=1e-4)
    plainly = explain(model, TEXTS[1], method="input-x-gradient", target=1)
    assert np.abs(plainly.scores - got.scores).max() > 1e-3


@pytest.mark.parametrize(("rule", "silent"), [("cp-lrp", "down_proj"), ("attn-lrp", "o_proj")])
@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma2"])
def test_relevance_is_conserved_where_every_part_has_a_rule(
    architecture: str, rule: str, silent: str, tmp_path: Any
) -> None:
    """No biases, and the other half of the blocks silent: then the scores of all positions sum to the logit."""
    made = build(architecture)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if silent in name:
                weight.zero_()
    model = load(str(save(made, tmp_path / "model", True)), "cpu")
    got = explain(model, TEXTS[1], method="lrp", rule=rule, target=1)
    plainly = explain(model, TEXTS[1], method="input-x-gradient", target=1)
    assert got.scores.sum() == pytest.approx(got.value, abs=1e-4)
    assert got.diagnostics["kept_share"] == pytest.approx(1.0, abs=1e-4)
    assert abs(plainly.scores.sum() - plainly.value) > 0.05


# -- what it leaves alone -------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_the_forward_is_the_same_to_the_last_bit(model: Any, rule: str) -> None:
    layers = (INPUT, *range(model.facts.num_layers + 1))
    plain = model.answer(asking(model, TEXTS[1], None, layers))
    batch = model.network.probe_batch()
    states = model.network.gradients(model.network.reader("class"), batch, layers, lambda outputs: outputs[:, 1])[2]
    with obeying(rule, find_activations(model.network)):
        ruled = model.network.gradients(model.network.reader("class"), batch, layers, lambda outputs: outputs[:, 1])[2]
    for layer in layers:
        assert torch.equal(states[layer], ruled[layer])
    answer = model.answer(asking(model, TEXTS[1], rule, layers))
    np.testing.assert_array_equal(answer.outputs, plain.outputs)
    assert not np.allclose(answer.inner[INPUT], plain.inner[INPUT], atol=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_everything_is_restored_also_after_an_exception(model: Any, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, mode = model.fingerprint(), model.network.model.config._attn_implementation
    forwards = {name: module.forward for name, module in model.network.model.named_modules()}
    plain = model.answer(asking(model, TEXTS[1])).inner[INPUT]
    ruled = model.answer(asking(model, TEXTS[1], rule)).inner[INPUT]
    outputs = model.network.outputs

    def breaking(*args: Any) -> Any:
        outputs(*args)
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patch:
        patch.setattr(model.network, "outputs", breaking)
        with pytest.raises(RuntimeError, match="out of luck"):
            model.answer(asking(model, TEXTS[1], rule))
    assert model.fingerprint() == before
    assert model.network.model.config._attn_implementation == mode
    assert all(forwards[name] == module.forward for name, module in model.network.model.named_modules())
    np.testing.assert_array_equal(model.answer(asking(model, TEXTS[1])).inner[INPUT], plain)
    np.testing.assert_array_equal(model.answer(asking(model, TEXTS[1], rule)).inner[INPUT], ruled)


@pytest.mark.parametrize("rule", RULES)
def test_a_padded_batch_equals_single_rows(model: Any, rule: str) -> None:
    queries = [asking(model, text, rule) for text in (*TEXTS, "film")]
    together = model.compute([Piece(query, 0, 1) for query in queries])
    for query, merged in zip(queries, together, strict=True):
        alone = model.answer(query)
        scale = max(1.0, float(np.abs(alone.inner[INPUT]).max()))
        np.testing.assert_allclose(merged.outputs, alone.outputs, atol=1e-5)
        np.testing.assert_allclose(merged.inner[INPUT], alone.inner[INPUT], atol=1e-5 * scale)


def test_each_rule_has_passes_of_its_own(demo_encoder: Any) -> None:
    assert len({batch_key(asking(demo_encoder, "a b", rule)) for rule in (None, *RULES)}) == 3


def test_activations_are_found_by_what_they_do(tiny_model: Any) -> None:
    for architecture, names in (
        ("bert", {"GELUActivation", "Tanh"}),
        ("gpt2", {"NewGELUActivation"}),
        ("llama", {"SiLUActivation"}),
        ("opt", {"ReLU"}),
    ):
        found = find_activations(tiny_model(architecture).network)
        assert {type(module).__name__ for module in found} == names


# -- as a method ----------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "qwen2"])
@pytest.mark.parametrize("text", ["a", "a dull", "dull dull dull"])
def test_short_and_repeating_texts_have_one_score_a_token(architecture: str, text: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    for rule in RULES:
        tokens, words = (explain(model, text, method="lrp", rule=rule, granularity=g) for g in ("token", "word"))
        assert len(words.scores) == len(text.split())
        assert words.scores.sum() == pytest.approx(tokens.scores.sum(), abs=1e-4)
        assert tokens.cost.forward_rows == tokens.cost.backward_rows == 1
        assert tokens.cost.promised_forward_rows == tokens.cost.promised_backward_rows == 1
        everything = tokens.scores.sum() + tokens.diagnostics["special_sum"]
        assert everything == pytest.approx(tokens.diagnostics["relevance_sum"], abs=1e-4)


def test_the_length_of_a_words_relevance_is_no_less_than_what_its_sum_can_be(demo_encoder: Any) -> None:
    signed, length = (explain(demo_encoder, TEXTS[1], method="lrp", aggregate=kind) for kind in ("sum", "l2"))
    assert (length.scores > 0).all()
    assert (signed.scores < 0).any()
    width = demo_encoder.network.embedding_size
    assert (np.abs(signed.scores) <= length.scores * width**0.5 + 1e-6).all()
    assert signed.diagnostics == length.diagnostics


def test_a_next_token_has_relevance_too(demo_decoder: Any) -> None:
    for rule in RULES:
        got = explain(demo_decoder, TEXTS[1], method="lrp", rule=rule, target="next-token")
        assert np.isfinite(got.scores).all()
        assert got.scores.any()


def test_half_precision_models_have_relevance_near_the_full_one(tiny_folder: Any) -> None:
    for architecture in ("bert", "llama"):
        full, half = (load(str(tiny_folder(architecture)), "cpu", dtype=dtype) for dtype in ("float32", "bfloat16"))
        for rule in RULES:
            wide, near = (explain(m, TEXTS[1], method="lrp", rule=rule, target=1).scores for m in (full, half))
            assert near.dtype == np.float32
            assert np.corrcoef(wide, near)[0, 1] > 0.95


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"rule": "epsilon"}, r"params\.rule: Invalid enum value 'epsilon'"),
        ({"aggregate": "max"}, r"params\.aggregate: Invalid enum value 'max'"),
        ({"gamma": 1}, "params.gamma: lrp has no such parameter; it has aggregate, rule"),
    ],
)
def test_a_bad_parameter_is_named(params: dict[str, Any], match: str, demo_encoder: Any) -> None:
    with pytest.raises(ExplainerError, match=match):
        explain(demo_encoder, "a", method="lrp", **params)


def test_the_patent_notice_is_in_the_catalogue() -> None:
    assert any("patents" in text for text in find_method("lrp").describe()["caveats"])
