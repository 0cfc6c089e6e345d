"""Decoded Grad-CAM against the paper's loops."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSequenceClassification

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.families.decoding import decode, paper_layer
from saliscope.explainers.models.finding import find_source
from saliscope.explainers.queries import Decoding, Differentiate
from saliscope.explainers.targets.scalar import Scalar

TEXT = "the plot is a mess but the cast is wonderful and the music is fine"
METHOD = "decoded-grad-cam"


def loop(share: Any, products: Any, relu: str, tau: int | None) -> Any:
    """Algorithm 1 and equation 6, read aloud: `share [U, T]`, `products [T]`."""
    num_ids, num_positions = share.shape
    scores = [0.0] * num_ids
    for j in range(num_positions):
        column = sorted((float(share[i, j]) for i in range(num_ids)), reverse=True)
        least = column[min(tau, num_ids) - 1] if tau is not None else -1.0
        for i in range(num_ids):
            if share[i, j] >= least:
                term = float(share[i, j]) * float(products[j])
                scores[i] += max(term, 0.0) if relu == "inner" else term
    return np.asarray([max(score, 0.0) if relu == "outer" else score for score in scores])


@cache
def plain_pair(classifier: Path, reader: Path) -> tuple[Any, Any]:
    """A classifier and a masked language model as transformers loads them."""
    return (
        AutoModelForSequenceClassification.from_pretrained(classifier).eval(),
        AutoModelForMaskedLM.from_pretrained(reader).eval(),
    )


def naive(folders: tuple[Any, Any], encoding: Any, index: int, layer: int, relu: str, tau: int | None) -> Any:
    """Scores of the positions of an encoder, from two plain models: the classifier and the masked language model."""
    classifier, reader = plain_pair(*folders)
    ids = torch.from_numpy(encoding.ids)[None]
    got = classifier(input_ids=ids, output_hidden_states=True)
    hidden = got.hidden_states[layer]
    (gradient,) = torch.autograd.grad(got.logits[0, index], hidden)
    products = (gradient * hidden).sum(-1)[0].detach()
    with torch.no_grad():
        probability = reader.cls(hidden)[0].softmax(-1)
    unique = [i for i in dict.fromkeys(encoding.ids.tolist()) if i in encoding.ids[~encoding.special]]
    by_type = dict(zip(unique, loop(probability[:, unique].T.numpy(), products.numpy(), relu, tau), strict=True))
    return np.asarray([by_type[i] for i in encoding.ids[~encoding.special].tolist()])


@pytest.fixture(scope="module")
def encoder_folder() -> Path:
    return find_source("demo-encoder").folder


@pytest.fixture(scope="module")
def readable(tiny_folder: Any) -> Any:
    """A tiny classifier without a language-model head, to lend heads to."""
    return load(str(tiny_folder("bert")), "cpu")


# -- the formula ----------------------------------------------------------------------------------


@pytest.mark.parametrize("relu", ["inner", "outer", "none"])
@pytest.mark.parametrize("tau", [None, 1, 3, 50])
def test_the_matrix_form_equals_the_loops(relu: Any, tau: int | None) -> None:
    rng = np.random.default_rng(11)
    for _ in range(10):
        num_ids, num_positions = rng.integers(1, 9), rng.integers(1, 12)
        share = rng.dirichlet(np.ones(num_ids + 3), num_positions).T[:num_ids].astype(np.float32)
        products = rng.normal(size=num_positions).astype(np.float32)
        np.testing.assert_allclose(decode(share, products, relu, tau), loop(share, products, relu, tau), atol=1e-6)


def test_ties_at_the_last_place_that_tau_keeps_are_all_kept() -> None:
    share = np.asarray([[0.2], [0.2], [0.1], [0.3]], dtype=np.float32)
    one = np.ones(1, dtype=np.float32)
    np.testing.assert_allclose(decode(share, one, tau=1), [0, 0, 0, 0.3], atol=1e-7)
    np.testing.assert_allclose(decode(share, one, tau=2), [0.2, 0.2, 0, 0.3], atol=1e-7)


@pytest.mark.parametrize("relu", ["inner", "outer", "none"])
@pytest.mark.parametrize("tau", [None, 1, 3])
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_the_bundled_encoder_is_explained_as_the_paper_says(
    relu: str, tau: int | None, layer: int, demo_encoder: Any, encoder_folder: Path
) -> None:
    got = explain(demo_encoder, TEXT, method=METHOD, target=1, relu=relu, tau=tau, layer=layer)
    folders = (encoder_folder, encoder_folder)
    wanted = naive(folders, demo_encoder.encode(TEXT), 1, layer, relu, tau)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-5, rtol=1e-4)
    assert got.outputs[0].layer == layer
    assert np.abs(wanted).max() > 1e-5


def test_a_lent_head_reads_as_the_plain_model_would(readable: Any, tiny_folder: Any) -> None:
    lender = tiny_folder("bert", "ForMaskedLM")
    got = explain(readable, TEXT, method=METHOD, target=2, relu="none", lm_head_from=str(lender))
    wanted = naive((tiny_folder("bert"), lender), readable.encode(TEXT), 2, 2, "none", None)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-5)
    assert got.diagnostics["head"] == str(lender)


@pytest.mark.parametrize("lens", ["head", "input"])
def test_a_decoder_is_read_without_looking_ahead(lens: Any, demo_decoder: Any) -> None:
    folder = find_source("demo-decoder").folder
    encoding = demo_decoder.encode(TEXT)
    ids = torch.from_numpy(encoding.ids)[None]
    classifier = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    reader = AutoModelForCausalLM.from_pretrained(folder).eval()
    got = classifier(input_ids=ids, output_hidden_states=True)
    hidden = got.hidden_states[2]
    (gradient,) = torch.autograd.grad(got.logits[0, 0], hidden)
    products = (gradient * hidden).sum(-1)[0].detach().numpy()
    with torch.no_grad():
        normed = classifier.transformer.ln_f(hidden)[0]
        logits = reader.lm_head(normed) if lens == "head" else normed @ classifier.transformer.wte.weight.T
    probability = logits.softmax(-1).numpy()
    scores = dict.fromkeys(encoding.ids.tolist(), 0.0)
    for i in scores:
        for j in range(len(encoding)):
            if i in encoding.ids[: j + 1]:
                scores[i] += probability[j, i] * products[j]
    explained = explain(demo_decoder, TEXT, method=METHOD, target=0, relu="none", lens=lens, layer=2)
    np.testing.assert_allclose(explained.scores, [scores[i] for i in encoding.ids.tolist()], atol=1e-5, rtol=1e-4)
    assert any("experimental on decoders" in text for text in explained.warnings)


def test_decoders_are_read_with_their_input_embeddings_unless_told_otherwise(demo_decoder: Any) -> None:
    auto, lens = (explain(demo_decoder, TEXT, method=METHOD, lens=lens) for lens in ("auto", "input"))
    np.testing.assert_array_equal(auto.scores, lens.scores)
    assert auto.params["lens"] == "input"
    assert auto.diagnostics["head"] == "input-embeddings"


# -- shares ---------------------------------------------------------------------------------------


def test_the_shares_of_a_position_sum_to_one_at_most(demo_encoder: Any, demo_decoder: Any) -> None:
    for model in (demo_encoder, demo_decoder):
        layers = tuple(range(5))
        query = Differentiate(model.encode(TEXT), Scalar("class", 0, "logit"), layers, Decoding("head"))
        answer = model.answer(query)
        for layer in layers:
            share = answer.decoded[layer].share
            assert share.shape == (len(set(query.encoding.ids.tolist())), len(query.encoding))
            assert (share >= 0).all()
            assert share.sum(axis=0).max() <= 1 + 1e-5


def test_the_bundled_head_reads_more_than_half_of_the_tokens_at_the_last_block(demo_encoder: Any) -> None:
    texts = [TEXT, "a dull, lifeless and boring film that never finds its feet", "one of the best films of the year"]
    rates = [explain(demo_encoder, text, method=METHOD, layer=4).diagnostics["decode_rate"] for text in texts]
    assert min(rates) > 0.5
    assert max(rates) <= 1


def test_repeated_tokens_share_one_score(demo_encoder: Any) -> None:
    got = explain(demo_encoder, TEXT, method=METHOD)
    by_word: dict[str, set[float]] = {}
    for feature, score in zip(got.features, got.scores, strict=True):
        by_word.setdefault(feature.text, set()).add(float(score))
    assert {len(scores) for scores in by_word.values()} == {1}
    assert len(by_word) < len(got.features)
    assert len({score for scores in by_word.values() for score in scores}) > 5


@pytest.mark.parametrize("relu", ["inner", "none"])
def test_occurrences_divide_the_score_of_their_type(relu: str, demo_encoder: Any) -> None:
    whole = explain(demo_encoder, TEXT, method=METHOD, relu=relu)
    parts = explain(demo_encoder, TEXT, method=METHOD, relu=relu, split="occurrence")
    words = [feature.text for feature in whole.features]
    for word in set(words):
        places = [i for i, text in enumerate(words) if text == word]
        assert parts.scores[places].sum() == pytest.approx(whole.scores[places[0]], abs=1e-6)
    the = [i for i, text in enumerate(words) if text == "the"]
    assert len(set(parts.scores[the].tolist())) == len(the) == 3


# -- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "layer"), [(12, 7), (24, 14), (6, 4), (4, 2), (3, 2), (2, 1), (1, 1)])
def test_the_default_layer_is_the_papers_share_of_the_depth(depth: int, layer: int) -> None:
    assert paper_layer(depth) == layer


def test_the_layer_that_was_used_is_named(readable: Any) -> None:
    got = explain(readable, TEXT, method=METHOD)
    assert got.params["layer"] == got.outputs[0].layer == 2


def test_a_layer_out_of_range_is_refused_with_the_range(demo_encoder: Any) -> None:
    with pytest.raises(BadRequest, match=r"params\.layer: 5 is out of range; demo-encoder has 0 to 4"):
        explain(demo_encoder, TEXT, method=METHOD, layer=5)
    with pytest.raises(BadRequest, match="layer"):
        explain(demo_encoder, TEXT, method=METHOD, layer=-1)


def test_at_the_last_layer_only_the_pooled_position_counts_and_it_says_so(demo_encoder: Any) -> None:
    got = explain(demo_encoder, TEXT, method=METHOD, layer=4)
    assert got.diagnostics["special_share"] == pytest.approx(1.0, abs=1e-6)
    assert any("last layer" in text for text in got.warnings)
    assert not any("last layer" in text for text in explain(demo_encoder, TEXT, method=METHOD, layer=3).warnings)


@pytest.mark.parametrize("params", [{"tau": 0}, {"relu": "both"}, {"split": "word"}, {"lens": "next"}, {"taw": 1}])
def test_wrong_parameters_are_refused_by_name(params: dict[str, Any], demo_encoder: Any) -> None:
    (name,) = params
    with pytest.raises(BadRequest, match=rf"decoded-grad-cam.*{name}|{name}.*decoded-grad-cam"):
        explain(demo_encoder, TEXT, method=METHOD, **params)


def test_a_checkpoint_recommends_a_layer_but_not_another_model_to_load(tiny_folder: Any, tmp_path: Path) -> None:
    folder = tmp_path / "recommending"
    shutil.copytree(tiny_folder("bert"), folder)
    config = json.loads((folder / "config.json").read_text())
    lender = str(tiny_folder("bert", "ForMaskedLM"))
    config["saliscope"] = {METHOD: {"layer": 1, "lm_head_from": lender}, "grad-cam": {"layers": 1}, "occlusion": 7}
    (folder / "config.json").write_text(json.dumps(config))
    model = load(str(folder), "cpu")
    got = explain(model, TEXT, method=METHOD)
    assert (got.params["layer"], got.params["lm_head_from"], got.diagnostics["head"]) == (1, None, "embedding")
    assert any("layer 1" in line for line in got.why)
    assert explain(model, TEXT, method=METHOD, layer=3).params["layer"] == 3
    got = explain(model, TEXT, method="grad-cam")
    assert got.params == {"layer": 0}
    assert any("was ignored" in line for line in got.why)
    assert explain(model, TEXT, method="occlusion").why == ()
