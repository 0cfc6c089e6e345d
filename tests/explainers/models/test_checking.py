"""What is found out when a model is loaded: does it keep its promises, and what does a row take?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.errors import NotCapable, TooLarge
from saliscope.explainers.facts import Check
from saliscope.explainers.models import checking
from saliscope.explainers.models.checking import check
from saliscope.explainers.models.describing import checked
from saliscope.explainers.models.footprint import Footprint, _held, measure
from tests.explainers.tiny import ARCHITECTURES

TEXT = "the plot is a mess but the cast is wonderful"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_keeps_its_promises(architecture: str, tiny_model: Any) -> None:
    facts = tiny_model(architecture).facts
    wanted = {"padding", "completeness"} | ({"causality"} if "causal" in facts.capabilities else set())
    assert {one.name for one in facts.checks} == wanted
    assert [one for one in facts.checks if not one.ok] == []
    assert facts.warnings == ()


@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_bundled_ones_keep_them_in_half_precision(name: str, dtype: str) -> None:
    assert all(one.ok for one in load(name, "cpu", dtype=dtype).facts.checks)


def test_it_is_off_by_option() -> None:
    model = load("demo-decoder", "cpu", self_check=False)
    assert model.facts.checks == ()
    assert model.footprint is None


def looking_ahead(network: Any, at: int) -> Any:
    """A hook that lets positions see the one at `at` if it is there."""

    def hook(module: Any, args: Any, output: Any) -> Any:
        state = output[0].clone()
        if state.shape[1] > at:
            state[:, :at] += 0.1 * state[:, at : at + 1]
        return (state, *output[1:]) if isinstance(output, tuple) else type(output)(last_hidden_state=state)

    return network.body.register_forward_hook(hook)


def test_a_decoder_that_looks_ahead_later_on_loses_what_needs_causality(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("llama")), "cpu")
    hook = looking_ahead(model.network, 8)
    found = check(model.network, 64)
    hook.remove()
    assert "causality" in [one.name for one in found if not one.ok]
    model._facts = checked(model.facts, found)
    with pytest.raises(NotCapable, match=r"sp-pi needs causal.* failed the causality check when it was loaded: 0\.\d"):
        explain(model, TEXT, method="sp-pi")
    got = explain(model, TEXT)
    assert got.method != "sp-pi"
    assert any("failed its causality check" in warning for warning in got.warnings)


def test_a_wrong_gradient_is_seen(tiny_folder: Any) -> None:
    class Crooked(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return 3.0 * grad

    model = load(str(tiny_folder("bert")), "cpu")
    hook = model.network.body.encoder.layer[1].register_forward_hook(
        lambda module, args, output: (
            (Crooked.apply(output[0]), *output[1:]) if isinstance(output, tuple) else Crooked.apply(output)
        )
    )
    found = {one.name: one for one in check(model.network, 64)}
    hook.remove()
    assert not found["completeness"].ok
    assert found["completeness"].value > 0.1
    assert found["padding"].ok
    model._facts = checked(model.facts, tuple(found.values()))
    with pytest.raises(NotCapable, match="failed the completeness check"):
        explain(model, TEXT, method="input-x-gradient")
    assert explain(model, TEXT).method == "occlusion"


def test_numbers_that_are_not_finite_are_no_pass() -> None:
    network = load("demo-encoder", "cpu", self_check=False).network
    assert not checking._found("padding", float("nan"), 1.0, network).ok
    assert Check("padding", False, float("nan"), 1.0).to_dict()["value"] is None


# -- what a row takes -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
def test_what_a_long_row_takes_is_known_from_short_ones(name: str) -> None:
    model = load(name, "cpu", self_check=False)
    footprint = measure(model.network, 256)
    for length in (50, 200):
        for back, (token, square) in enumerate((footprint.forward, footprint.gradient)):
            assert token * length + square * length**2 == pytest.approx(_held(model.network, length, back), rel=0.05)


def test_eager_attention_grows_with_the_square(tiny_model: Any) -> None:
    network = tiny_model("bert", attention="eager").network
    footprint = measure(network, 64)
    assert footprint.gradient[1] > 0
    token, square = footprint.gradient
    assert token * 60 + square * 3600 == pytest.approx(_held(network, 60, 1), rel=0.15)


def test_a_row_that_cannot_fit_is_refused_with_both_numbers_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("demo-encoder", "cpu")
    assert model.footprint is not None
    model.footprint = replace(model.footprint, gradient=(1e8, 0.0))
    model.room = lambda: 500_000_000
    monkeypatch.setattr(model.network, "gradients", lambda *args: pytest.fail("it ran"))
    with pytest.raises(
        TooLarge, match=r"text: one row of its 12 tokens needs about 1,200 MB, and 500 MB are left on cpu"
    ) as caught:
        explain(model, TEXT, method="input-x-gradient")
    assert caught.value.data == {"needed": 1_200_000_000, "available": 500_000_000}
    assert explain(model, TEXT, method="occlusion").scores.any()


def test_watched_attention_keeps_its_maps(demo_encoder: Any) -> None:
    from saliscope.explainers.queries import Attend
    from saliscope.explainers.targets.scalar import Scalar

    query = Attend(demo_encoder.encode(TEXT), Scalar("class", 0, "logit"), "rollout")
    plain, watched = Footprint((1.0, 0.0), (2.0, 0.0), 0), Footprint((1.0, 0.0), (2.0, 0.0), 10)
    assert watched.row(query) - plain.row(query) == 10 * 4 * len(query.encoding) ** 2
