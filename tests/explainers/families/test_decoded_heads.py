"""The heads that decoded methods read layers with: where they may come from, and which are refused."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, NotCapable, UnknownModel
from saliscope.explainers.queries import Decoding, Differentiate
from saliscope.explainers.targets.scalar import Scalar

TEXT = "the plot is a mess but the cast is wonderful and the music is fine"
METHOD = "decoded-grad-cam"


@pytest.fixture(scope="module")
def readable(tiny_folder: Any) -> Any:
    """A tiny classifier without a language-model head, to lend heads to."""
    return load(str(tiny_folder("bert")), "cpu")


def test_the_own_head_is_the_one_in_the_checkpoint(demo_encoder: Any) -> None:
    own = explain(demo_encoder, TEXT, method=METHOD)
    lent = explain(demo_encoder, TEXT, method=METHOD, lm_head_from="demo-encoder")
    np.testing.assert_array_equal(own.scores, lent.scores)
    assert (own.diagnostics["head"], lent.diagnostics["head"]) == ("own", "demo-encoder")


def test_a_classifier_lends_no_head_because_its_head_would_be_random(readable: Any, tiny_folder: Any) -> None:
    classifier = tiny_folder("bert", "ForSequenceClassification", num_labels=2)
    with pytest.raises(NotCapable, match=r"BertForMaskedLM needs weights that the checkpoint lacks.*random"):
        explain(readable, TEXT, method=METHOD, lm_head_from=str(classifier))


def test_a_head_of_another_width_or_a_smaller_vocabulary_is_refused(readable: Any, tiny_folder: Any) -> None:
    wide = tiny_folder("bert", "ForMaskedLM", hidden_size=48)
    with pytest.raises(NotCapable, match="reads 48 dimensions, this model has 32"):
        explain(readable, TEXT, method=METHOD, lm_head_from=str(wide))
    size = readable.facts.vocab_size
    small = tiny_folder("bert", "ForMaskedLM", vocab_size=size - 1)
    with pytest.raises(NotCapable, match=f"knows {size - 1} tokens, this model {size}"):
        explain(readable, TEXT, method=METHOD, lm_head_from=str(small))


def test_a_head_with_other_ids_for_common_words_is_refused(readable: Any, tiny_folder: Any, tmp_path: Path) -> None:
    folder = tmp_path / "shuffled"
    shutil.copytree(tiny_folder("bert", "ForMaskedLM"), folder)
    pieces = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = pieces["model"]["vocab"]
    vocabulary["the"], vocabulary["is"] = vocabulary["is"], vocabulary["the"]
    (folder / "tokenizer.json").write_text(json.dumps(pieces))
    with pytest.raises(NotCapable, match="another vocabulary: 'the' has different ids"):
        explain(readable, TEXT, method=METHOD, lm_head_from=str(folder))


def test_a_head_with_more_tokens_of_the_same_vocabulary_is_accepted(readable: Any, tiny_folder: Any) -> None:
    larger = tiny_folder("bert", "ForMaskedLM", vocab_size=readable.facts.vocab_size + 17)
    assert np.isfinite(explain(readable, TEXT, method=METHOD, lm_head_from=str(larger)).scores).all()


def test_a_head_from_something_that_has_none_is_refused(
    readable: Any, tiny_folder: Any, tmp_path: Path, demo_decoder: Any
) -> None:
    with pytest.raises(NotCapable, match="demo-decoder gives no language-model head"):
        explain(readable, TEXT, method=METHOD, lm_head_from="demo-decoder")
    with pytest.raises(NotCapable, match="demo-encoder"):
        explain(demo_decoder, TEXT, method=METHOD, lm_head_from="demo-encoder")
    with pytest.raises(UnknownModel, match="demo-encoder, demo-decoder"):
        explain(readable, TEXT, method=METHOD, lm_head_from="no-such-model")
    torn = tmp_path / "torn"
    shutil.copytree(tiny_folder("bert", "ForMaskedLM"), torn)
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:600])
    with pytest.raises(NotCapable, match="torn gives no language-model head"):
        explain(readable, TEXT, method=METHOD, lm_head_from=str(torn))


def test_a_lent_head_and_the_input_lens_exclude_each_other(demo_decoder: Any) -> None:
    with pytest.raises(BadRequest, match="lm_head_from has no part in it"):
        explain(demo_decoder, TEXT, method=METHOD, lens="input", lm_head_from="demo-decoder")
    lent = explain(demo_decoder, TEXT, method=METHOD, lm_head_from="demo-decoder")
    own = explain(demo_decoder, TEXT, method=METHOD, lens="head")
    np.testing.assert_array_equal(lent.scores, own.scores)
    assert lent.params["lens"] == "head"


def test_without_a_head_positions_are_read_with_the_input_embeddings(readable: Any) -> None:
    assert "lm-head" not in readable.facts.capabilities
    encoding = readable.encode(TEXT)
    answer = readable.answer(Differentiate(encoding, Scalar("class", 0, "logit"), (2,), Decoding("head")))
    ids = torch.from_numpy(encoding.ids)[None]
    with torch.no_grad():
        plain = copy.deepcopy(readable.network.model)
        hidden = plain(input_ids=ids, output_hidden_states=True).hidden_states[2][0]
        weight = plain.get_input_embeddings().weight
        wanted = (hidden @ weight.T / weight.shape[1] ** 0.5).softmax(-1)[:, answer.decoded[2].unique].T
    np.testing.assert_allclose(answer.decoded[2].share, wanted.numpy(), atol=1e-6)
    got = explain(readable, TEXT, method=METHOD)
    assert got.diagnostics["head"] == answer.decoded[2].head == "embedding"
    assert any("no language-model head was found" in text for text in got.warnings)


def test_a_head_that_cannot_read_the_layer_is_warned_about(readable: Any, demo_encoder: Any) -> None:
    got = explain(readable, TEXT, method=METHOD)
    assert got.diagnostics["decode_rate"] < 0.05
    assert any("the head cannot read it" in text for text in got.warnings)
    assert explain(demo_encoder, TEXT, method=METHOD).warnings == ()


def test_embeddings_narrower_than_the_layers_need_a_lent_head(tiny_model: Any, tiny_folder: Any) -> None:
    model = tiny_model("albert")
    with pytest.raises(NotCapable, match=r"lm_head_from=MODEL lends a head.*these fit: input-x-gradient"):
        explain(model, TEXT, method=METHOD)
    lender = str(tiny_folder("albert", "ForMaskedLM"))
    assert explain(model, TEXT, method=METHOD, lm_head_from=lender).diagnostics["head"] == lender
    query = Differentiate(model.encode(TEXT), Scalar("class", 0, "logit"), (2,), Decoding("input"))
    with pytest.raises(NotCapable, match="lens=input needs embeddings as wide as the layers; here 16 and 32"):
        model.answer(query)


def test_a_next_token_has_no_decoded_map(demo_decoder: Any) -> None:
    with pytest.raises(NotCapable, match="cannot explain a next-token target; these can: sp-pi"):
        explain(demo_decoder, TEXT, method=METHOD, target="next-token")
