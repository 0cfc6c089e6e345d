"""Ways to compute wrong numbers without an error, one test for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.families.fits import least_squares
from saliscope.explainers.families.surrogates import fit_with_sum, ridge_fit
from saliscope.explainers.models.rows import materialise
from saliscope.explainers.queries import Differentiate, Evaluate, Outputs, Piece
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers.tiny import DECODERS, TEXTS

PLACED = ["gpt2", "gpt-neox", "opt", "llama", "qwen2", "qwen3", "phi3"]


@pytest.fixture
def calls(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    """A tiny model, and the keywords with which its body is called."""
    model = tiny_model(request.param)
    seen: list[dict[str, Any]] = []
    hook = model.network.body.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(dict(kwargs)), with_kwargs=True
    )
    yield model, seen
    hook.remove()


def ask_everything(model: Any) -> None:
    for method in fitting(model.facts, "class"):
        explain(model, TEXTS[1], method=method, granularity="word")
    if "drop" in model.facts.capabilities:
        explain(model, TEXTS[1], method="occlusion", mask="drop")


# -- 1 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", ["bert", "gpt2", "llama"], indirect=True)
def test_gaps_in_the_position_ids_are_never_read_as_packed_texts_because_a_mask_is_always_given(calls: Any) -> None:
    model, seen = calls
    ask_everything(model)
    assert any(keywords.get("position_ids") is not None for keywords in seen)
    assert all(isinstance(keywords.get("attention_mask"), torch.Tensor) for keywords in seen)


@pytest.mark.parametrize("architecture", PLACED)
def test_leaving_tokens_out_is_the_same_as_nobody_looking_at_them(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[1])
    groups = tuple((position,) for position in range(len(encoding)))
    keep = np.random.default_rng(0).random((8, len(encoding))) < 0.6
    keep[:, -1] = True
    dropped, unseen = (
        model.answer(Evaluate(encoding, Outputs("class"), Masked(keep, groups, hiding))).values
        for hiding in ("drop", "attention")
    )
    np.testing.assert_allclose(dropped, unseen, atol=1e-5)
    for row, kept in enumerate(keep):
        # The same by hand: only the kept ids, each at its own place, one text at a time.
        places = torch.from_numpy(np.flatnonzero(kept))[None] + model.network.first_place
        ids = torch.from_numpy(encoding.ids[kept])[None]
        with torch.no_grad():
            state = model.network.body(
                input_ids=ids, position_ids=places, attention_mask=torch.ones_like(ids), use_cache=False
            )[0][:, -1]
            wanted = model.network.heads["class"](state)[0]
        np.testing.assert_allclose(dropped[row], wanted.numpy(), atol=1e-5)


# -- 2 --------------------------------------------------------------------------------------------


def test_a_fit_with_fewer_rows_than_unknowns_is_done_in_float64() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(20, 60)).astype(np.float32)
    # Columns that are nearly alike: what single precision gets wrong by a factor.
    z[:, 30:] = z[:, :30] + 1e-4 * rng.normal(size=(20, 30)).astype(np.float32)
    y = z.astype(np.float64) @ rng.normal(size=60)
    wanted = np.linalg.lstsq(z.astype(np.float64), y, rcond=None)[0]
    found = least_squares(z, y)
    assert found.scores.dtype == np.float64
    np.testing.assert_allclose(found.scores, wanted, atol=1e-4 * np.abs(wanted).max())
    np.testing.assert_allclose(z.astype(np.float64) @ found.scores, y, atol=1e-4 * np.abs(y).max())


def test_surrogates_with_few_rows_keep_their_sum_and_their_normal_equations() -> None:
    rng = np.random.default_rng(2)
    design = rng.random((6, 30)) < 0.5
    values, weights = 1e3 + rng.normal(size=6), rng.random(6) + 0.1
    fit = fit_with_sum(design, values, weights, 7.0)
    assert fit.coefficients.dtype == np.float64
    assert fit.coefficients.sum() == pytest.approx(7.0, abs=1e-8)
    ridge = ridge_fit(design, values, weights, 1e-2)
    wide = np.concatenate([np.ones((6, 1)), design], axis=1)
    solution = np.concatenate([[ridge.intercept], ridge.coefficients])
    slopes = wide.T @ (weights * (values - wide @ solution)) - np.r_[0.0, 1e-2 * ridge.coefficients]
    np.testing.assert_allclose(slopes, 0.0, atol=1e-7)


# -- 3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", DECODERS, indirect=True)
def test_no_pass_keeps_a_cache_that_another_could_read(calls: Any) -> None:
    """`DynamicCache.crop` changed its meaning: we never make one."""
    model, seen = calls
    explain(model, TEXTS[1], method="sp-pi")
    explain(model, TEXTS[1], method="occlusion")
    explain(model, TEXTS[1], method="input-x-gradient")
    assert len(seen) >= 3
    assert all(keywords["use_cache"] is False for keywords in seen)
    assert all(keywords.get("past_key_values") is None for keywords in seen)


# -- 4 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", DECODERS)
def test_a_decoder_in_a_padded_batch_is_read_at_its_own_last_token(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    short, long = (model.encode(text) for text in (TEXTS[0], TEXTS[1]))
    pieces = [Piece(Evaluate(encoding, Outputs("class"), outputs=True), 0, 1) for encoding in (short, long)]
    ours = model.compute(pieces)[0].outputs
    ids = torch.from_numpy(short.ids)[None]
    with torch.no_grad():
        plain = model.network.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy()
        # The trap: given embeddings, the model's own classifier reads the last position, padded or not.
        batch = materialise(pieces, model.network, model.facts.mask_id)
        own = model.network.model(inputs_embeds=batch.embeds, attention_mask=batch.mask).logits[0].numpy()
    np.testing.assert_allclose(ours, plain, atol=1e-5)
    assert np.abs(own - plain).max() > 1e-3


# -- 5 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "xlm-roberta"])
def test_the_token_that_a_pooler_reads_is_never_dropped(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    if "drop" not in model.facts.capabilities:
        pytest.skip("nothing is ever dropped here: this model has no position ids to keep tokens in place")
    encoding = model.encode(TEXTS[1])
    groups = tuple(token.positions for token in encoding.tokens if not token.special)
    keep = np.concatenate([np.zeros((1, len(groups)), dtype=bool), ~np.eye(len(groups), dtype=bool)])
    rows = Evaluate(encoding, Outputs("class"), Masked(keep, groups, "drop"))
    batch = materialise([Piece(rows, 0, len(keep))], model.network, model.facts.mask_id)
    assert (batch.ids[:, 0] == int(encoding.ids[0])).all()
    assert (batch.mask[:, 0] == 1).all()
    assert batch.places is not None
    assert (batch.places[:, 0] == model.network.first_place).all()
    got = explain(model, TEXTS[1], method="occlusion", mask="drop", target=1)
    unseen = explain(model, TEXTS[1], method="occlusion", mask="attention", target=1)
    np.testing.assert_allclose(got.scores, unseen.scores, atol=1e-5)


# -- 6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
def test_the_flat_loss_of_a_confident_model_is_not_lost_in_float16(name: str) -> None:
    half, whole = (load(name, "cpu", dtype=dtype) for dtype in ("float16", "float32"))
    text = "one of the best films of the year: funny, warm and clever, with a wonderful cast"
    for model in (half, whole):
        head = model.network.model.get_submodule("score" if name == "demo-decoder" else "classifier")
        with torch.no_grad():
            for weight in head.parameters():
                weight.mul_(3)
    for method in ("simple", "input-x-gradient", "decoded-simple", "gae", "deep-lift"):
        got, wanted = (explain(model, text, method=method, scale="loss", target=1) for model in (half, whole))
        assert max(wanted.prediction.probabilities.values()) > 1 - 1e-4
        assert np.corrcoef(got.scores, wanted.scores)[0, 1] > 0.98, method
        np.testing.assert_allclose(got.scores, wanted.scores, atol=0.2 * np.abs(wanted.scores).max(), err_msg=method)


def test_rows_of_any_steepness_share_a_pass_in_float16(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("llama")), "cpu", dtype="float16")
    queries = [
        Differentiate(model.encode(text), Scalar("class", 1, scale), (INPUT, 1))
        for text in TEXTS
        for scale in ("loss", "logit")
    ]
    together = model.compute([Piece(query, 0, 1) for query in queries])
    for query, merged in zip(queries, together, strict=True):
        alone = model.answer(query)
        for layer in (INPUT, 1):
            size = np.abs(alone.inner[layer]).max()
            np.testing.assert_allclose(merged.inner[layer], alone.inner[layer], atol=0.02 * size)
