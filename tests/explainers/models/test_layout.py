"""Weights laid out for few rows: the same numbers, gradients and digests, and only where it is worth it."""

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.pytorch_utils import Conv1D

from saliscope.explainers import load
from saliscope.explainers.models.fingerprint import fingerprint, summing
from saliscope.explainers.models.layout import FEW_ROWS, LEAST_WEIGHTS, lay_out
from tests.explainers.tiny import build, save

WIDTH = 512
NUM_ROWS = (1, 2, FEW_ROWS.start, 8, FEW_ROWS.stop - 1, FEW_ROWS.stop, 130)


def _summed(model: nn.Module) -> str:
    steps = summing(model)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def pairs() -> list[tuple[nn.Module, nn.Module]]:
    """Each kind of module as it was, and laid out."""
    torch.manual_seed(0)
    modules = [Conv1D(2 * WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, 2 * WIDTH, bias=False)]
    for module in modules:
        module.requires_grad_(False)
    laid_out = copy.deepcopy(modules)
    for module in laid_out:
        lay_out(module)
    return list(zip(modules, laid_out, strict=True))


@pytest.mark.parametrize("num_rows", NUM_ROWS)
def test_the_product_is_the_same(pairs: list[tuple[nn.Module, nn.Module]], num_rows: int) -> None:
    rows = torch.randn(num_rows, WIDTH)
    for before, after in pairs:
        with torch.inference_mode():
            torch.testing.assert_close(after(rows), before(rows), rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(shape=st.lists(st.integers(1, 6), min_size=0, max_size=3), transposed=st.booleans())
def test_any_shape_comes_back_with_its_own_width(
    pairs: list[tuple[nn.Module, nn.Module]], shape: list[int], transposed: bool
) -> None:
    rows = torch.randn(*shape, WIDTH)
    if transposed and len(shape) > 1:
        rows = rows.transpose(0, 1)
    for before, after in pairs:
        with torch.no_grad():
            found, wanted = after(rows), before(rows.contiguous())
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert found.is_contiguous()


def test_gradients_go_through(pairs: list[tuple[nn.Module, nn.Module]]) -> None:
    for before, after in pairs:
        gradients = []
        for module in (before, after):
            rows = torch.linspace(-1, 1, 8 * WIDTH).reshape(8, WIDTH).requires_grad_(True)
            (found,) = torch.autograd.grad(module(rows).square().sum(), rows)
            gradients.append(found)
        torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)


def test_digests_are_those_of_the_weights_not_of_their_layout(pairs: list[tuple[nn.Module, nn.Module]]) -> None:
    for before, after in pairs:
        assert fingerprint(after) == fingerprint(before)


def test_a_changed_number_is_seen_wherever_it_lies(pairs: list[tuple[nn.Module, nn.Module]]) -> None:
    for _, after in pairs:
        total = _summed(after)
        assert _summed(after) == total
        weight = after.weight
        kept = weight[WIDTH // 3, WIDTH // 5].clone()
        weight[WIDTH // 3, WIDTH // 5] += 1
        assert _summed(after) != total
        weight[WIDTH // 3, WIDTH // 5] = kept
        assert _summed(after) == total


def test_what_gains_nothing_is_left_alone() -> None:
    class Own(nn.Linear):
        """A class with a forward of its own, for all we know."""

    small = nn.Linear(16, LEAST_WEIGHTS // 16 - 1)
    half = nn.Linear(WIDTH, WIDTH).to(torch.bfloat16)
    model = nn.ModuleList([small, half, Own(WIDTH, 2 * WIDTH), nn.Embedding(WIDTH, WIDTH)])
    lay_out(model)
    assert not any("forward" in vars(module) for module in model)
    enough = nn.Linear(16, LEAST_WEIGHTS // 16)
    lay_out(enough)
    assert "forward" in vars(enough)


def test_transformers_keep_their_shapes(pairs: list[tuple[nn.Module, nn.Module]]) -> None:
    (before, after), *_ = pairs
    assert after.weight.shape == before.weight.shape
    assert after.weight.t().is_contiguous()
    torch.testing.assert_close(after.weight, before.weight, rtol=0, atol=0)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_loaded_model_answers_as_transformers_does(architecture: str, tmp_path: Path) -> None:
    wide = (
        {"n_embd": WIDTH, "n_head": 4} if architecture == "gpt2" else {"hidden_size": WIDTH, "intermediate_size": 600}
    )
    folder = save(build(architecture, **wide), tmp_path, causal=True)
    own = AutoModelForSequenceClassification.from_pretrained(folder).eval().requires_grad_(False)
    ours = load(str(folder), "cpu")
    assert any("forward" in vars(module) for module in ours.network.body.modules())
    ids = torch.arange(4, 24)[None]
    with torch.no_grad():
        wanted = own.base_model(input_ids=ids)[0]
        found = ours.network.hidden(ours.network.embed(ids), torch.ones_like(ids))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert ours.facts.fingerprint == load(str(folder), "cpu").facts.fingerprint == fingerprint(own)
